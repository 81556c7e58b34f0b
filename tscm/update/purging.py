"""
A purge in its device's turn: carried out in a thread, and kept whatever becomes of it.
"""

from collections.abc import Callable

from tscm.errors import TscmError
from tscm.kinds.faults import Unauthorised
from tscm.kinds.kind import kind_of, loaded
from tscm.model import Report
from tscm.update.job import UpdateJob
from tscm.update.outcome import UpdateOutcome
from tscm.update.purge import PurgeOutcome
from tscm.update.records import UpdateRecords
from tscm.update.turns import Turns, Updated


async def purge_in_turn(
    one: Updated, turns: Turns, records: UpdateRecords, job: UpdateJob, report: Report
) -> PurgeOutcome:
    """Take our groups off, and note in the store what came of it.  Raises what the purge raises."""
    name, started_at = one.settings.name, job.now()
    purge: Callable[[UpdateJob, Report], PurgeOutcome] = loaded(kind_of(one.settings).purge)
    try:
        done = await turns.in_thread(one, purge, job, report)
    except TscmError as error:
        if not one.gone:
            if isinstance(error, Unauthorised):
                records.note_refused_login(name)
            records.keep_failed_purge(
                UpdateOutcome(
                    device=name,
                    started_at=started_at,
                    finished_at=job.now(),
                    error=str(error),
                    act="purge",
                )
            )
        raise
    if not one.gone:
        records.keep_purge(started_at, job.now(), done)
    return done
