"""
Taking the policy off a firewall that pulls: the placeholder is published, never nothing.

A consumer that reads an empty list, or none, keeps the last one that it has.
"""

from tscm.errors import DeviceFault
from tscm.kinds.lists.enforcer import folder_of, rendered
from tscm.model import Progress, Report
from tscm.policy.cidr import CidrSet
from tscm.services.publication import publish
from tscm.settings.pulled import pulling
from tscm.store.generations import PURGED, Generation, pack
from tscm.update.job import UpdateJob
from tscm.update.purge import PurgeOutcome


def purge_lists(job: UpdateJob, report: Report) -> PurgeOutcome:
    """Publish lists without an entry.  Blocking; raises `DeviceFault`."""
    settings, folder = pulling(job.settings), folder_of(job)
    report(Progress(phase="push", text="publishing lists without entries"))
    nothing = CidrSet()
    number = 1 if job.applied is None else job.applied.number + (not job.applied.purged)
    try:
        publish(
            folder,
            rendered(settings, nothing, nothing),
            generation=number,
            now=job.now(),
            purged=True,
        )
    except OSError as error:
        raise DeviceFault(
            settings.name,
            f"lists without entries cannot be published: {error}",
            "check the disk of this host and the owner of the folder",
        ) from None
    return PurgeOutcome(
        device=settings.name,
        deleted=(),
        obstacles=(),
        saved=True,
        done=f"lists without entries are published for {settings.name}",
        left=_nothing(job) if job.applied is not None and not job.applied.purged else None,
    )


def _nothing(job: UpdateJob) -> Generation:
    empty = pack(CidrSet().entries)
    return Generation(
        applied_at=job.now(),
        note=PURGED,
        block_entries=0,
        allow_entries=0,
        block=empty,
        allow=empty,
    )
