"""
Whom the story asks: the manager by way of `tsadmin`'s backend, the firewalls, the files.
"""

import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from attrs import define
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from tscm.demo.processes import ChildFailed
from tscm.demo.screen import Screen
from tscm.demo.stage import Firewall, Stage
from tscm.errors import TscmError
from tscm.events.answers import EventReport
from tscm.ledger.figures import Balance
from tscm.model import Json, Report
from tscm.operations.arguments import Asked, Balanced, Device, Nothing, Push
from tscm.operations.call import quiet
from tscm.operations.operation import Operation
from tscm.operations.table.events import REPORT
from tscm.operations.table.logs import LOGS
from tscm.operations.table.manager import LEDGER, STATUS
from tscm.operations.table.policies import UPDATE
from tscm.settings.layout import Layout
from tscm.spool.disk import Disk
from tscm.spool.tools_export import export_log
from tscm.state import ManagerState
from tscm.update.figures import UpdateTold
from tscm.upload.outcome import Uploaded

Args = TypeVar("Args")
Answer = TypeVar("Answer")
_WAIT_SECONDS = 60.0
_POLL_SECONDS = 0.1


class Backend(Protocol):
    """What the story asks of `tsadmin`'s way to the manager."""

    running: bool

    def call(
        self, operation: Operation[Args, Answer], args: Args, report: Report = quiet
    ) -> Answer:
        """Carry out an operation."""


class Named(Protocol):
    """A device of the demonstration."""

    name: str


OpenBackend = Callable[[Layout], Backend]


@define(eq=False)
class Asking:
    """
    Questions of the story.  What is no coroutine blocks, and is for a thread.
    """

    _reactor: Any
    _stage: Stage
    _screen: Screen
    _open_backend: OpenBackend

    def backend(self) -> Backend:
        """A way to the manager: the one that is open to `tsadmin` now."""
        return self._open_backend(self._stage.layout)

    def update(self, firewall: Named) -> UpdateTold:
        """Fetch and push."""
        return self.backend().call(UPDATE, Push(name=firewall.name), self._screen.progress)

    def logs(self, firewall: Named) -> Uploaded:
        """Rotate and upload."""
        return self.backend().call(LOGS, Device(name=firewall.name), self._screen.progress)

    def upload_fails(self) -> str:
        """What an upload says that cannot succeed; empty if it does."""
        try:
            self.logs(self._stage.firewalls[0])
        except TscmError as error:
            return str(error)
        return ""

    async def counts(self, firewall: Firewall) -> Json:
        """What a firewall counted."""
        found: Json = await deferToThread(firewall.control, "GET", "counts")
        return found

    def held(self, firewall: Firewall) -> int:
        """Entries in a firewall's running configuration."""
        text: str = firewall.control("GET", "running-config")
        return sum(1 for line in text.splitlines() if line.startswith(" network-object "))

    async def waiting(self) -> int:
        """Lines that wait for the SIEM."""
        ledger = await deferToThread(self.ledger)
        return sum(row.readers["forward"].waiting for row in ledger.devices.values())

    async def when_manager_is_up(self) -> ManagerState:
        """Its status, once it answers; raises `ChildFailed`."""
        deadline = time.monotonic() + _WAIT_SECONDS
        while time.monotonic() < deadline and self._stage.manager.alive():
            if await deferToThread(self._answers):
                return await deferToThread(lambda: self.backend().call(STATUS, Nothing()))
            await self._sleep(_POLL_SECONDS)
        raise ChildFailed("manager", self._stage.manager.tail())

    def ledger(self) -> Balance:
        """The balance of all."""
        return self.backend().call(LEDGER, Balanced())

    def _answers(self) -> bool:
        return self.backend().running

    async def poll(self, ask: Callable[[], Any], good: Callable[[int], bool]) -> int:
        """Ask until the answer is good, for a limited time; gives the last answer."""
        deadline = time.monotonic() + _WAIT_SECONDS
        while True:
            found: int = await ask()
            if good(found) or time.monotonic() > deadline:
                return found
            await self._sleep(_POLL_SECONDS)

    def _sleep(self, seconds: float) -> Deferred[None]:
        return deferLater(self._reactor, seconds)

    async def report(self, firewall: Named, **options: str) -> EventReport:
        """What the manager counted, by listed address unless told."""
        asked = {"by": "outside", "top": "10000", **options}
        found: EventReport = await deferToThread(
            self.backend().call, REPORT, Asked(name=firewall.name, options=asked)
        )
        return found

    async def counted(self) -> int:
        """Hits that the manager counted on all firewalls."""
        total = 0
        for firewall in self._stage.firewalls:
            total += (await self.report(firewall)).hits
        return total

    def stored_lines(self, firewall: Named) -> list[bytes]:
        """Every line on the device's log, out of the files themselves."""
        blocks: list[bytes] = []
        export_log(Disk(), self._stage.layout.logs, firewall.name, blocks.append)
        return b"".join(blocks).split(b"\n")[:-1]
