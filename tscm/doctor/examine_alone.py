"""
The doctor without a manager: on the stored settings, in the process of `tsadmin`.
"""

from time import time

from tscm.doctor.examine_device import (
    judge_device,
    look_around,
    look_inside,
    read_snapshot,
    unreadable,
)
from tscm.doctor.examine_node import walk_node
from tscm.doctor.finding import Findings
from tscm.errors import NoSuchDevice, TscmError
from tscm.kinds.driver import Driver
from tscm.kinds.kind import kind_of
from tscm.model import Report
from tscm.settings.layout import Layout


def doctor_node(layout: Layout, report: Report) -> Findings:
    """What can be said of the host while no manager runs."""
    return Findings(findings=tuple(walk_node(layout, None, report)))


def doctor_device(layout: Layout, name: str, report: Report) -> Findings:
    """
    What can be said of a device while no manager runs.  Raises `NoSuchDevice`.

    Needs no lock: nothing is written but answers of feeds, which have a lock of their own.
    """
    from tscm.retrieve.sources import Fetcher

    try:
        snapshot = read_snapshot(layout, name)
    except NoSuchDevice:
        raise
    except TscmError as error:
        return Findings(findings=tuple(unreadable(name, error)))

    def opener() -> Driver:
        return kind_of(snapshot.settings).connect(snapshot.settings, snapshot.node)

    look = look_around(layout, snapshot, Fetcher(layout), report)
    look.firewall = look_inside(snapshot, opener, report)
    return Findings(findings=tuple(judge_device(snapshot, look, time())))
