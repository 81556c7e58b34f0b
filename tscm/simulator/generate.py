"""
Packets out of a description: the same description gives the same packets.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address
from random import Random
from typing import Any

from attrs import fields, frozen

from tscm.errors import Fault, SettingsFaulty
from tscm.simulator.access_list import Endpoint
from tscm.simulator.configuration import Configuration
from tscm.simulator.digits import whole
from tscm.simulator.matching import AddressSet, Matcher, Packet, number_of

MAX_PACKETS = 1_000_000
_OTHERS = ("203.0.113.0/24", "198.18.0.0/15")
_INSIDE = "10.0.0.0/24"
_INSIDE_6 = "fd00:0:0:1::/64"
_SERVICES = (("tcp", 443), ("tcp", 80), ("tcp", 22), ("tcp", 25), ("udp", 53), ("udp", 123))


@frozen(kw_only=True)
class Mix:
    """
    How many packets, and where their far ends lie.

    *block* and *allow* are CIDRs or addresses, or `group:NAME` for what the firewall's own group
    holds; exactly `round(count * share)` packets draw from each, the others from *others*
    outside of both.  *distinct* bounds the addresses drawn from each list (0: no bound).
    """

    seed: int = 1
    count: int = 1000
    block: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    block_share: float = 0.0
    allow_share: float = 0.0
    others: tuple[str, ...] = _OTHERS
    inside: str = _INSIDE
    distinct: int = 0
    inbound_share: float = 0.5
    """Share that comes in from outside; the rest goes out to the drawn address."""
    icmp_share: float = 0.0

    @classmethod
    def of(cls, wanted: Mapping[str, Any]) -> "Mix":
        """From JSON; every fault in one sentence."""
        known = {item.name: item for item in fields(cls)}
        faults = [Fault(where=n, wrong="there is no such field") for n in wanted if n not in known]
        values: dict[str, Any] = {}
        for name, value in wanted.items():
            if name not in known:
                continue
            default = known[name].default
            fault = _unfit(name, value, default)
            if fault is not None:
                faults.append(fault)
            values[name] = tuple(value) if isinstance(default, tuple) else value
        if faults:
            raise SettingsFaulty("traffic", faults)
        mix = cls(**values)
        if mix.block_share + mix.allow_share > 1:
            fault = Fault(where="block_share", wrong="block_share and allow_share are over 1")
            raise SettingsFaulty("traffic", [fault])
        return mix


def _unfit(name: str, value: object, default: object) -> Fault | None:
    if isinstance(default, tuple):
        fine = isinstance(value, list) and all(isinstance(one, str) for one in value)
        return None if fine else Fault(where=name, wrong=f"{value!r}", allowed="a list of CIDRs")
    if isinstance(default, str):
        fine = isinstance(value, str)
        return None if fine else Fault(where=name, wrong=f"{value!r}", allowed="a CIDR")
    number = isinstance(value, int | float) and not isinstance(value, bool)
    top = 1 if isinstance(default, float) else MAX_PACKETS
    if name == "seed":
        top = 1 << 63
    whole = isinstance(default, float) or isinstance(value, int)
    if number and whole and 0 <= float(value) <= top:  # type: ignore[arg-type]
        return None
    return Fault(where=name, wrong=f"{value!r}", allowed=f"a number from 0 to {top}")


@frozen
class _Pool:
    """
    Intervals to draw addresses from.
    """

    intervals: Sequence[tuple[int, int, int]]
    few: Sequence[tuple[int, int]] = ()

    def draw(self, random: Random) -> tuple[int, int]:
        if self.few:
            return random.choice(self.few)
        low, high, family = random.choice(self.intervals)
        return random.randint(low, high), family


def _interval(text: str) -> tuple[int, int, int]:
    address, _, length = text.partition("/")
    number, family = number_of(address)
    bits = 32 if family == 4 else 128
    if length and whole(length, bits) is None:
        raise ValueError(f"{text!r} is not a CIDR")
    span = (1 << (bits - int(length or bits))) - 1
    return number & ~span, number | span, family


def _pool(
    texts: Iterable[str], matcher: Matcher, random: Random, distinct: int, where: str
) -> _Pool:
    found: list[tuple[int, int, int]] = []
    for text in texts:
        if text.startswith("group:"):
            held = matcher.addresses(Endpoint("group", text.removeprefix("group:")))
            for family in (4, 6):
                pairs = zip(held.starts[family], held.ends[family], strict=True)
                found.extend((low, high, family) for low, high in pairs)
            continue
        try:
            found.append(_interval(text))
        except ValueError as error:
            raise SettingsFaulty("traffic", [Fault(where=where, wrong=str(error))]) from None
    if not found:
        fault = Fault(where=where, wrong="there is nothing to draw from")
        raise SettingsFaulty("traffic", [fault])
    pool = _Pool(found)
    if distinct:
        return _Pool(found, [pool.draw(random) for _ in range(distinct)])
    return pool


def generate(mix: Mix, configuration: Configuration) -> Iterator[Packet]:
    """
    The packets of *mix*, in an order that the seed chooses.
    """
    random = Random(mix.seed)  # noqa: S311 - the same seed must give the same packets
    matcher = Matcher(configuration)
    blocked, allowed = round(mix.count * mix.block_share), round(mix.count * mix.allow_share)
    kinds = ["block"] * blocked + ["allow"] * allowed
    kinds += ["others"] * (mix.count - len(kinds))
    random.shuffle(kinds)
    texts = {"block": mix.block, "allow": mix.allow, "others": mix.others}
    pools = {
        kind: _pool(texts[kind], matcher, random, mix.distinct, kind) for kind in sorted(set(kinds))
    }
    listed = _listed(mix, matcher)
    inside = {
        4: _pool((mix.inside,), matcher, random, 0, "inside"),
        6: _pool((_INSIDE_6,), matcher, random, 0, "inside"),
    }
    for kind in kinds:
        number, family = pools[kind].draw(random)
        if kind == "others":
            for _ in range(1000):
                if not listed.holds(number, family):
                    break
                number, family = pools[kind].draw(random)
        yield _packet(mix, random, _text(number, family), _text(*inside[family].draw(random)))


def _listed(mix: Mix, matcher: Matcher) -> AddressSet:
    found: dict[int, list[tuple[int, int]]] = {4: [], 6: []}
    for text in (*mix.block, *mix.allow):
        if text.startswith("group:"):
            held = matcher.addresses(Endpoint("group", text.removeprefix("group:")))
            for family in (4, 6):
                found[family].extend(zip(held.starts[family], held.ends[family], strict=True))
        else:
            low, high, family = _interval(text)
            found[family].append((low, high))
    return AddressSet.of({family: list(pairs) for family, pairs in found.items()})


def _text(number: int, family: int) -> str:
    return str(IPv4Address(number) if family == 4 else IPv6Address(number))


def _packet(mix: Mix, random: Random, far: str, near: str) -> Packet:
    inbound = random.random() < mix.inbound_share
    protocol, port = random.choice(_SERVICES)
    sport = random.randrange(1024, 65536)
    if random.random() < mix.icmp_share:
        protocol, sport, port = "icmp", 8, 0
    return Packet(
        source=far if inbound else near,
        destination=near if inbound else far,
        protocol=protocol,
        sport=sport,
        dport=port,
        interface="outside" if inbound else "inside",
        size=random.randrange(60, 1500),
    )


def packet_of(wanted: Mapping[str, Any]) -> Packet:
    """One packet from JSON: `source`, `destination`, `protocol`, `sport`, `dport`, `interface`."""
    known = {item.name: item for item in fields(Packet)}
    for name, value in wanted.items():
        if name not in known:
            raise SettingsFaulty("traffic", [Fault(where=name, wrong="there is no such field")])
        whole = known[name].type in (int, "int")
        if not isinstance(value, int if whole else str) or isinstance(value, bool):
            raise SettingsFaulty("traffic", [Fault(where=name, wrong=f"{value!r}")])
    try:
        packet = Packet(**wanted)
        number_of(packet.source), number_of(packet.destination)
    except (TypeError, ValueError) as error:
        raise SettingsFaulty("traffic", [Fault(where="packet", wrong=str(error))]) from None
    return packet
