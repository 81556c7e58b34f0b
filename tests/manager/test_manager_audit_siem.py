"""
The audit at a SIEM: every entry once and in order, whatever was away when it was made.
"""

import re
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.waiting import PATIENCE_SECONDS
from tscm.demo.siem import Siem
from tscm.forward.figures import ForwardFigures
from tscm.manager import health
from tscm.manager.balances import balanced
from tscm.manager.node import parts
from tscm.manager.own_syslog import Origin, audit_message
from tscm.manager.service import NodeService
from tscm.settings.layout import Layout
from tscm.store.audit_entry import AuditEntry
from tscm.store.audits import Audits
from tscm.store.database import Store, StoreUnusable

pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL")  # by Twisted


def entry(operation: str, outcome: str = "done") -> AuditEntry:
    return AuditEntry(
        at=1_800_000_000.25,
        actor="root",
        uid=0,
        operation=operation,
        device="fw",
        arguments={"reason": 'a ] " \\ b'},
        outcome=outcome,
    )


def test_an_entry_is_a_message_of_rfc_5424_that_nobody_else_can_end_or_add_to() -> None:
    hostile = AuditEntry(
        at=1_800_000_000.25,
        actor='x" injected="1"] \n<0>1 ',
        operation="hold",
        device=None,
        outcome="failed",
        sentence="two\nlines \x1b[31m",
    )
    message = audit_message(hostile, Origin(host="my host", process=7))
    assert message.startswith(b"<108>1 2027-01-15T08:00:00.250Z my?host tscm 7 audit [audit@32473 ")
    assert b"\n" not in message
    assert b"\x1b" not in message
    data = rb'\[audit@32473( [a-z]+="(?:[^"\\\]]|\\["\\\]])*")+\] hold by '
    assert re.search(data, message)
    assert audit_message(entry("hold"), Origin(host="h", process=1)).startswith(b"<109>1 ")


def test_a_long_entry_is_bounded() -> None:
    long = AuditEntry(at=0.0, actor="é" * 9000, operation="x", device=None, outcome="done")
    message = audit_message(long, Origin(host="h" * 999, process=1))
    assert len(message) < 9500
    message.decode()


@pytest_twisted.async_yield_fixture()
async def siem() -> AsyncIterator[Siem]:
    made = Siem(reactor)
    made.come_back()
    yield made
    await made.go_away()


class Site:
    """A root whose audit goes to a SIEM."""

    def __init__(self, folder: Path, siem: Siem) -> None:
        self.layout, self.siem = Layout(folder), siem
        self.layout.settings_file.parent.mkdir(parents=True)
        self.forward(True)

    def forward(self, wanted: bool) -> None:
        to = f'audit_forward = ["tcp://127.0.0.1:{self.siem.port}"]' if wanted else ""
        self.layout.settings_file.write_text(
            f'[listen]\nudp = ["127.0.0.1:0"]\ntcp = []\n[control]\n{to}\n'
        )

    def start(self) -> NodeService:
        node = NodeService.from_files(self.layout, reactor)
        node.privilegedStartService()
        node.startService()
        return node

    def alone(self, *operations: str) -> None:
        """As a `tsadmin` without a manager."""
        store = Store(self.layout.database)
        store.open()
        for one in operations:
            Audits(store).keep(entry(one))
        store.close()

    @property
    def sent(self) -> list[str]:
        """Operations of which the SIEM has been told."""
        found = [re.search(rb'operation="(\w+)"', line) for line in self.siem.lines]
        return [one[1].decode() for one in found if one]

    def target(self, node: NodeService) -> ForwardFigures:
        (found,) = parts(node.parts).audit_targets()
        return found

    async def until(self, ready: Callable[[], bool]) -> None:
        for _ in range(int(PATIENCE_SECONDS / 0.02)):
            if ready():
                return
            await deferLater(reactor, 0.02)
        raise AssertionError(self.siem.lines)


@pytest.fixture
def site(tmp_path: Path, siem: Siem) -> Site:
    return Site(tmp_path / "root", siem)


@pytest_twisted.ensureDeferred
async def test_entries_come_once_and_in_order_over_outages_and_restarts(site: Site) -> None:
    node = site.start()
    try:
        node.audit.keep(entry("first"))
        await site.until(lambda: site.sent == ["first"])
        assert socket.gethostname().encode() in site.siem.lines[0]
        await site.siem.go_away()
        await site.until(lambda: site.target(node).failures > 0)
        node.audit.keep(entry("second", "failed"))
    finally:
        await node.stopService()
    site.alone("third", "fourth")
    site.siem.come_back()
    node = site.start()
    try:
        node.audit.keep(entry("fifth"))
        await site.until(lambda: "fifth" in site.sent)
        wanted = ["first", "second", "third", "fourth", "fifth"]
        assert list(dict.fromkeys(site.sent)) == wanted  # after a cut a window may come again
        node.store.fault = StoreUnusable("tscm.db", "disk I/O error")
        node.audit.keep(entry("sixth"))
        await site.until(lambda: "sixth" in site.sent)
        whole = await balanced(node.parts)
        assert whole.balanced
        assert (whole.devices, whole.orphans) == ({}, ())
        assert site.target(node).failures == 0
    finally:
        node.store.fault = None
        await node.stopService()


@pytest_twisted.ensureDeferred
async def test_a_target_that_is_named_later_is_sent_what_comes_then(site: Site) -> None:
    site.forward(False)
    node = site.start()
    try:
        node.audit.keep(entry("before"))
        assert not site.layout.audit_log.exists()
    finally:
        await node.stopService()
    site.forward(True)
    node = site.start()
    try:
        node.audit.keep(entry("after"))
        await site.until(lambda: bool(site.sent))
        assert site.sent == ["after"]
    finally:
        await node.stopService()


@pytest_twisted.ensureDeferred
async def test_a_target_that_is_away_is_told(site: Site) -> None:
    await site.siem.go_away()
    node = site.start()
    try:
        node.audit.keep(entry("first"))
        await site.until(lambda: site.target(node).failures > 0)
        assert any(
            "warning: the audit: TCP 127.0.0.1" in one for one in await health.noted(node.parts)
        )
    finally:
        await node.stopService()


@pytest_twisted.ensureDeferred
async def test_a_log_that_cannot_be_written_delays_entries_and_loses_none(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = site.start()
    try:
        with monkeypatch.context() as patch:
            patch.setattr(node.audit_forward._spool, "append", lambda *_: False)
            node.audit.keep(entry("first"))
            node.audit.keep(entry("second"))
        node.audit_forward.carry()
        await site.until(lambda: site.sent == ["first", "second"])
    finally:
        await node.stopService()
