"""
The enforcer of a device, as its kind names it.
"""

from importlib import import_module

from tscm.kinds.kind import kind_of
from tscm.update.enforcer import Enforcer
from tscm.update.job import UpdateJob


def enforcer_of(job: UpdateJob, *, dry: bool = False) -> Enforcer:
    """Who brings the device of *job* to its goal; without writing where *dry*."""
    place, _, name = kind_of(job.settings).enforcer.partition(":")
    made: Enforcer = getattr(import_module(place), name)(job, dry)
    return made
