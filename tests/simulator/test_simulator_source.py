"""
Lines on real sockets, and the control port that asks for them.
"""

import json
import re
import time
from typing import Any

import pytest
import pytest_twisted
import requests
from attrs import define, field
from twisted.internet import reactor as global_reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import DatagramProtocol, Factory, Protocol
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from tests.ports import held_port
from tests.simulator.test_simulator_traffic import BAD, GOOD, POLICY
from tests.waiting import PATIENCE_SECONDS
from tscm.simulator.matching import Packet
from tscm.simulator.refusal import SimulatorUnavailable
from tscm.simulator.service import AsaOptions, SimulatedAsa
from tscm.simulator.source import Target

reactor: Any = global_reactor


class Datagrams(DatagramProtocol):
    def __init__(self) -> None:
        self.heard: list[tuple[str, bytes]] = []

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        self.heard.append((addr[0], datagram))


class Stream(Protocol):
    def connectionMade(self) -> None:
        self.factory.connections.append(self)

    def dataReceived(self, data: bytes) -> None:
        self.factory.segments.append(data)


class Collector(Factory):
    protocol = Stream
    noisy = False

    def __init__(self) -> None:
        self.connections: list[Any] = []
        self.segments: list[bytes] = []


@define(eq=False)
class Control:
    url: str
    timeout: float = field(default=20.0)

    def call(self, method: str, path: str, body: Any = None) -> Deferred[Any]:
        def send() -> Any:
            with requests.Session() as session:
                session.trust_env = False
                answer = session.request(
                    method, f"{self.url}{path}", json=body, timeout=self.timeout
                )
                text = answer.headers.get("Content-Type", "").startswith("text/plain")
                return answer.status_code, answer.text if text else answer.json()

        return deferToThread(send)


def firewall(*targets: str, source: str = "", lines: tuple[str, ...] = POLICY) -> SimulatedAsa:
    made = SimulatedAsa(
        reactor,
        AsaOptions(
            control=("127.0.0.1", 0),
            syslog=tuple(Target.of(target) for target in targets),
            source_address=source,
            config_lines=lines,
        ),
    )
    made.set_switches({"reconnect_seconds": 0.05, "lines_per_second": 5000})
    return made


async def until(done: Any) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not done():
        assert time.monotonic() < deadline, "it did not come to pass in time"
        await deferLater(reactor, 0.01)


@pytest_twisted.ensureDeferred
async def test_each_line_is_one_datagram_from_the_source_address_and_counted() -> None:
    heard = Datagrams()
    port = reactor.listenUDP(0, heard, "127.0.0.1", 65535)
    asa = firewall(f"udp://127.0.0.1:{port.getHost().port}", source="127.0.0.2")
    asa.startService()
    packets = [Packet(source="192.0.2.66", destination="10.0.0.4", sport=n) for n in range(150)]
    outcome = asa.passage.send([*packets, GOOD])
    await asa.passage.source.when_idle()
    await until(lambda: len(heard.heard) >= 152)
    assert {address for address, _ in heard.heard} == {"127.0.0.2"}
    assert asa.counts.lines_sent == len(heard.heard) == len(outcome.messages) == 152
    assert asa.counts.lines_by_id == {"106100": 150, "302013": 1, "302014": 1}
    assert all(b"\n" not in line and line.startswith(b"<166>") for _, line in heard.heard)
    await asa.stopService()
    await port.stopListening()


@pytest.mark.parametrize("standby", [False, True])
@pytest_twisted.ensureDeferred
async def test_with_logging_standby_each_line_comes_twice_from_two_addresses(
    standby: bool,
) -> None:
    heard = Datagrams()
    port = reactor.listenUDP(0, heard, "127.0.0.1", 65535)
    asa = SimulatedAsa(
        reactor,
        AsaOptions(
            syslog=(Target("udp", "127.0.0.1", port.getHost().port),),
            source_address="127.0.0.2",
            standby_source_address="127.0.0.4",
            config_lines=(*POLICY, "logging standby") if standby else POLICY,
        ),
    )
    asa.startService()
    asa.passage.send([GOOD, BAD])
    await asa.passage.when_idle()
    await until(lambda: len(heard.heard) == (6 if standby else 3))
    assert {address for address, _ in heard.heard} == (
        {"127.0.0.2", "127.0.0.4"} if standby else {"127.0.0.2"}
    )
    assert len({line for _, line in heard.heard}) == 3
    assert asa.counts.lines_sent == len(heard.heard)
    await asa.stopService()
    await port.stopListening()


