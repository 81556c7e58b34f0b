"""
`logging …` as it is typed: what is kept, where lines go from then on, and what is refused.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from ipaddress import ip_network
from typing import Any

import pytest
import pytest_twisted
from attrs import frozen
from twisted.internet import reactor as global_reactor
from twisted.internet.task import Clock

from tests.simulator.simulator_client import Client
from tests.simulator.test_simulator_cli import typed
from tests.simulator.test_simulator_http_interface import ask
from tests.simulator.test_simulator_source import Collector, Datagrams, until
from tests.simulator.test_simulator_traffic import BAD, POLICY
from tscm.simulator.cli import Console
from tscm.simulator.counts import Counts
from tscm.simulator.device import FACTORY_LINES, Device
from tscm.simulator.loading import load
from tscm.simulator.logging_lines import hosts
from tscm.simulator.passage import Passage
from tscm.simulator.reach import Reach
from tscm.simulator.service import AsaOptions, SimulatedAsa
from tscm.simulator.syslog_form import Form, Message

reactor: Any = global_reactor
TRACE = "packet-tracer input outside tcp 192.0.2.66 4444 10.0.0.4 443"
MESSAGE = Message("106023", 4, "x")


@pytest.fixture
def console() -> Console:
    device = Device()
    load(device, "\n".join(FACTORY_LINES), 0.0)
    return Console.of(device)


def kept(console: Console) -> list[str]:
    plain = console.device.configuration.plain
    return [line for line in plain if "logging" in line]


# -- which lines are taken, and how they are kept ------------------------------------------------


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("logging host management 192.0.2.9", "logging host management 192.0.2.9"),
        ("logging host management 192.0.2.9 udp", "logging host management 192.0.2.9"),
        ("logging host management 192.0.2.9 udp/514", "logging host management 192.0.2.9"),
        ("logging host management 192.0.2.9 17/514", "logging host management 192.0.2.9"),
        ("logging host inside 192.0.2.9 udp/5514", "logging host inside 192.0.2.9 17/5514"),
        ("logging host inside 192.0.2.9 tcp", "logging host inside 192.0.2.9 6/1470"),
        ("logging host inside 192.0.2.9 tcp/601", "logging host inside 192.0.2.9 6/601"),
        ("logging host inside 2001:DB8::9 17/5514", "logging host inside 2001:db8::9 17/5514"),
        (
            "logging host inside 192.0.2.9 format emblem",
            "logging host inside 192.0.2.9 format emblem",
        ),
        (
            "logging host inside 192.0.2.9 tcp/6514 secure",
            "logging host inside 192.0.2.9 6/6514 secure",
        ),
        ("logging trap 4", "logging trap warnings"),
        ("logging trap debugging", "logging trap debugging"),
        ("logging trap debug", "logging trap debugging"),
        ("logging trap info", "logging trap informational"),
        ("logging device-id string office", "logging device-id string office"),
        ("logging timestamp rfc5424", "logging timestamp rfc5424"),
        ("logging queue 0", "logging queue 0"),
        ("logging message 106100 level 3", "logging message 106100 level errors"),
        ("logging hide username", "logging hide username"),
    ],
)
def test_a_line_is_kept_as_the_running_configuration_shows_it(
    console: Console, line: str, shown: str
) -> None:
    assert typed(console, line) == [""]
    assert shown in kept(console)
    assert typed(console, line) == [""]  # twice is once
    assert kept(console).count(shown) == 1


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("logging", "% Incomplete command"),
        ("logging host", "% Incomplete command"),
        ("logging host management", "% Incomplete command"),
        ("logging host 192.0.2.9", "% Invalid input"),  # as IOS has it
        ("logging 192.0.2.9", "% Invalid input"),  # likewise
        ("logging host nowhere 192.0.2.9", "% Invalid input"),
        ("logging host management siem.example", "% Invalid input"),
        ("logging host management 0.0.0.0", "% Invalid input"),
        ("logging host management 224.0.0.1", "% Invalid input"),
        ("logging host management fe80::1%lo", "% Invalid input"),
        ("logging host management 192.0.2.9 tcp/0", "% Invalid input"),
        ("logging host management 192.0.2.9 tcp/65536", "% Invalid input"),
        ("logging host management 192.0.2.9 tcp/\u00b2", "% Invalid input"),
        ("logging host management 192.0.2.9 udp/" + "9" * 900, "% Invalid input"),
        ("logging host management 192.0.2.9 transport udp", "% Invalid input"),  # IOS
        ("logging host management 192.0.2.9 tcp/1 format emblem", "% Invalid input"),
        ("logging host management 192.0.2.9 secure", "% Invalid input"),
        ("logging trap", "% Incomplete command"),
        ("logging trap nonsense", "% Invalid input"),
        ("logging trap e", "% Invalid input"),
        ("logging trap 8", "% Invalid input"),
        ("logging facility 7", "% Invalid input"),
        ("logging queue many", "% Invalid input"),
        ("logging source-interface Vlan1", "% Invalid input"),  # IOS
        ("logging timestamp datetime", "% Invalid input"),
        ("logging device-id", "% Incomplete command"),
        ("logging device-id dns", "% Invalid input"),
        ("logging message", "% Incomplete command"),
        ("logging message all", "% Invalid input"),
        ("logging message 106100 level nonsense", "% Invalid input"),
        ("no logging", "% Incomplete command"),
        ("no logging nonsense", "% Invalid input"),
    ],
)
def test_a_wrong_line_is_refused_and_changes_nothing(
    console: Console, line: str, words: str
) -> None:
    before = console.device.running_config()
    assert words in console.run(line, 0), line
    assert console.device.running_config() == before


def test_no_takes_away_one_port_or_every_line_of_the_address(console: Console) -> None:
    host = "logging host management 192.0.2.9"
    typed(console, host, f"{host} udp/5514", f"{host} tcp/1470", f"{host}9")
    typed(console, f"no {host} udp/5514")
    assert [str(one) for one in hosts(kept(console))] == [host, f"{host} 6/1470", f"{host}9"]
    typed(console, f"no {host}")
    assert [str(one) for one in hosts(kept(console))] == [f"{host}9"]
    assert typed(console, f"no {host}") == [""]  # what is not there is gone


def test_there_are_sixteen_collectors_at_most(console: Console) -> None:
    lines = [f"logging host management 192.0.2.{number}" for number in range(1, 18)]
    printed = typed(console, *lines)
    assert printed[:16] == [""] * 16
    assert printed[16].startswith("ERROR: no more than 16")
    assert typed(console, lines[3]) == [""]


def line_of(console: Console, number: str = "106023", level: int = 4) -> bytes | None:
    held = console.device.configuration
    return Form.of(held.plain, "fw").line(Message(number, level, "x"), 1730799410.0)


def test_each_command_and_its_no_is_obeyed(console: Console) -> None:
    stamped = b"<164>Nov 05 2024 09:36:50: %ASA-4-106023: x"
    bare = b"<164>%ASA-4-106023: x"
    expected: list[tuple[str, bytes | None]] = [
        ("logging enable", stamped),
        ("no logging timestamp", bare),
        ("logging device-id hostname", b"<164>fw : %ASA-4-106023: x"),
        ("no logging device-id", bare),
        ("logging trap errors", None),
        ("logging trap warnings", bare),
        ("no logging trap", None),
        ("logging trap informational", bare),
        ("no logging message 106023", None),
        ("logging message 106023", bare),
        ("logging message 106023 level alerts", b"<161>%ASA-1-106023: x"),
        ("logging facility 16", b"<129>%ASA-1-106023: x"),
        ("no logging enable", None),
    ]
    for line, wanted in expected:
        assert typed(console, line) == [""]
        assert line_of(console) == wanted, line


def test_a_message_list_decides_what_goes_out(console: Console) -> None:
    assert "% Invalid input" in console.run("logging trap mine", 0)
    typed(
        console,
        "logging list mine level errors",
        "logging list mine message 302013-302016",
        "logging trap mine",
    )
    assert line_of(console, "302015", 6)
    assert line_of(console, "201008", 3)
    assert line_of(console, "106023", 4) is None


# -- where lines go ------------------------------------------------------------------------------


@frozen
class World:
    """A firewall that logs nowhere yet, and somebody who listens."""

    asa: SimulatedAsa
    heard: Datagrams
    number: int


@pytest_twisted.async_yield_fixture()
async def world() -> AsyncIterator[World]:
    heard = Datagrams()
    port = reactor.listenUDP(0, heard, "127.0.0.1", 65535)
    asa = SimulatedAsa(reactor, AsaOptions(password="secret", config_lines=POLICY))
    asa.set_switches({"reconnect_seconds": 0.05})
    asa.startService()
    yield World(asa, heard, port.getHost().port)
    await asa.stopService()
    await port.stopListening()


async def by_rest(client: Client, line: str) -> None:
    assert await client.type(line) == []


async def by_http(client: Client, line: str) -> None:
    done = await ask(client, "POST", "/admin/config", line)
    assert done.text.endswith("Config OK\n")


async def by_control(client: Client, line: str) -> None:
    assert client.asa.type_lines([line]) == [""]


@pytest.mark.parametrize("way", [by_rest, by_http, by_control])
@pytest_twisted.ensureDeferred
async def test_a_collector_that_is_typed_gets_lines_from_then_on(
    world: World, way: Callable[[Client, str], Awaitable[None]]
) -> None:
    client = Client(world.asa)
    host = f"logging host management 127.0.0.1 udp/{world.number}"
    world.asa.passage.say([MESSAGE])  # to nobody
    await way(client, host)
    world.asa.passage.say([MESSAGE])
    await until(lambda: len(world.heard.heard) == 1)
    await way(client, f"no {host}")
    world.asa.passage.say([MESSAGE])
    await way(client, host)
    world.asa.passage.say([Message("106023", 4, "the last one")])
    await until(lambda: len(world.heard.heard) == 2)
    assert world.heard.heard[1][1].endswith(b"the last one")


@pytest_twisted.ensureDeferred
async def test_a_traced_packet_and_a_ping_are_told_and_count(world: World) -> None:
    world.asa.type_lines([f"logging host management 127.0.0.1 udp/{world.number}"])
    (printed,) = world.asa.type_lines([TRACE])
    assert "Action: drop" in printed
    await until(lambda: len(world.heard.heard) == 1)
    assert (
        b"-106100: access-list acl denied tcp outside/192.0.2.66(4444)" in (world.heard.heard[0][1])
    )
    assert sum(world.asa.device.hits.values()) == 1
    (answered, lost) = world.asa.type_lines(["ping 10.0.0.77", "ping outside 203.0.113.9"])
    assert "Success rate is 100 percent (5/5)" in answered
    assert "Success rate is 0 percent (0/5)" in lost
    await until(lambda: len(world.heard.heard) == 3)
    ids = [line.partition(b"%ASA-6-")[2][:6] for _, line in world.heard.heard[1:]]
    assert ids == [b"302020", b"302021"]
    for line in ("packet-tracer input nowhere tcp 192.0.2.66 1 10.0.0.4 443", "ping siem.example"):
        assert "% Invalid input" in world.asa.type_lines([line])[0]
    assert not world.asa.device.traced
    world.asa.set_switches({"trace_logs": False})
    world.asa.type_lines([TRACE])
    assert sum(world.asa.device.hits.values()) == 1


@pytest_twisted.ensureDeferred
async def test_a_collector_over_tcp_comes_and_goes_with_its_line(world: World) -> None:
    collector = Collector()
    port = reactor.listenTCP(0, collector, interface="127.0.0.1")
    host = f"logging host management 127.0.0.1 tcp/{port.getHost().port}"
    world.asa.type_lines([host])
    assert not world.asa.passage.admits  # not before the connection stands
    world.asa.passage.say([MESSAGE])
    await until(lambda: b"".join(collector.segments).endswith(b": x\n"))
    assert world.asa.passage.admits
    lost: list[bool] = []
    collector.connections[0].connectionLost = lambda _reason: lost.append(True)
    world.asa.type_lines([f"no {host}"])
    await until(lambda: lost)
    assert world.asa.passage.admits
    assert world.asa.passage.source.outlets == []
    await port.stopListening()


@pytest_twisted.ensureDeferred
async def test_a_reload_goes_back_to_the_collectors_that_were_saved(world: World) -> None:
    world.asa.type_lines([f"logging host management 127.0.0.1 udp/{world.number}"])
    world.asa.reload()
    world.asa.passage.say([MESSAGE])
    assert world.asa.passage.source.outlets == []
    world.asa.type_lines([f"logging host management 127.0.0.1 udp/{world.number}", "write memory"])
    world.asa.reload()
    world.asa.passage.say([MESSAGE])
    await until(lambda: any(line.endswith(b": x") for _, line in world.heard.heard))


@pytest_twisted.ensureDeferred
async def test_nothing_is_sent_to_another_machine_unless_its_network_was_named(
    world: World,
) -> None:
    lines = [
        "logging host management 192.0.2.9",
        "logging host management 192.0.2.10 tcp/1470",
        "logging host management 127.0.0.1 tcp/6514 secure",
    ]
    assert world.asa.type_lines(lines) == [""] * 3
    assert world.asa.passage.source.outlets == []
    assert len(world.asa.state()["not_followed"]) == 3
    assert world.asa.passage.admits
    assert not Reach().admits("192.0.2.9")
    assert not Reach().admits("2001:db8::9")
    assert Reach(networks=(ip_network("192.0.2.0/24"),)).admits("192.0.2.9")
    assert Reach(named=frozenset(["192.0.2.9"])).admits("192.0.2.9")
    assert Reach().admits("127.8.8.8")
    assert Reach().admits("::1")


@pytest_twisted.ensureDeferred
async def test_a_message_that_no_datagram_can_carry_does_not_stop_the_others(world: World) -> None:
    world.asa.type_lines([f"logging host management 127.0.0.1 udp/{world.number}"])
    world.asa.passage.say([Message("106023", 4, "y" * 70_000), MESSAGE])
    await until(lambda: len(world.heard.heard) == 1)
    assert world.heard.heard[0][1].endswith(b": x")
    assert world.asa.passage.source.outlets[0].dropped == 1


def test_format_emblem_is_for_the_host_that_wants_it() -> None:
    device = Device()
    load(
        device,
        "\n".join(
            (
                *FACTORY_LINES,
                "logging host management 127.0.0.1 udp/5514",
                "logging host management 127.0.0.2 udp/5514 format emblem",
            )
        ),
        0.0,
    )
    passage = Passage(Clock(), device, Counts())
    passage.say([MESSAGE])
    plain, emblem = passage.source.outlets
    assert plain.waiting == emblem.waiting == 1
    lines = [outlet._waiting[0][1] for outlet in (plain, emblem)]
    assert lines[0].startswith(b"<164>Jan 01 1970")
    assert lines[1].startswith(b"<164>:Jan 01 00:00:00 UTC: ")


def test_a_packet_is_told_as_any_other() -> None:
    assert BAD.source == TRACE.split()[4]
