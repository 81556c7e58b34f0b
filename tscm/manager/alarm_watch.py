"""
What the rules of alarms look at, gathered from the parts of a running manager.

In slices of the reactor's time, from figures in memory; what reads files or the database does so in threads.
"""

import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from attrs import define, evolve, field, frozen
from twisted.logger import Logger

from tscm.alarms.conditions import SUBJECTS_MOST
from tscm.alarms.observed import Certificate, Disk, Hits, Observed, SeenDevice
from tscm.base.clock import wall_seconds
from tscm.base.safe_files import read_regular
from tscm.base.schedule import in_slices
from tscm.errors import TscmError
from tscm.intake.figures import kernel_drops
from tscm.manager.health import certificates
from tscm.manager.late_targets import late_targets
from tscm.manager.node import Node, parts, updates
from tscm.manager.paired import managers_of, portals_of
from tscm.operations.rows import row
from tscm.settings.alarms import HitsSettings
from tscm.settings.files import device_names
from tscm.settings.layout import Layout
from tscm.settings.node import NodeSettings

_SLOW_SECONDS = 300.0
"""How often certificates are read, and hits asked for."""
_HOUR = 3600.0
_PEM_BYTES = 1 << 20


@frozen(kw_only=True)
class _Slow:
    """What is looked at less often."""

    certificates: tuple[Certificate, ...] = ()
    hits: tuple[Hits, ...] = ()


@define(eq=False)
class AlarmWatch:
    """
    Gives the state of the manager as the rules see it.
    """

    _log: ClassVar[Logger] = Logger()

    _node: Node
    _slow: _Slow = field(factory=_Slow, init=False)
    _slow_at: float | None = field(default=None, init=False)

    async def observe(self) -> Observed:
        """All of it, of one moment but for what is read in threads."""
        node, manager = self._node, parts(self._node)
        settings, steady = node.settings(), node.clock.seconds()
        if self._slow_at is None or steady - self._slow_at >= _SLOW_SECONDS:
            self._slow_at = steady
            self._slow = await self._look_slowly(settings)
        disks = await node.quick.run(disks_of, [node.layout.logs, node.layout.state])
        devices = [
            self._device(name)
            async for name in in_slices(node.clock, sorted(manager.devices))
            if name in manager.devices  # it may have been removed since
        ]
        ledger, intake = manager.bookkeeper.figures(), manager.intake.figures()
        store = node.store.fault or node.store.trouble
        listeners = (
            Certificate(name=name, expires_at=ends) for name, ends in certificates(intake).items()
        )
        drops = {name: kernel_drops(one) for name, one in intake.listeners.items()}
        return Observed(
            now=wall_seconds(node.clock),
            started_at=manager.started_at(),
            interval=settings.policy.interval_seconds,
            min_free_bytes=settings.spool.min_free_mb << 20,
            devices=tuple(devices),
            ledger=ledger.fault or ledger.unbalanced,
            ledger_since=ledger.unbalanced_since,
            disks=disks,
            database="" if store is None else str(store),
            faults=dict(manager.faults),
            backup=manager.backups.fault or "",
            certificates=(*listeners, *self._slow.certificates),
            kernel_drops={name: count for name, count in drops.items() if count is not None},
            logins=manager.alarms().logins,
            senders=tuple(manager.senders.strangers.busiest(SUBJECTS_MOST)),
            hits=self._slow.hits,
            portals=portals_of(manager),
            managers=managers_of(manager),
            targets=(
                ()
                if manager.publisher is None
                else tuple(late_targets(manager.publisher.state, wall_seconds(node.clock)))
            ),
        )

    def _device(self, name: str) -> SeenDevice:
        manager = parts(self._node)
        found, upload = row(self._node, name), manager.devices[name].upload_figures()
        glance = manager.spool.glance(name)
        return SeenDevice(
            name=name,
            verdict=found.verdict,
            causes=found.causes,
            policy=updates(self._node).figures(name),
            last_line_at=glance.last_received_at,
            rejected_batches=0 if upload is None else upload.rejected_batches,
        )

    async def _look_slowly(self, settings: NodeSettings) -> _Slow:
        node, now = self._node, wall_seconds(self._node.clock)
        files = certificate_files(settings, node.layout)
        read = await node.quick.run(read_certificates, files)
        hits = self._slow.hits
        if settings.alarms.hits and node.store.fault is None:
            try:
                hits = await node.slow.run(hits_of, node.layout, settings.alarms.hits, now)
            except TscmError as error:  # the database is another rule's
                self._log.warn("hits cannot be counted for alarms: {error}", error=str(error))
        return _Slow(certificates=tuple(read), hits=tuple(hits))


def disks_of(folders: Sequence[Path]) -> tuple[Disk, ...]:
    """The file systems of these folders, each once.  Blocking."""
    found: dict[int, Disk] = {}
    for folder in folders:
        try:
            number, usage = folder.stat().st_dev, shutil.disk_usage(folder)
        except OSError:
            continue
        found.setdefault(
            number,
            Disk(folder=str(folder), free_bytes=usage.free, total_bytes=usage.total),
        )
    return tuple(found.values())


def certificate_files(settings: NodeSettings, layout: Layout) -> dict[str, Path]:
    """Certificates that this manager serves with, beside those of its syslog listeners, by what they are for."""
    portal, listen, web = settings.portal, settings.listen, settings.web
    found = {
        "the lists listener": (listen.lists, listen.lists_certificate, layout.lists / "lists.crt"),
        "the metrics": (listen.metrics_certificate, listen.metrics_certificate, layout.lists),
        "the log service": (
            portal.logs,
            portal.certificate,
            layout.portal / "log-service.crt",
        ),
        "the page": (web.certificate, web.certificate, layout.web),
    }
    return {
        name: own if chosen is None else Path(chosen)
        for name, (used, chosen, own) in found.items()
        if used
    }


def read_certificates(files: dict[str, Path]) -> list[Certificate]:
    """When each of them expires; in a chain the earliest counts.  Blocking."""
    from cryptography import x509

    found = []
    for name, path in files.items():
        one = Certificate(name=name)
        try:
            chain = x509.load_pem_x509_certificates(read_regular(path, _PEM_BYTES))
            ends: list[datetime] = [each.not_valid_after_utc for each in chain]
        except OSError as error:
            found.append(evolve(one, fault=error.strerror or str(error)))
        except ValueError:
            found.append(evolve(one, fault=f"{path} holds no certificate in PEM format"))
        else:
            found.append(evolve(one, expires_at=min(ends).timestamp()))
    return found


def hits_of(layout: Layout, bounds: Sequence[HitsSettings], now: float) -> list[Hits]:
    """What is over its bound.  Blocking; raises `TscmError`."""
    from tscm.events.report import Question, ask_several

    names = device_names(layout)
    found: list[Hits] = []
    for bound in bounds if names else ():
        question = Question(
            device="",
            since=(now // _HOUR - (bound.hours - 1)) * _HOUR,
            until=now,
            by="list" if bound.list else "inside",
            top=SUBJECTS_MOST,
            direction=bound.direction,
            list=bound.list,
            inside=bound.inside,
        )
        whole, _ = ask_several(layout.database, [evolve(question, device=one) for one in names])
        found += [
            Hits(
                of_list=bound.list is not None,
                subject=str(one[question.by]),
                hits=one["hits"],
                over=bound.over,
                hours=bound.hours,
            )
            for one in whole.rows
            if one["hits"] > bound.over
        ]
    return found
