"""
Whatever is typed: no line is a surprise, and what was taken survives a reload as it stood.
"""

from collections.abc import Iterator
from random import Random

import pytest
from twisted.internet.task import Clock

from tscm.simulator import commands
from tscm.simulator.cli import Console
from tscm.simulator.counts import Counts
from tscm.simulator.device import FACTORY_LINES, Device
from tscm.simulator.grammar import Node
from tscm.simulator.http_values import Request
from tscm.simulator.loading import load
from tscm.simulator.passage import Passage
from tscm.simulator.rest_reads import reader_of
from tscm.simulator.syslog_form import Message

ROOTS = (commands.CONFIG, commands.EXEC, *commands.SUBMODES.values())
ARGUMENTS = [
    "192.0.2.1", "10.0.0.0", "255.255.255.0", "0", "1", "65536", "\u00b2", "\u0663", "-1", "9" * 60,
    "2001:db8::1", "2001:db8::/32", "::", "x", "G", "inside", "outside", "GigabitEthernet0/1", "gi0/1",
    "Port-channel1", "|", "include", ".*", "(", "\u00e9", "\x00", "\ud800", "\n", "!", "/noconfirm",
    "flash:/x", "management", "tcp/1470", "udp/514", "informational", "106100", "4:03", "to", "Monday",
    "23:59", "any", "ip", "host", "eq", "input", "80", "0200.5e00.0001", "%s", "{0}", "<b>",
]  # fmt: skip
READ = (
    "monitoring/arp", "interfaces/physical", "interfaces/vlan", "interfaces/portchannel", "access",
    "access/in", "access/global/rules", "aaa/authorization", "objects/timeranges",
    "objects/securityobjectgroups", "backup",
)  # fmt: skip


def lines(random: Random, count: int) -> Iterator[str]:
    """Mostly what the tables know, shortened or not, with arguments that fit or do not."""
    for _ in range(count):
        words = ["no"] if random.random() < 0.2 else []
        node: Node | None = random.choice(ROOTS)
        for _ in range(random.choice([1, 2, 2, 3, 3, 4, 5, 6])):
            if node is not None and node.words and random.random() < 0.7:
                word = random.choice(list(node.words))
                node = node.words[word]
                words.append(
                    word[: random.randint(1, len(word))] if random.random() < 0.3 else word
                )
            else:
                node = None if node is None else node.number or node.name
                words.append(random.choice(ARGUMENTS))
        yield " ".join(words)


@pytest.mark.parametrize("seed", range(20))
def test_no_line_is_a_surprise_and_a_reload_reads_back_what_was_taken(seed: int) -> None:
    device = Device()
    load(device, "\n".join(FACTORY_LINES), 0.0)
    console, passage = Console.of(device), Passage(Clock(), device, Counts())
    for line in lines(Random(seed), 100):
        console.run(line, 5.0)
        passage.say_outbox()
        passage.say([Message("106023", 4, "x")])
        assert isinstance(console.submode, str)
    for path in READ:
        segments = path.split("/")
        found = reader_of(segments)
        assert found is not None
        reader, rest = found
        reader(device, Request(method="GET", segments=("api", *segments)), rest, 5.0)
    text = device.running_config()
    again = Device(serial=device.serial)
    load(again, text, 0.0)
    assert again.load_errors == []
    assert again.running_config() == text
