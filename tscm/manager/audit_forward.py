"""
The audit on its way to SIEM targets.

Entries are carried from the database to a log of its own, each once and in order, and sent from there as lines of devices
are: what a target does not take waits on the disk.  What a `tsadmin` without a manager has done is carried at the
manager's next start.  The ledger of the devices has no part in it.
"""

import os
import socket
from itertools import takewhile
from typing import Any, ClassVar

from attrs import define, evolve, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.logger import Logger

from tscm.base.clock import wall_seconds
from tscm.base.schedule import PeriodicService
from tscm.base.threads import Threads
from tscm.errors import TscmError
from tscm.forward.figures import ForwardFigures
from tscm.forward.own import own_listener
from tscm.forward.resolve import Resolver
from tscm.forward.service import ForwardService
from tscm.forward.target import targets_at
from tscm.intake.service import IntakeService
from tscm.manager.own_syslog import Origin, audit_message
from tscm.model import Run
from tscm.settings.layout import Layout
from tscm.settings.node import NodeSettings, SpoolBounds
from tscm.spool.service import SpoolService
from tscm.store.audit_entry import AuditEntry
from tscm.store.audits import Audits
from tscm.store.database import Store
from tscm.syslog.escape import escape

LOG = "manager"
"""The log's name in its folder."""
CARRY_SECONDS = 60.0
"""How often what could not be carried is tried again."""
_ROTATE_BYTES = 1 << 20
_MOST_MB = 64
_MOST_AT_ONCE = 500
_MOST_AGE_DAYS = 3650


@define(eq=False)
class AuditForward(Service):
    """
    Runs only where `[control] audit_forward` names a target.
    """

    _log: ClassVar[Logger] = Logger()

    _reactor: Any
    _threads: Threads
    _layout: Layout
    _node: NodeSettings
    _store: Store
    _intake: IntakeService
    _resolver: Resolver
    _spool: SpoolService = field(init=False)
    _targets: dict[str, ForwardService] = field(factory=dict, init=False)
    _carrying: PeriodicService = field(init=False)

    def __attrs_post_init__(self) -> None:
        control = self._node.control
        bounds = _bounds(self._node.spool, control.audit_days)
        self._spool = SpoolService(self._layout.audit_log, bounds, self._reactor, self._threads)
        self._carrying = PeriodicService(
            self._reactor, CARRY_SECONDS, self._carry_again, "audit for the SIEM", CARRY_SECONDS
        )

    def startService(self) -> None:
        """Open the log, and begin to send where there is a target."""
        super().startService()
        control = self._node.control
        targets = targets_at(control.audit_forward, ca_file=control.audit_ca_file)
        if not targets:
            return
        try:
            self._spool.startService()
            self._spool.open_device(LOG, _ROTATE_BYTES)
            for name, target in targets.items():
                self._targets[name] = ForwardService(
                    self._reactor,
                    self._threads,
                    self._spool.reader(LOG, name, at_end=True),
                    target,
                    resolver=self._resolver,
                    resolve_seconds=self._node.intake.resolve_seconds,
                    own=self._own,
                )
                self._targets[name].startService()
        except OSError as error:
            self._log.error(
                "the audit is not sent to a SIEM: its log cannot be opened: {error}; restart the "
                "manager once the disk is in order, and it sends what came meanwhile",
                error=error,
            )
        self._carrying.startService()

    def stopService(self) -> Deferred[Any]:
        """Fires when nothing is in progress."""
        super().stopService()
        services = [self._carrying, *self._targets.values()]
        ended = DeferredList(
            [maybeDeferred(one.stopService) for one in services if one.running], consumeErrors=True
        )
        return ended.addCallback(
            lambda _: self._spool.stopService() if self._spool.running else None
        )

    def _own(self, address: str, port: int, protocol: str) -> str | None:
        return own_listener(address, port, protocol, self._intake.addresses())

    # -- entries ----------------------------------------------------------------

    def begin(self) -> None:
        """
        The database can be used: note from where on entries are carried, and carry what is due.

        Without a target that is forgotten, so that one that is named later is sent what comes then.
        """
        try:
            if self._node.control.audit_forward:
                Audits(self._store).carry_from_here()
            else:
                Audits(self._store).carry_no_more()
        except TscmError as error:
            self._log.error("the audit waits for its way to the SIEM: {error}", error=str(error))
        self.carry()

    def carry(self) -> None:
        """Bring what the database has and the log has not to the log."""
        if not self._targets or self._store.fault is not None:
            return
        audits = Audits(self._store)
        try:
            while entries := audits.to_carry(_MOST_AT_ONCE):
                done = list(takewhile(lambda one: self.write(one[1]), entries))
                if done:
                    audits.carried(done[-1][0])
                if len(done) < len(entries):
                    return  # the disk refuses: again in a while
        except TscmError as error:
            self._log.error("the audit waits for its way to the SIEM: {error}", error=str(error))

    async def _carry_again(self) -> None:
        self.carry()

    def write(self, entry: AuditEntry) -> bool:
        """Put an entry at the end of the log; False where that cannot be."""
        return self.append(audit_message(entry, self.origin))

    @property
    def origin(self) -> Origin:
        """As messages of this process name it."""
        return Origin(host=socket.gethostname(), process=os.getpid())

    def append(self, message: bytes) -> bool:
        """Put a message of the manager's own at the end of the log; False where that cannot be."""
        if not self._targets:
            return False
        run = Run(sender="", data=escape(message) + b"\n", lines=1)
        return self._spool.append(LOG, [run], wall_seconds(self._reactor))

    # -- what is shown ----------------------------------------------------------

    def figures(self) -> tuple[ForwardFigures, ...]:
        """How each target stands."""
        return tuple(one.figures() for one in self._targets.values())


def _bounds(spool: SpoolBounds, days: int) -> SpoolBounds:
    """Small, and not given up for lines of devices: a disk that is full costs those first."""
    return evolve(
        spool, max_age_days=min(days, _MOST_AGE_DAYS), max_mb_per_device=_MOST_MB, min_free_mb=0
    )
