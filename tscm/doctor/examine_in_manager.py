"""
The doctor in the manager: looks in threads and in the device's turn, watches the log for the event.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from attrs import evolve, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from tscm.base.clock import wall_seconds
from tscm.base.threads import Threads
from tscm.doctor.examine_device import (
    DeviceLook,
    DeviceSnapshot,
    judge_device,
    look_around,
    look_inside,
    read_snapshot,
    rest,
    unreadable,
)
from tscm.doctor.finding import Findings
from tscm.doctor.firewall import FirewallLook
from tscm.doctor.lines import is_logged
from tscm.errors import NoSuchDevice, TscmError
from tscm.model import LogReader, Progress, Report
from tscm.settings.device import DeviceSettings
from tscm.settings.layout import Layout
from tscm.settings.node import NodeSettings
from tscm.state import DeviceState

if TYPE_CHECKING:
    from tscm.update.job import UpdateJob

WATCH_SECONDS = 3.0
_LOOK_SECONDS = 0.25
_BLOCK_BYTES = 1 << 20


@frozen(kw_only=True)
class Visit:
    """
    What the manager hands the doctor for one device.

    *settings*, *state* and *log* are None where its file was never good since the start.
    """

    layout: Layout
    node: NodeSettings
    settings: DeviceSettings | None
    state: DeviceState | None
    listeners: Mapping[str, Sequence[str]]
    strangers: tuple[str, ...]
    clock: IReactorTime
    threads: Threads
    ask_device: Callable[..., Deferred[FirewallLook]]
    """`UpdateService.ask_device`."""
    log: LogReader | None

    async def pay(self, name: str, report: Report) -> Findings:
        """All findings about the device.  Raises `NoSuchDevice`."""
        from tscm.retrieve.sources import Fetcher

        try:
            snapshot = await self.threads.run(self._snapshot, name)
        except NoSuchDevice:
            raise
        except TscmError as error:
            return Findings(findings=tuple(unreadable(name, error)))
        fetch = Fetcher(self.layout)
        look = await self.threads.run(look_around, self.layout, snapshot, fetch, report)
        before = 0 if self.log is None else self.log.end
        if snapshot.resting is None and self.settings is not None:
            look.firewall = await self.ask_device(
                name,
                lambda job: _ask(snapshot, job, report),
                refused=lambda seen: seen.refused,
            )
        elif snapshot.resting is not None:
            look.firewall = await self.threads.run(rest, snapshot, snapshot.resting)
        if look.firewall.awaited is not None and not look.hits:
            report(Progress(phase="check", text="waiting for the line about the test address"))
            look.event_seen = await self._told(look, before)
        return Findings(findings=tuple(judge_device(snapshot, look, wall_seconds(self.clock))))

    def _snapshot(self, name: str) -> DeviceSnapshot:
        """As stored, or as in force where the file has a fault by now."""
        try:
            snapshot = read_snapshot(self.layout, name)
        except TscmError:
            if self.settings is None:
                raise
            snapshot = DeviceSnapshot(settings=self.settings, node=self.node)
        return evolve(
            snapshot,
            node=self.node,
            state=self.state,
            listeners=self.listeners,
            strangers=self.strangers,
        )

    async def _told(self, look: DeviceLook, offset: int) -> bool:
        """Does a line about the test address come within some seconds?"""
        awaited, log = look.firewall.awaited, self.log
        if awaited is None or log is None:
            return False
        until = self.clock.seconds() + WATCH_SECONDS
        while self.clock.seconds() < until:
            block = log.read(offset, _BLOCK_BYTES)
            if block is None:
                await deferLater(self.clock, _LOOK_SECONDS)
                continue
            offset = block.end
            if await self.threads.run(is_logged, block.data, awaited):
                return True
        return False


def _ask(snapshot: DeviceSnapshot, job: "UpdateJob", report: Report) -> FirewallLook:
    learnt = job.memory.get("driver", {})
    return look_inside(
        snapshot,
        lambda: job.opener(snapshot.settings, job.node, learnt, accept_certificate=None),
        report,
    )
