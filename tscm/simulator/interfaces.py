"""
The firewall's interfaces, read from the lines of its configuration.

Pure.  What a box has of itself (hardware addresses, neighbours) follows from the names, so that it is
the same at every look and after every reload.
"""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Interface, ip_address
from re import compile as pattern
from zlib import crc32

from attrs import field, frozen

from tscm.simulator.digits import whole
from tscm.simulator.refusal import INCOMPLETE, INVALID, Cause, Refused

PHYSICAL, VLAN, PORT_CHANNEL, REDUNDANT, OTHER = (
    "physical",
    "vlan",
    "portchannel",
    "redundant",
    "other",
)
_PORTS = ("GigabitEthernet", "TenGigabitEthernet", "Ethernet", "Management")
_NUMBERED = ("Port-channel", "Redundant", "BVI", "Tunnel")
_PORT = pattern(r"[0-9]{1,2}/[0-9]{1,2}(\.[0-9]{1,10})?")
_NUMBER = pattern(r"[0-9]{1,5}(\.[0-9]{1,10})?")
_LETTERS = pattern(r"[A-Za-z-]+")
_HEAD = "interface "
_DEFAULT_MTU = 1500


@frozen(kw_only=True)
class Interface:
    """
    One `interface …` with its lines; *address* and *mask* are empty where none is written down.
    """

    hardware: str
    name: str = ""
    level: int = -1
    address: str = ""
    mask: str = ""
    description: str = ""
    shutdown: bool = False
    management: bool = False
    vlan: int | None = None
    mtu: int = _DEFAULT_MTU
    ipv6: tuple[str, ...] = ()
    """Addresses with their lengths, as typed."""
    members: tuple[str, ...] = ()
    """Of a redundant interface."""
    group: str = ""
    """Number of the port-channel that it belongs to."""
    lines: Sequence[str] = field(factory=tuple)

    @property
    def kind(self) -> str:
        """Under which collection the agent lists it."""
        if "." in self.hardware:
            return VLAN
        if self.hardware.startswith(_PORTS):
            return PHYSICAL
        return {"Port-channel": PORT_CHANNEL, "Redundant": REDUNDANT}.get(
            self.hardware.rstrip("0123456789"), OTHER
        )

    @property
    def mac(self) -> str:
        """Its hardware address: locally administered, and its own."""
        digest = crc32(self.hardware.partition(".")[0].encode())
        return f"0200.{digest >> 16:04x}.{digest & 0xFFFF:04x}"

    def holds(self, address: str) -> bool:
        """Is *address* in its network?"""
        here = self.here
        try:
            return here is not None and ip_address(address) in here.network
        except ValueError:
            return False

    @property
    def here(self) -> IPv4Interface | None:
        """Its address and network; None without."""
        try:
            return IPv4Interface(f"{self.address}/{self.mask}") if self.address else None
        except ValueError:
            return None


def canonical_name(words: Sequence[str]) -> str:
    """
    The interface's whole name out of `gi0/1`, `GigabitEthernet 0/1` and the like; raises `Refused`.

    Types that other systems have and this one lacks (FastEthernet, Loopback, Serial) are invalid.
    """
    if not words:
        raise Refused(Cause.SYNTAX, INCOMPLETE)
    letters = _LETTERS.match(words[0])
    if letters is None or len(words) > 2:
        raise Refused(Cause.SYNTAX, INVALID, at=min(len(words), 3) if letters else 1)
    number = words[0][letters.end() :] + "".join(words[1:])
    typed = letters[0].lower()
    for known, form in (*((one, _PORT) for one in _PORTS), *((one, _NUMBER) for one in _NUMBERED)):
        if known.lower().startswith(typed):
            if not number:
                raise Refused(Cause.SYNTAX, INCOMPLETE)
            if form.fullmatch(number):
                return known + number
    raise Refused(Cause.SYNTAX, INVALID, at=1)


def read_interfaces(plain: Mapping[str, Sequence[str]]) -> Iterator[Interface]:
    """Every interface of the configuration's stored lines, in their order."""
    mtus = {
        words[1]: whole(words[2], 65535) or _DEFAULT_MTU
        for line in plain
        if line.startswith("mtu ") and len(words := line.split()) == 3
    }
    for line, below in plain.items():
        if line.startswith(_HEAD):
            yield _interface(line.removeprefix(_HEAD), below, mtus)


def _interface(hardware: str, below: Sequence[str], mtus: Mapping[str, int]) -> Interface:
    held: dict[str, str] = {}
    ipv6: list[str] = []
    members: list[str] = []
    for line in below:
        match line.split():
            case ["nameif", name]:
                held["name"] = name
            case ["security-level", number]:
                held["level"] = number
            case ["ip", "address", address, mask, *_] if address[0].isdigit():
                held["address"], held["mask"] = address, mask
            case ["description", *words]:
                held["description"] = " ".join(words)
            case ["vlan", number]:
                held["vlan"] = number
            case ["channel-group", number, *_]:
                held["group"] = number
            case ["ipv6", "address", address, *_] if "/" in address:
                ipv6.append(address)
            case ["member-interface", member]:
                members.append(member)
    name = held.get("name", "")
    level = whole(held.get("level", ""), 100)
    return Interface(
        hardware=hardware,
        name=name,
        level=-1 if level is None else level,
        address=held.get("address", ""),
        mask=held.get("mask", ""),
        description=held.get("description", ""),
        shutdown=" shutdown" in below,
        management=" management-only" in below,
        vlan=whole(held.get("vlan", ""), 4094),
        mtu=mtus.get(name, _DEFAULT_MTU),
        ipv6=tuple(ipv6),
        members=tuple(members),
        group=held.get("group", ""),
        lines=tuple(below),
    )


@frozen(kw_only=True)
class Neighbour:
    """
    An entry of the ARP table; *age* is None where it was typed.
    """

    interface: str
    address: str
    mac: str
    age: int | None = None
    proxy: bool = False


def neighbours(plain: Mapping[str, Sequence[str]]) -> Iterator[Neighbour]:
    """
    The ARP table: what `arp …` lines say, and one neighbour in each interface's network.
    """
    for line in plain:
        match line.split():
            case ["arp", name, address, mac, *rest] if address[0].isdigit():
                yield Neighbour(interface=name, address=address, mac=mac, proxy=rest == ["alias"])
    for interface in read_interfaces(plain):
        here = interface.here
        if not interface.name or here is None or interface.shutdown:
            continue
        last = here.network.broadcast_address - 1
        if here.network.prefixlen < 31 and last != here.ip:
            digest = crc32(str(last).encode())
            yield Neighbour(
                interface=interface.name,
                address=str(last),
                mac=f"0200.{digest >> 16:04x}.{digest & 0xFFFF:04x}",
                age=digest % 14400,
            )
