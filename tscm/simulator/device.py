"""
One simulated firewall: what it runs, what it saved, who may log in, how it feels.

Pure: time is a parameter, nothing is opened.  The REST agent, the command line, the traffic and
the control port all act on this one value, as they do on the real box.
"""

import secrets
from collections import deque
from collections.abc import Iterable
from hashlib import md5

from attrs import define, field

from tscm.simulator.accounts import Account, Accounts, Tokens
from tscm.simulator.configuration import Configuration
from tscm.simulator.health import AgentHealth
from tscm.simulator.interfaces import Interface, read_interfaces
from tscm.simulator.matching import Packet, number_of
from tscm.simulator.members import LENGTH_OF, interval
from tscm.simulator.profiles import PROFILES, Profile
from tscm.simulator.switches import Switches
from tscm.simulator.syslog_form import Message

FACTORY_LINES = (
    "names",
    "interface GigabitEthernet0/0",
    " nameif outside",
    " security-level 0",
    " ip address 198.51.100.1 255.255.255.0",
    "interface GigabitEthernet0/1",
    " nameif inside",
    " security-level 100",
    " ip address 10.0.0.1 255.255.255.0",
    "interface Management0/0",
    " management-only",
    " nameif management",
    " security-level 100",
    " ip address 192.168.45.1 255.255.255.0",
    "ftp mode passive",
    "pager lines 23",
    "logging enable",
    "logging timestamp",
    "logging trap informational",
    "mtu outside 1500",
    "mtu inside 1500",
    "no failover",
    "arp timeout 14400",
    "timeout xlate 3:00:00",
    "timeout conn 1:00:00 half-closed 0:10:00 udp 0:02:00 sctp 0:02:00 icmp 0:00:02",
    "aaa authentication http console LOCAL",
    "http server enable",
    "http 0.0.0.0 0.0.0.0 management",
    "http ::/0 management",
    "ssh timeout 5",
    "prompt hostname context",
    "rest-api image disk0:/asa-restapi-7151-lfbff-k8.SPA",
    "rest-api agent",
)
"""What a box carries before groups are configured: interfaces, logging, access."""
ADMIN, SYSTEM = "admin", "system"
"""Spaces of a firewall in multiple context mode that are always there."""
_SERIAL_CHARACTERS = "0123456789ABCDEFGHJKLMNPQRSTUVWX"


def new_serial() -> str:
    """A serial number in the form of an ASAv's, as no other firewall has."""
    return "9A" + "".join(secrets.choice(_SERIAL_CHARACTERS) for _ in range(9))