@pytest.mark.parametrize("split", [True, False])
@pytest_twisted.ensureDeferred
async def test_tcp_lines_end_in_lf_with_a_stray_blank_now_and_then(split: bool) -> None:
    collector = Collector()
    port = reactor.listenTCP(0, collector, interface="127.0.0.1")
    asa = firewall(f"tcp://127.0.0.1:{port.getHost().port}", source="127.0.0.3")
    asa.set_switches({"stray_space_share": 0.2, "split_segments": split})
    asa.startService()
    await until(lambda: asa.passage.admits)
    assert collector.connections[0].transport.getPeer().host == "127.0.0.3"
    packets = [Packet(source="192.0.2.66", destination="10.0.0.4", sport=n) for n in range(3000)]
    asa.passage.send(packets)
    await asa.passage.source.when_idle()
    await until(lambda: b"".join(collector.segments).count(b"\n") == 3000)
    stream = b"".join(collector.segments)
    lines = stream.split(b"\n")
    assert lines.pop() == b""
    stray = sum(line.startswith(b" <") for line in lines)
    assert 400 < stray < 800
    assert all(re.match(rb" ?<166>[A-Z].*%ASA-6-106100: ", line) for line in lines)
    assert len({line.strip() for line in lines}) == 3000
    broken = sum(not segment.endswith(b"\n") for segment in collector.segments)
    assert (broken > 0) == split
    assert asa.counts.lines_sent == 3000
    await asa.stopService()
    await port.stopListening()


@pytest.mark.parametrize("permit", [False, True])
@pytest_twisted.ensureDeferred
async def test_without_permit_hostdown_a_lost_collector_stops_new_connections(
    permit: bool,
) -> None:
    collector, udp = Collector(), Datagrams()
    number = held_port()
    port = reactor.listenTCP(number, collector, interface="127.0.0.1")
    witness = reactor.listenUDP(0, udp, "127.0.0.1", 65535)
    lines = (*POLICY, "logging permit-hostdown") if permit else POLICY
    asa = firewall(
        f"tcp://127.0.0.1:{number}", f"udp://127.0.0.1:{witness.getHost().port}", lines=lines
    )
    asa.startService()
    await until(lambda: asa.passage.admits and collector.connections)
    assert asa.passage.send([GOOD], close=False).permitted == 1

    await port.stopListening()
    collector.connections[0].transport.abortConnection()
    await until(lambda: asa.passage.source.tcp_is_down)
    other = Packet(source="203.0.113.6", destination="10.0.0.4", sport=1)
    outcome = asa.passage.send([other, GOOD, BAD], close=False)
    assert outcome.refused == (0 if permit else 1)
    assert outcome.permitted == (2 if permit else 1)  # what was built before lives on
    word = "permitted" if permit else "denied"
    await until(lambda: any(b"%ASA-6-106100" in line for _, line in udp.heard))
    said = b"\n".join(line for _, line in udp.heard)
    assert f"New connections are {word} based on logging permit-hostdown".encode() in said
    assert b"%ASA-3-414003: TCP Syslog Server management:127.0.0.1/" in said
    assert (b"%ASA-3-201008: Disallowing new connections." in said) != permit

    again = reactor.listenTCP(number, collector, interface="127.0.0.1")
    await until(lambda: len(collector.connections) == 2)
    await until(lambda: b"%ASA-6-414004" in b"".join(collector.segments))
    third = Packet(source="203.0.113.7", destination="10.0.0.4", sport=1)
    assert asa.passage.send([third]).refused == 0
    assert asa.counts.connections_refused == (0 if permit else 1)
    await asa.stopService()
    await again.stopListening()
    await witness.stopListening()


@pytest_twisted.ensureDeferred
async def test_while_the_collector_is_away_a_logging_queue_of_lines_waits() -> None:
    number = held_port()
    asa = firewall(f"tcp://127.0.0.1:{number}", lines=(*POLICY, "logging queue 50"))
    asa.startService()
    packets = [Packet(source="192.0.2.66", destination="10.0.0.4", sport=n) for n in range(200)]
    asa.passage.send(packets)
    await asa.passage.source.when_idle()
    (outlet,) = asa.passage.source.outlets
    assert (outlet.waiting, outlet.dropped, outlet.sent) == (50, 150, 0)
    collector = Collector()
    port = reactor.listenTCP(number, collector, interface="127.0.0.1")
    await until(lambda: b"".join(collector.segments).count(b"\n") == 50)
    assert outlet.sent == 50
    await asa.stopService()
    await port.stopListening()


