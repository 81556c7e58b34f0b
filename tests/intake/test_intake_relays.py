"""
Lines of two firewalls behind real relays: whose they are, what they count, and what a SIEM is told.
"""

import re
import socket
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import pytest_twisted

from tests.intake.intake_parts import (
    ANY,
    MemorySpool,
    bounds,
    from_loopback,
    listen,
    reactor,
    target,
    until,
)
from tests.intake.relay_process import rsyslog_joins, rsyslog_relay, syslog_ng_relay
from tscm.intake.senders import SenderTable
from tscm.intake.service import IntakeService
from tscm.syslog.asa import parse
from tscm.syslog.asa_bulk import event_of, policy_rows
from tscm.syslog.render import rfc5424, with_header

RELAY = "127.0.0.1"
FIREWALLS = {"fw1": 2, "fw2": 3}
"""The last octets of their addresses."""
FLOW = "106100: access-list g denied tcp outside/203.0.113.{n}(40001) -> inside/10.0.0.1(443) hit-cnt 3 300-second interval [0x1, 0x0]"
DENY = '106023: Deny udp src outside:203.0.113.{n}/53 dst inside:10.0.0.1/33000 by access-group "g" [0x1, 0x0]'
NAMED = (
    "<166>Nov 30 2026 05:54:08 {name} : %ASA-6-" + FLOW,
    "<166>2026-11-30T05:54:08Z {name} : %ASA-6-" + FLOW,
    "<164>{name} : %ASA-4-" + DENY,
)
"""With a device-id, as the firewall writes it in its forms of stamps."""
NAMELESS = (
    "<166>%ASA-6-" + FLOW,
    "<164>%ASA-4-" + DENY,
    "<166>Nov 30 2026 05:54:08: %ASA-6-" + FLOW,
    "<164>Nov 30 2026 05:54:08 CEST: %ASA-4-" + DENY,
    "<166>2026-11-30T05:54:08Z: %ASA-6-" + FLOW,
    "<164>:Nov 30 05:54:08 UTC: %ASA-4-" + DENY,
)
"""Without: the relay alone knows whose they are."""
FORWARDED = 'network("127.0.0.1" port(PORT))'

Relay = Callable[[Path, int], AbstractContextManager[int]]


def _rsyslog(template: str) -> Relay:
    return lambda folder, port: rsyslog_relay(folder / "rsyslog", port, template)


def _syslog_ng(destination: str = FORWARDED, source: str = "", options: str = "") -> Relay:
    return lambda folder, port: syslog_ng_relay(
        folder / "syslog-ng", port, destination, source=source, options=options
    )


RSYSLOG = {
    "traditional forward": _rsyslog("RSYSLOG_TraditionalForwardFormat"),
    "forward": _rsyslog("RSYSLOG_ForwardFormat"),
    "protocol 23": _rsyslog("RSYSLOG_SyslogProtocol23Format"),
    "file": _rsyslog("RSYSLOG_FileFormat"),
    "traditional file": _rsyslog("RSYSLOG_TraditionalFileFormat"),
}
SYSLOG_NG = {
    "network": _syslog_ng(),
    "network, hosts kept": _syslog_ng(source="keep-hostname(yes)"),
    "network, hosts chained": _syslog_ng(source="keep-hostname(yes)", options="chain-hostnames(yes);"),
    "network, hosts chained and not kept": _syslog_ng(options="chain-hostnames(yes);"),
    "syslog": _syslog_ng('syslog("127.0.0.1" port(PORT) transport(tcp))'),
    "syslog, hosts kept": _syslog_ng('syslog("127.0.0.1" port(PORT) transport(tcp))', "keep-hostname(yes)"),
    "template of RFC 5424 with data": _syslog_ng(
        'network("127.0.0.1" port(PORT) template("<$PRI>1 $ISODATE $HOST $PROGRAM ${PID:--} ${MSGID:--} '
        '[meta sequenceId=\\"$SEQNUM\\"] $MSG\\n"))'
    ),
    "not parsed": _syslog_ng(source="flags(no-parse)"),
}  # fmt: skip
RAW = {
    "rsyslog": _rsyslog("RAW"),
    "syslog-ng": _syslog_ng(
        'network("127.0.0.1" port(PORT) template("$RAWMSG\\n"))', "flags(store-raw-message)"
    ),
}
RELAYS = [
    *(
        pytest.param(relay, id=f"rsyslog, {name}", marks=pytest.mark.peer("rsyslogd"))
        for name, relay in RSYSLOG.items()
    ),
    *(
        pytest.param(relay, id=f"syslog-ng, {name}", marks=pytest.mark.peer("syslog-ng"))
        for name, relay in SYSLOG_NG.items()
    ),
]


def started() -> tuple[IntakeService, MemorySpool, int]:
    senders, spool = SenderTable(), MemorySpool()
    for name, octet in FIREWALLS.items():
        senders.claim(name, [f"127.0.0.{octet}", RELAY])
    service = IntakeService(reactor, listen(tcp=(ANY,)), bounds(), spool, senders)
    service.startService()
    return service, spool, target(service.addresses()["tcp"][0])[1]