@define(eq=False)
class Device:
    """
    The state that outlives a request; *startup* is the text that a reload goes back to.
    """

    profile: Profile = field(factory=lambda: PROFILES["ASAv10"])
    serial: str = "9A8NXWLKUGX"
    started_at: float = 0.0
    switches: Switches = field(factory=Switches)
    configuration: Configuration = field(factory=Configuration)
    accounts: Accounts = field(factory=Accounts)
    tokens: Tokens = field(factory=Tokens)
    startup: str = ""
    saved_at: float | None = None
    last_user: str = "enable_15"
    load_errors: list[str] = field(factory=list)
    """What the last load of a configuration printed; the first thousand lines."""
    hits: dict[int, int] = field(factory=dict)
    """Packets by hash of the access-list entry that took them."""
    role: str | None = None
    """`active` or `standby` in a failover pair."""
    unit: str = "Primary"
    diverged: bool = False
    """Was changed while on standby, so that the pair is no longer in step."""
    resync: bool = False
    """`write standby` was typed: the mate is to take this unit's configuration."""
    sync_until: float = 0.0
    """A bulk synchronisation with the mate runs until then."""
    space: str = ""
    """The security context that this is the configuration of; empty in single mode."""
    spaces: "dict[str, Device]" = field(factory=dict)
    """All contexts and the system space, by name; empty in single mode."""
    asa_version: str = ""
    """The profile's unless told otherwise."""
    health: AgentHealth = field(init=False)
    outbox: deque[Message] = field(factory=lambda: deque(maxlen=10_000))
    """What the firewall has to say and has not sent yet."""
    shuns: dict[str, tuple[str, str, str, str]] = field(factory=dict)
    """Shunned addresses; the destination, ports and protocol that were told with them."""
    files: dict[str, int] = field(factory=dict)
    """Copies of a configuration on the disk, by name, with their sizes."""
    modified: tuple[str, float] | None = None
    """Who changed the configuration last since the start, and when."""
    traced: deque[Packet] = field(factory=lambda: deque(maxlen=1000))
    """Packets that `packet-tracer` made and that did not pass yet."""
    outside_changes: int = 0
    """Changes that did not come through REST resources and that the agent has not read yet."""

    def __attrs_post_init__(self) -> None:
        self.asa_version = self.asa_version or self.profile.asa_version
        self.health = AgentHealth(self.switches)
        if self.profile.agent_version is None:
            self.health.stop()

    @property
    def hostname(self) -> str:
        """The configured name."""
        return self.configuration.hostname

    # -- configuration as text -----------------------------------------------

    def body_lines(self) -> Iterable[str]:
        """The running configuration between its header and its checksum."""
        held = self.configuration
        yield f"hostname {held.hostname}"
        yield from self.space_lines()
        yield from held.plain_lines(lambda line: line.startswith(("names", "interface ")))
        yield "!"
        yield from held.object_lines()
        yield from held.access_list_lines()
        late = ("names", "interface ", "rest-api ", "username ")
        yield from held.plain_lines(lambda line: not line.startswith(late))
        yield from held.binding_lines()
        for account in self.accounts.users.values():
            yield from self.account_lines(account)
        yield from held.plain_lines(lambda line: line.startswith("rest-api "))

    def space_lines(self) -> Iterable[str]:
        """What only the system space of a firewall in multiple context mode has."""
        if self.space != SYSTEM:
            return
        yield f"admin-context {ADMIN}"
        for name in self.spaces:
            if name != SYSTEM:
                yield f"context {name}"
                yield f"  config-url disk0:/{name}.cfg"

    def running_config(self) -> str:
        """`show running-config`, whole."""
        body = "\n".join(self.body_lines())
        checksum = md5(body.encode(), usedforsecurity=False).hexdigest()
        return (
            f": Saved\n\n: \n: Serial Number: {self.serial}\n: Hardware:   {self.profile.hardware}\n"
            f":\nASA Version {self.asa_version} \n!\n{body}\n"
            f"Cryptochecksum:{checksum}\n: end\n"
        )

    def save(self, now: float) -> str:
        """`write memory`: what runs becomes what is loaded at start."""
        text = self.running_config()
        self.startup = text
        self.saved_at = now
        body = md5(text.encode(), usedforsecurity=False).hexdigest()
        words = " ".join(body[at : at + 8] for at in range(0, 32, 8))
        return (
            f"Building configuration...\nCryptochecksum: {words} \n\n"
            f"{len(text)} bytes copied in 0.290 secs\n[OK]\n"
        )

    @property
    def unsaved(self) -> bool:
        """Does the running configuration differ from the saved one?"""
        return self.running_config() != self.startup

    def interfaces(self) -> Iterable[Interface]:
        """The interfaces, in the order of the configuration."""
        return read_interfaces(self.configuration.plain)

    def interface_names(self) -> frozenset[str]:
        """What `nameif` calls them."""
        return frozenset(one.name for one in self.interfaces() if one.name)

    def interface_addresses(self) -> dict[str, str]:
        """Addresses of the interfaces, by their `nameif`."""
        return {one.name: one.address for one in self.interfaces() if one.name and one.address}

    def admits_https(self, address: str) -> bool:
        """Is the web server on, and *address* in its `http …` lines?  Else there is no connection."""
        plain = self.configuration.plain
        if not any(line.startswith("http server enable") for line in plain):
            return False
        number, family = number_of(address)
        for line in plain:
            match line.split():
                case ["http", network, mask, _] if mask in LENGTH_OF:
                    low, high, of = interval(f"network-object {network} {mask}")
                case ["http", prefix, _] if ":" in prefix:
                    low, high, of = interval(f"network-object {prefix}")
                case _:
                    continue
            if of == family and low <= number <= high:
                return True
        return False

    def account_lines(self, account: Account) -> Iterable[str]:
        """A local user with the attributes that stand below it."""
        yield account.line()
        attributes = f"username {account.name} attributes"
        yield from self.configuration.plain_lines(lambda line: line == attributes)

    def public_keys(self, user: str) -> frozenset[str]:
        """Keys that open an account over SSH, base64 without their kinds."""
        lines = self.configuration.plain.get(f"username {user} attributes", ())
        words = [line.split() for line in lines]
        return frozenset(
            one[3] for one in words if one[:3] == ["ssh", "authentication", "publickey"]
        )

    # -- rules that depend on switches ---------------------------------------

    def apply_switches(self) -> None:
        """Hand the switches on to the parts that they steer."""
        self.tokens.lifetime = self.switches.token_lifetime
        self.tokens.maximum = int(self.switches.token_maximum)
        self.accounts.max_fail = int(self.switches.lockout_after)
        self.configuration.max_members = int(self.switches.max_members)
        self.configuration.max_nesting = int(self.switches.max_nesting)

    def put_account(self, account: Account) -> None:
        """Make or change a local user."""
        self.accounts.put(account)
        self.configuration.changed()
