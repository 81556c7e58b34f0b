"""
What a firewall does with a packet and what `why` says of it: by the running configuration, read here with nothing but
the standard library, in the place of a network model (Batfish needs a service of its own).
"""

from collections import Counter
from collections.abc import Iterator
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from random import Random

from attrs import define, field

from tests.kinds.asa.ssh.command_line import Box
from tests.update.test_update_ssh import run
from tests.update.update_world import World
from tscm.simulator.service import SimulatedAsa
from tscm.update.inquiry import Opening, explain

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
LINES = (
    "access-list global_access extended permit ip object-group ThreatSTOP-Allow any log",
    "access-list global_access extended permit ip any object-group ThreatSTOP-Allow log",
    "access-list global_access extended deny ip object-group ThreatSTOP-Block any log",
    "access-list global_access extended deny ip any object-group ThreatSTOP-Block log",
    "access-list global_access extended permit ip any any",
    "access-group global_access global",
)
"""As `add` prints them, above a line for all other traffic."""
INSIDE = {4: ip_address("192.168.1.10"), 6: ip_address("2001:db8:1::10")}
PACKETS, TRACED = 1000, 100


@define(eq=False)
class Model:
    """Groups and access-list of a running configuration."""

    groups: dict[str, list[Network | str]] = field(factory=dict)
    rules: list[list[str]] = field(factory=list)
    _all: dict[str, list[Network]] = field(factory=dict)

    @classmethod
    def read(cls, text: str) -> "Model":
        made, group = cls(), list[Network | str]()
        for line in text.splitlines():
            match line.split():
                case ["object-group", "network", name]:
                    group = made.groups[name] = []
                case ["group-object", name]:
                    group.append(name)
                case ["network-object", "host", address]:
                    group.append(ip_network(address))
                case ["network-object", network]:
                    group.append(ip_network(network))
                case ["network-object", address, mask]:
                    group.append(ip_network(f"{address}/{mask}"))
                case ["access-list", "global_access", "extended", *words]:
                    made.rules.append(words)
        return made

    def networks(self, name: str) -> list[Network]:
        if name not in self._all:
            self._all[name] = [
                one
                for member in self.groups[name]
                for one in (self.networks(member) if isinstance(member, str) else [member])
            ]
        return self._all[name]

    def holds(self, words: list[str], address: Address) -> bool:
        """Does the side of a rule that *words* begin with hold *address*?  It is taken off them."""
        if words.pop(0) == "any":
            return True
        return any(address in one for one in self.networks(words.pop(0)))

    def passes(self, source: Address, destination: Address) -> str:
        """By the first rule that fits: `allowed` and `blocked` by a list, or `neither`."""
        for action, _, *words in self.rules:
            by_list = "object-group" in words
            at_source, at_destination = self.holds(words, source), self.holds(words, destination)
            if at_source and at_destination:
                return {"permit": "allowed", "deny": "blocked"}[action] if by_list else "neither"
        raise AssertionError("the last rule fits all")


def networks(random: Random, count: int) -> list[Network]:
    found = list[Network]()
    for _ in range(count):
        if random.random() < 0.2:
            length = random.choice([32, 48, 64, 128])
            bits = 0x2A << 120 | random.getrandbits(116)
            found.append(IPv6Network((bits >> 128 - length << 128 - length, length)))
        else:
            length = random.choice([14, 20, 24, 24, 29, 32, 32])
            bits = random.randrange(20 << 24, 90 << 24)
            found.append(IPv4Network((bits >> 32 - length << 32 - length, length)))
    return found


def within(random: Random, network: Network) -> Network:
    """A network of half its length's rest, somewhere in it."""
    length = (network.prefixlen + network.max_prefixlen + 1) // 2
    bits = int(network[0]) + random.randrange(network.num_addresses)
    rest = network.max_prefixlen - length
    return type(network)((bits >> rest << rest, length))


def packets(random: Random, named: list[Network]) -> Iterator[tuple[Address, Address]]:
    for _ in range(PACKETS):
        network = random.choice(named)
        first, last = int(network[0]), int(network[-1])
        outside = random.choice([first, last, first - 1, last + 1, random.randint(first, last)])
        own, other = INSIDE[network.version], type(network[0])(outside)
        yield (own, other) if random.random() < 0.5 else (other, own)


def test_why_says_of_random_packets_what_the_running_configuration_does(asa: SimulatedAsa) -> None:
    random, world, box = Random(1500), World(asa), Box(asa)
    block = networks(random, 300)
    allow = [*(within(random, one) for one in random.sample(block, 60)), *networks(random, 20)]
    world.publish(block=list(map(str, block)), allow=list(map(str, allow)))
    done = run(world, box)
    assert done.good, done
    assert not [one for one in asa.type_lines(LINES) if one]
    assert run(world, box).good, "it sees that they are used"

    model, job, opening = Model.read(asa.device.running_config()), world.job(), Opening()

    @cache
    def why(address: Address) -> str:
        return explain(job, str(address), opening).verdict

    seen: Counter[str] = Counter()
    for number, (source, destination) in enumerate(packets(random, [*block, *allow])):
        told = [why(source), why(destination)]
        by_why = (
            "allowed"
            if any(one.startswith("permitted") for one in told)
            else "blocked"
            if "blocked" in told
            else "neither"
        )
        assert by_why == model.passes(source, destination), (source, destination, told)
        seen[by_why] += 1
        if number < TRACED and source.version == 4:
            side = "inside" if source == INSIDE[4] else "outside"
            (printed,) = asa.type_lines(
                [f"packet-tracer input {side} tcp {source} 1025 {destination} 80"]
            )
            assert ("Action: drop" in printed) == (by_why == "blocked"), printed
    assert len(seen) == 3
    assert min(seen.values()) > 100, seen