def send(port: int, name: str, forms: Sequence[str]) -> None:
    """As the firewall does, from its address; each line once, told apart by an address."""
    with from_loopback(FIREWALLS[name], socket.SOCK_STREAM) as firewall:
        firewall.connect((RELAY, port))
        for n, form in enumerate(forms):
            firewall.sendall(form.format(name=name, n=n).encode() + b"\n")


def hits(lines: Sequence[bytes]) -> dict[str, int]:
    """By the address that tells each line."""
    rows = policy_rows(b"".join(line + b"\n" for line in lines))
    return {event.source: event.hits for event in map(event_of, rows)}


def expected(forms: Sequence[str]) -> dict[str, int]:
    return {f"203.0.113.{n}": 3 if "hit-cnt" in form else 1 for n, form in enumerate(forms)}


def check_names(name: str, line: bytes) -> None:
    """The device that reports and a SIEM see: its name or its address, and nothing else."""
    own = (name, f"127.0.0.{FIREWALLS[name]}")
    event = parse(line)
    assert event is not None
    assert event.device in own, line
    for rendered in (rfc5424(line, RELAY, 0.0), with_header(line, RELAY, 0.0)):
        found = re.match(
            rb"(?:<\d+>)?(?:1 )?(?:[A-Z][a-z]{2} [ \d]\d(?: \d{4})? \S+|\d{4}-\S+|-)? ?(\S+) ",
            rendered,
        )
        assert found is not None, rendered
        assert found[1].decode() in own, rendered


@pytest.mark.parametrize("relay", RELAYS)
@pytest_twisted.ensureDeferred
async def test_lines_behind_a_relay_find_their_device_and_count(
    tmp_path: Path, relay: Relay
) -> None:
    service, spool, port = started()
    forms = NAMED + NAMELESS
    with relay(tmp_path, port) as listening:
        for name in FIREWALLS:
            send(listening, name, forms)
        await until(lambda: spool.count() >= 2 * len(forms) or _dropped(service))
    await service.stopService()
    assert _dropped(service) == 0
    for name in FIREWALLS:
        lines = spool.lines(name)
        assert hits(lines) == expected(forms)
        for line in lines:
            check_names(name, line)


@pytest.mark.peer("rsyslogd")
@pytest.mark.peer("syslog-ng")
@pytest.mark.parametrize("relay", RAW.values(), ids=RAW)
@pytest_twisted.ensureDeferred
async def test_of_raw_messages_those_are_known_that_name_their_device(
    tmp_path: Path, relay: Relay
) -> None:
    service, spool, port = started()
    with relay(tmp_path, port) as listening:
        for name in FIREWALLS:
            send(listening, name, NAMED + NAMELESS)
        sent = 2 * len(NAMED + NAMELESS)
        await until(lambda: spool.count() + _dropped(service) >= sent)
    await service.stopService()
    assert _dropped(service) == 2 * len(NAMELESS)
    for name in FIREWALLS:
        assert hits(spool.lines(name)) == expected(NAMED)
        for line in spool.lines(name):
            check_names(name, line)


@pytest.mark.peer("rsyslogd")
@pytest.mark.peer("syslog-ng")
@pytest_twisted.ensureDeferred
async def test_one_relay_behind_the_other(tmp_path: Path) -> None:
    service, spool, port = started()
    with (
        SYSLOG_NG["network, hosts kept"](tmp_path, port) as outer,
        RSYSLOG["forward"](tmp_path, outer) as listening,
    ):
        for name in FIREWALLS:
            send(listening, name, NAMED + NAMELESS)
        await until(lambda: spool.count() + _dropped(service) >= 2 * len(NAMED + NAMELESS))
    await service.stopService()
    assert _dropped(service) == 0
    for name in FIREWALLS:
        assert hits(spool.lines(name)) == expected(NAMED + NAMELESS)
        for line in spool.lines(name):
            check_names(name, line)


@pytest.mark.peer("rsyslogd")
@pytest.mark.parametrize("form", [NAMED[0], NAMELESS[1]], ids=["with a device-id", "without"])
@pytest_twisted.ensureDeferred
async def test_what_rsyslog_joins_counts_as_often_as_it_came(tmp_path: Path, form: str) -> None:
    service, spool, port = started()
    joined = rsyslog_joins(tmp_path / "rsyslog", port)
    with joined as listening:
        with from_loopback(2, socket.SOCK_STREAM) as firewall:
            firewall.connect((RELAY, listening))
            line = form.format(name="fw1", n=7).encode() + b"\n"
            firewall.sendall(line * 4 + NAMED[2].format(name="fw1", n=8).encode() + b"\n")
        await until(lambda: any(b"203.0.113.8" in one for one in spool.lines("fw1")))
    await service.stopService()
    found = spool.lines("fw1")
    assert any(b"message repeated 3 times: [" in one for one in found)
    assert sum(event_of(row).hits for row in policy_rows(b"".join(one + b"\n" for one in found))) == (
        4 * expected([form])["203.0.113.0"] + 1
    )  # fmt: skip


def _dropped(service: IntakeService) -> int:
    return sum(sum(one.dropped.values()) for one in service.figures().listeners.values())