@pytest_twisted.ensureDeferred
async def test_a_collector_that_was_taken_out_of_the_configuration_gets_nothing() -> None:
    heard = Datagrams()
    port = reactor.listenUDP(0, heard, "127.0.0.1", 65535)
    number = port.getHost().port
    asa = firewall(f"udp://127.0.0.1:{number}", "tcp://127.0.0.5:9")
    asa.startService()
    assert not asa.passage.admits
    assert asa.type_lines(["no logging host management 127.0.0.5"]) == [""]
    assert asa.passage.admits
    asa.passage.send([BAD])
    await until(lambda: len(heard.heard) == 1)
    asa.type_lines([f"no logging host management 127.0.0.1 17/{number}"])
    asa.passage.send([GOOD])
    await asa.passage.when_idle()
    asa.type_lines([f"logging host management 127.0.0.1 udp/{number}"])
    asa.passage.traffic.forget()
    asa.passage.send([BAD])
    await until(lambda: len(heard.heard) == 2)
    assert all(b"106100" in line for _, line in heard.heard)
    await asa.stopService()
    await port.stopListening()


@pytest_twisted.ensureDeferred
async def test_sending_keeps_to_its_pace() -> None:
    heard = Datagrams()
    port = reactor.listenUDP(0, heard, "127.0.0.1", 65535)
    asa = firewall(f"udp://127.0.0.1:{port.getHost().port}")
    asa.set_switches({"lines_per_second": 1000})
    asa.startService()
    begun = reactor.seconds()
    asa.passage.send(
        [Packet(source="192.0.2.66", destination="10.0.0.4", sport=n) for n in range(300)]
    )
    await asa.passage.source.when_idle()
    assert reactor.seconds() - begun >= 0.25
    await asa.stopService()
    await port.stopListening()


@pytest_twisted.ensureDeferred
async def test_the_control_port_passes_traffic_and_tells_what_came_of_it() -> None:
    heard = Datagrams()
    port = reactor.listenUDP(0, heard, "127.0.0.1", 65535)
    asa = firewall(f"udp://127.0.0.1:{port.getHost().port}")
    asa.startService()
    assert asa.control_url is not None
    control = Control(asa.control_url)
    wanted = {"count": 500, "block_share": 0.2, "block": ["group:Block"], "seed": 5}
    status, told = await control.call("POST", "/traffic", {"generate": wanted, "top": 1})
    assert status == 200
    assert told["hits"] == {"Block": 100}
    assert len(told["addresses"]["Block"]) == 1
    assert (told["packets"], told["policy_lines"]) == (500, 100)
    assert told["lines"] == told["lines_sent"] == 100 + 2 * 400
    await until(lambda: len(heard.heard) == 900)
    status, counts = await control.call("GET", "/counts")
    assert counts["lines_sent"] == 900
    assert counts["packets"] == 500
    one = {"source": "192.0.2.66", "destination": "10.0.0.1", "sport": 1, "dport": 2}
    status, told = await control.call("POST", "/traffic", [one, one])
    assert told["denied"] == 2
    assert told["lines"] == 1
    status, told = await control.call("POST", "/intervals")
    assert (status, told["lines"]) == (200, 1)
    status, told = await control.call(
        "POST", "/messages", [{"id": "111008", "level": 5, "text": "User 'x' executed 'y'"}]
    )
    assert told == {"lines": 1}
    await until(lambda: heard.heard[-1][1].endswith(b"%ASA-5-111008: User 'x' executed 'y'"))
    await control.call("DELETE", "/counts")
    assert (await control.call("GET", "/counts"))[1]["lines_sent"] == 0
    await asa.stopService()
    await port.stopListening()


