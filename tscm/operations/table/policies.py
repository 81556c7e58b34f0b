"""
Operations on a device's policy.
"""

from tscm.devices.answers import Changed
from tscm.operations.answers import Held
from tscm.operations.arguments import (
    Address,
    AnyAddress,
    Device,
    DroppedOf,
    Generations,
    Holding,
    Push,
    Rollback,
)
from tscm.operations.operation import Needs, Operation
from tscm.update.answers import Difference, Dropped, Explanation, Explanations, History, Purged
from tscm.update.figures import UpdateTold

UPDATE: Operation[Push, UpdateTold] = Operation(
    answer=UpdateTold,
    name="update",
    room="policies",
    verb="POST",
    path="/v1/devices/<name>/update",
    args=Push,
    needs=Needs.STORE,
    noun="an update",
    long=True,
    queues=True,
    changes=True,
)
"""Fetch and push now."""

PLAN: Operation[Push, UpdateTold] = Operation(
    answer=UpdateTold,
    name="plan",
    room="policies",
    verb="GET",
    path="/v1/devices/<name>/plan",
    args=Push,
    needs=Needs.STORE,
    noun="a plan",
    long=True,
    queues=True,
)
"""The update without the push."""

PURGE: Operation[Push, Purged] = Operation(
    answer=Purged,
    name="purge",
    room="policies",
    verb="POST",
    path="/v1/devices/<name>/purge",
    args=Push,
    needs=Needs.STORE,
    noun="a purge",
    long=True,
    queues=True,
    changes=True,
    destructive=True,
)
"""Take our groups off a device: `{deleted, obstacles, complete, sentence}`."""

HISTORY: Operation[Device, History] = Operation(
    answer=History,
    name="history",
    room="policies",
    verb="GET",
    path="/v1/devices/<name>/policy/history",
    args=Device,
    needs=Needs.STORE,
    noun="the policy's history",
)
"""Generations that are kept, and the latest updates."""

WHY: Operation[Address, Explanation] = Operation(
    answer=Explanation,
    name="why",
    room="policies",
    verb="POST",
    path="/v1/devices/<name>/policy/why",
    args=Address,
    needs=Needs.STORE,
    noun="an answer about an address",
    long=True,
)
"""How an address or network stands with a device's lists, since when, and what it hit."""

WHY_ALL: Operation[AnyAddress, Explanations] = Operation(
    answer=Explanations,
    name="why_all",
    room="policies",
    verb="POST",
    path="/v1/why",
    args=AnyAddress,
    needs=Needs.STORE,
    noun="an answer about an address",
    long=True,
)
"""`why` of every device, by name."""

DROPPED: Operation[DroppedOf, Dropped] = Operation(
    answer=Dropped,
    name="dropped",
    room="policies",
    verb="POST",
    path="/v1/devices/<name>/policy/dropped",
    args=DroppedOf,
    needs=Needs.STORE,
    noun="the list of dropped entries",
    long=True,
)
"""What the lists hold and the device does not."""

DIFF: Operation[Generations, Difference] = Operation(
    answer=Difference,
    name="diff",
    room="policies",
    verb="POST",
    path="/v1/devices/<name>/policy/diff",
    args=Generations,
    needs=Needs.STORE,
    noun="the difference of two generations",
    long=True,
)
"""What came and went between two generations."""

ROLLBACK: Operation[Rollback, UpdateTold] = Operation(
    answer=UpdateTold,
    name="rollback",
    room="policies",
    verb="POST",
    path="/v1/devices/<name>/policy/rollback",
    args=Rollback,
    needs=Needs.STORE,
    noun="a rollback",
    long=True,
    queues=True,
    changes=True,
    destructive=True,
)
"""Push a kept generation, and hold scheduled updates."""

HOLD: Operation[Holding, Held] = Operation(
    answer=Held,
    name="hold",
    room="policies",
    verb="POST",
    path="/v1/devices/<name>/policy/hold",
    args=Holding,
    needs=Needs.STORE,
    noun="holding updates",
    long=True,
    changes=True,
)
"""No scheduled updates until a time or `resume`: `{name, since, until, reason, by, sentence}`."""

PAUSE: Operation[Device, Held] = Operation(
    answer=Held,
    name="pause",
    room="policies",
    verb="POST",
    path="/v1/devices/<name>/policy/pause",
    args=Device,
    needs=Needs.STORE,
    noun="pausing updates",
    long=True,
    changes=True,
)
"""`hold` without an end and a reason, as earlier clients ask for it."""

RESUME: Operation[Device, Changed] = Operation(
    answer=Changed,
    name="resume",
    room="policies",
    verb="POST",
    path="/v1/devices/<name>/policy/resume",
    args=Device,
    needs=Needs.STORE,
    noun="resuming updates",
    long=True,
    changes=True,
)
"""Scheduled updates again: ends a hold, also after a rollback, repeated failures or rejected passwords."""
