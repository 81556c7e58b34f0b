"""
Where audit entries go: into the manager's own log, into the database where it can be used, and to SIEM targets.
"""

from collections.abc import Callable
from typing import Any, ClassVar

from attrs import define
from twisted.logger import Logger

from tscm.base.clock import wall_seconds
from tscm.errors import TscmError
from tscm.manager.audit_forward import AuditForward
from tscm.operations.call import SCHEDULE
from tscm.store.audit_entry import AuditEntry
from tscm.store.audits import DAY_SECONDS, Audits
from tscm.store.database import Store
from tscm.update.outcome import UpdateOutcome

EXPIRY_SECONDS = 3600.0
"""How often entries that are too old are deleted."""


@define(eq=False)
class AuditTrail:
    """
    Keeps entries for so many *days*, as the settings in force say.
    """

    _log: ClassVar[Logger] = Logger()

    _clock: Any
    _store: Store
    _days: Callable[[], int]
    _forward: AuditForward

    def keep(self, entry: AuditEntry) -> None:
        """One entry; a database that refuses it is told in the log, which has the entry too."""
        self._log.info("audit: {line}", line=entry.line())
        if self._store.fault is None:
            try:
                Audits(self._store).keep(entry)
            except TscmError as error:
                self._log.error("cannot store the audit entry: {error}", error=str(error))
            else:
                self._forward.carry()
                return
        self._forward.write(entry)

    def keep_scheduled(self, outcome: UpdateOutcome) -> None:
        """A scheduled update, which no user called for."""
        self.keep(
            AuditEntry(
                at=wall_seconds(self._clock),
                actor=SCHEDULE.name,
                operation="update",
                device=outcome.device,
                outcome="done" if outcome.good else "failed",
                sentence=outcome.sentence(),
                seconds=max(0.0, outcome.finished_at - outcome.started_at),
            )
        )

    async def expire(self) -> None:
        """Delete what is too old."""
        if self._store.fault is None:
            oldest = wall_seconds(self._clock) - self._days() * DAY_SECONDS
            Audits(self._store).expire(oldest)
