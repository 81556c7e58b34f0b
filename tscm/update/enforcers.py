"""
The enforcer of a device, as its kind names it.
"""

from tscm.kinds.kind import kind_of, loaded
from tscm.update.enforcer import Enforcer
from tscm.update.job import UpdateJob


def enforcer_of(job: UpdateJob, *, dry: bool = False) -> Enforcer:
    """Who brings the device of *job* to its goal; without writing where *dry*."""
    made: Enforcer = loaded(kind_of(job.settings).enforcer)(job, dry)
    return made