@pytest_twisted.ensureDeferred
async def test_traffic_waits_for_a_collector_that_was_never_reached() -> None:
    number = held_port()
    asa = firewall(f"tcp://127.0.0.1:{number}")
    asa.startService()
    assert asa.control_url is not None
    answer = Control(asa.control_url).call(
        "POST", "/traffic", [{"source": "203.0.113.5", "destination": "10.0.0.4", "dport": 80}]
    )
    await deferLater(reactor, 0.1)
    collector = Collector()
    port = reactor.listenTCP(number, collector, interface="127.0.0.1")
    _, told = await answer
    assert (told["refused"], told["permitted"], told["lines_sent"]) == (0, 1, 2)
    asa.reload()
    await until(lambda: len(collector.connections) == 2)
    await asa.stopService()
    await port.stopListening()


@pytest_twisted.ensureDeferred
async def test_a_page_in_a_browser_cannot_use_the_control_port() -> None:
    asa = firewall()
    asa.startService()
    url = f"{asa.control_url}/reload"

    def send() -> int:
        return requests.post(url, headers={"Origin": "https://example.com"}, timeout=60).status_code

    assert await deferToThread(send) == 403
    await asa.stopService()


@pytest_twisted.ensureDeferred
async def test_the_control_port_types_lines_reads_text_and_sets_switches() -> None:
    asa = firewall()
    asa.startService()
    assert asa.control_url is not None
    control = Control(asa.control_url)
    status, told = await control.call(
        "POST", "/lines", {"lines": ["object-group network N", " network-object host 192.0.2.5"]}
    )
    assert told == {"printed": ["", ""]}
    status, text = await control.call("GET", "/running-config")
    assert text == asa.device.running_config()
    assert "object-group network N\n network-object host 192.0.2.5\n" in text
    assert "object-group network N" not in (await control.call("GET", "/startup-config"))[1]
    status, told = await control.call("PUT", "/switches", {"duplicate_status": 409})
    assert (status, told["duplicate_status"]) == (200, 409)
    status, told = await control.call("PUT", "/switches", {"duplicate_status": 400, "x": 1})
    assert status == 400
    assert "there is no such switch" in told["error"]
    assert asa.switches.duplicate_status == 409
    assert (await control.call("POST", "/reload"))[0] == 200
    assert "N" not in asa.configuration.groups
    state = (await control.call("GET", "/state"))[1]
    assert state["hostname"] == "ciscoasa"
    await asa.stopService()


WRONG_CALLS: list[tuple[str, str, Any, int]] = [
    ("GET", "/nothing", None, 404),
    ("POST", "/traffic", {"packets": "x"}, 400),
    ("POST", "/traffic", {"generate": {"count": -1}}, 400),
    ("POST", "/traffic", [{"source": "x", "destination": "y"}], 400),
    ("POST", "/traffic", {"packets": [], "wait": "long"}, 400),
    ("POST", "/messages", [{"id": "1"}], 400),
    ("POST", "/lines", {"lines": "x"}, 400),
    ("PUT", "/switches", [], 400),
]


@pytest_twisted.ensureDeferred
async def test_the_control_port_says_what_is_wrong() -> None:
    asa = firewall()
    asa.startService()
    assert asa.control_url is not None
    for method, path, body, status in WRONG_CALLS:
        answered, told = await Control(asa.control_url).call(method, path, body)
        assert answered == status, (path, body)
        assert told["error"]
    await asa.stopService()


@pytest.mark.parametrize("text", ["tls://127.0.0.1:1", "udp://:1", "udp://127.0.0.1", "udp://h:0"])
def test_a_collector_that_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(SimulatorUnavailable, match="collector"):
        Target.of(text)


@pytest_twisted.ensureDeferred
async def test_a_source_address_that_is_not_ours_is_one_sentence() -> None:
    asa = firewall("udp://127.0.0.1:9", source="192.0.2.200")
    with pytest.raises(SimulatorUnavailable, match="cannot send syslog from 192"):
        asa.startService()
    await asa.stopService()


@pytest_twisted.ensureDeferred
async def test_the_control_port_is_for_loopback_alone() -> None:
    asa = SimulatedAsa(reactor, AsaOptions(control=("0.0.0.0", 0)))
    with pytest.raises(SimulatorUnavailable, match="loopback"):
        asa.startService()
    await asa.stopService()


@pytest_twisted.ensureDeferred
async def test_the_notice_is_json() -> None:
    asa = firewall()
    asa.startService()
    assert json.loads(json.dumps(asa.ready()))["api_url"] == asa.api_url
    await asa.stopService()
