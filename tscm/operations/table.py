"""
The operations: what `tsadmin`, and later the web page and the API, can ask of a node.

A new operation is a row here, its handler beside the others, and a command.
"""

from collections.abc import Mapping
from typing import Any

from tscm.model import Json
from tscm.operations.arguments import (
    Address,
    Adoption,
    Asked,
    Audited,
    Balanced,
    ChangedDevice,
    Device,
    Dropped,
    EntryNamed,
    Generations,
    Holding,
    JobNumber,
    NewDevice,
    NewEntry,
    Nothing,
    Prospect,
    Proven,
    Push,
    PushedEntries,
    Reader,
    Rejected,
    Rollback,
)
from tscm.operations.operation import Needs, Operation

STATUS: Operation[Nothing, Json] = Operation(
    name="status",
    room="manager",
    verb="GET",
    path="/v1/status",
    args=Nothing,
    needs=Needs.MANAGER,
    noun="the state of the manager",
)
"""Version, process, listeners and intake figures of the manager."""

VERSIONS: Operation[Nothing, list[Json]] = Operation(
    name="versions",
    room="manager",
    verb="GET",
    path="/v1/versions",
    args=Nothing,
    needs=Needs.FILES,
    noun="the list of versions",
)
"""Modules and their versions."""

LEDGER: Operation[Balanced, Json] = Operation(
    name="ledger",
    room="manager",
    verb="GET",
    path="/v1/ledger",
    args=Balanced,
    needs=Needs.MANAGER,
    noun="the ledger",
)
"""The balance of one device or of all."""

SENDERS: Operation[Nothing, list[Json]] = Operation(
    name="senders",
    room="senders",
    verb="GET",
    path="/v1/senders",
    args=Nothing,
    needs=Needs.MANAGER,
    noun="the list of unknown senders",
)
"""Unknown senders."""

ADOPT: Operation[Adoption, Json] = Operation(
    name="adopt",
    room="senders",
    verb="POST",
    path="/v1/senders/<address>/adopt",
    args=Adoption,
    needs=Needs.FILES,
    noun="adopting a sender",
    long=True,
    changes=True,
)
"""Take an unknown sender in as an additional source of a device."""

DEVICES: Operation[Nothing, list[Json]] = Operation(
    name="devices",
    room="devices",
    verb="GET",
    path="/v1/devices",
    args=Nothing,
    needs=Needs.FILES,
    noun="the list of devices",
)
"""A row for each device; one with a damaged file has `fault`, and where not in force no more."""

FLEET: Operation[Nothing, list[Json]] = Operation(
    name="fleet",
    verb="GET",
    path="/v1/fleet",
    args=Nothing,
    room="fleet",
    needs=Needs.MANAGER,
    noun="the state of the devices",
    long=True,
)
"""How each device stands, the worst first: standing, causes, ages, entries, backlogs."""

PROSPECT: Operation[Prospect, Json] = Operation(
    name="prospect",
    room="devices",
    verb="POST",
    path="/v1/prospect",
    args=Prospect,
    needs=Needs.FILES,
    noun="what a new device needs",
    long=True,
)
"""Before the questions: is the address free, and does the log service want a key: `{key_wanted_at}`."""

ADD: Operation[NewDevice, Json] = Operation(
    name="add",
    room="devices",
    verb="POST",
    path="/v1/devices",
    args=NewDevice,
    needs=Needs.FILES,
    noun="adding a device",
    long=True,
    changes=True,
)
"""Check and store a new device: `{name, check, settings, lines, notes}`."""

VIEW: Operation[Device, Json] = Operation(
    name="view",
    room="devices",
    verb="GET",
    path="/v1/devices/<name>",
    args=Device,
    needs=Needs.FILES,
    noun="the settings of a device",
)
"""`{settings, state, confirm_changes_percent}` of one device, secrets masked; without a manager the state is empty."""

CHANGE: Operation[ChangedDevice, Json] = Operation(
    name="change",
    room="devices",
    verb="PUT",
    path="/v1/devices/<name>",
    args=ChangedDevice,
    needs=Needs.FILES,
    noun="changing a device",
    long=True,
    changes=True,
)
"""Check and store changed settings: `{name, check, settings, changed, notes}`."""

REMOVE: Operation[Device, Json] = Operation(
    name="remove",
    room="devices",
    verb="DELETE",
    path="/v1/devices/<name>",
    args=Device,
    needs=Needs.FILES,
    noun="removing a device",
    long=True,
    changes=True,
    destructive=True,
)
"""Forget a device: `{name, lines}`, the lines being the way back on the firewall."""

UPDATE: Operation[Push, Json] = Operation(
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

PLAN: Operation[Push, Json] = Operation(
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

PURGE: Operation[Push, Json] = Operation(
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

LOGS: Operation[Device, Json] = Operation(
    name="logs",
    room="logs",
    verb="POST",
    path="/v1/devices/<name>/logs",
    args=Device,
    needs=Needs.MANAGER,
    noun="rotating and uploading logs",
    long=True,
    changes=True,
)
"""Rotate and upload now."""

REJECTED: Operation[Device, Json] = Operation(
    name="rejected",
    room="logs",
    verb="GET",
    path="/v1/devices/<name>/aside",
    args=Device,
    needs=Needs.FILES,
    noun="the list of rejected batches",
    long=True,
)
"""`{name, batches}` that the log service rejected for good."""

RESEND: Operation[Rejected, Json] = Operation(
    name="resend",
    room="logs",
    verb="POST",
    path="/v1/devices/<name>/aside/send",
    args=Rejected,
    needs=Needs.MANAGER,
    noun="resending a rejected batch",
    long=True,
    changes=True,
)
"""Send rejected batches again."""

DROP: Operation[Rejected, Json] = Operation(
    name="drop",
    room="logs",
    verb="POST",
    path="/v1/devices/<name>/aside/drop",
    args=Rejected,
    needs=Needs.MANAGER,
    noun="dropping a rejected batch",
    long=True,
    changes=True,
    destructive=True,
)
"""Drop rejected batches; their lines stay in the log."""

DROP_READER: Operation[Reader, Json] = Operation(
    name="drop_reader",
    room="logs",
    verb="DELETE",
    path="/v1/devices/<name>/readers/<reader>",
    args=Reader,
    needs=Needs.FILES,
    noun="dropping a reader",
    on_log=True,
    long=True,
    changes=True,
    destructive=True,
)
"""Forget a reader that nothing uses any more, with its backlog: `{name, reader, waiting_lines}`."""

HISTORY: Operation[Device, Json] = Operation(
    name="history",
    room="policies",
    verb="GET",
    path="/v1/devices/<name>/policy/history",
    args=Device,
    needs=Needs.STORE,
    noun="the policy's history",
)
"""Generations that are kept, and the latest updates."""

WHY: Operation[Address, Json] = Operation(
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

DROPPED: Operation[Dropped, Json] = Operation(
    name="dropped",
    room="policies",
    verb="POST",
    path="/v1/devices/<name>/policy/dropped",
    args=Dropped,
    needs=Needs.STORE,
    noun="the list of dropped entries",
    long=True,
)
"""What the lists hold and the device does not."""

DIFF: Operation[Generations, Json] = Operation(
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

ROLLBACK: Operation[Rollback, Json] = Operation(
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

HOLD: Operation[Holding, Json] = Operation(
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

PAUSE: Operation[Device, Json] = Operation(
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

RESUME: Operation[Device, Json] = Operation(
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

ENTRIES: Operation[Nothing, Json] = Operation(
    name="entries",
    room="entries",
    verb="GET",
    path="/v1/entries",
    args=Nothing,
    needs=Needs.STORE,
    noun="the list of entries by hand",
    long=True,
)
"""`{entries}` by hand, each with the devices that hold it and those that wait for it."""

ENTER: Operation[NewEntry, Json] = Operation(
    name="enter",
    room="entries",
    verb="POST",
    path="/v1/entries",
    args=NewEntry,
    needs=Needs.STORE,
    noun="an entry by hand",
    long=True,
    changes=True,
)
"""Check and store an entry by hand: `{entry, new, devices, notes}`; `push_entries` brings it to a device."""

REMOVE_ENTRY: Operation[EntryNamed, Json] = Operation(
    name="remove_entry",
    room="entries",
    verb="POST",
    path="/v1/entries/remove",
    args=EntryNamed,
    needs=Needs.STORE,
    noun="removing an entry by hand",
    long=True,
    changes=True,
)
"""End entries by hand: `{entries, devices}`; `push_entries` takes them off a device."""

PUSH_ENTRIES: Operation[PushedEntries, Json] = Operation(
    name="push_entries",
    room="entries",
    verb="POST",
    path="/v1/devices/<name>/policy/entries",
    args=PushedEntries,
    needs=Needs.STORE,
    noun="a push of entries by hand",
    long=True,
    queues=True,
    changes=True,
)
"""Bring a device its entries by hand, and nothing else, without fetching lists."""

REPORT: Operation[Asked, Json] = Operation(
    name="report",
    room="events",
    verb="POST",
    path="/v1/devices/<name>/report",
    args=Asked,
    needs=Needs.FILES,
    noun="a report",
    long=True,
)
"""What the lists did on a device."""

REBUILD_EVENTS: Operation[Device, Json] = Operation(
    name="rebuild_events",
    room="events",
    verb="POST",
    path="/v1/devices/<name>/events/rebuild",
    args=Device,
    needs=Needs.MANAGER,
    noun="a recount of events",
    long=True,
    changes=True,
)
"""Recount a device's events from the log that is still on disk."""

DOCTOR: Operation[Nothing, Json] = Operation(
    name="doctor",
    room="doctor",
    verb="POST",
    path="/v1/doctor",
    args=Nothing,
    needs=Needs.FILES,
    noun="a check of the node",
    long=True,
)
"""`{findings}` about host and manager."""

DOCTOR_DEVICE: Operation[Device, Json] = Operation(
    name="doctor_device",
    room="doctor",
    verb="POST",
    path="/v1/devices/<name>/doctor",
    args=Device,
    needs=Needs.FILES,
    noun="a check of a device",
    long=True,
)
"""`{findings}` about a device's chain."""

TEST: Operation[Proven, Json] = Operation(
    name="test",
    room="proof",
    verb="POST",
    path="/v1/devices/<name>/test",
    args=Proven,
    needs=Needs.MANAGER,
    noun="a test of the chain",
    long=True,
    queues=True,
    changes=True,
)
"""Block an address of nobody's, follow it through the chain, and take it away: `{proven, links, …}`."""

JOBS: Operation[Nothing, list[Json]] = Operation(
    name="jobs",
    room="jobs",
    verb="GET",
    path="/v1/jobs",
    args=Nothing,
    needs=Needs.MANAGER,
    noun="the list of jobs",
)
"""Long calls that wait or run, and the last that ended."""

JOB: Operation[JobNumber, Json] = Operation(
    name="job",
    room="jobs",
    verb="GET",
    path="/v1/jobs/<id>",
    args=JobNumber,
    needs=Needs.MANAGER,
    noun="the state of a job",
)
"""One job."""

WITHDRAW: Operation[JobNumber, Json] = Operation(
    name="withdraw",
    room="jobs",
    verb="POST",
    path="/v1/jobs/<id>/withdraw",
    args=JobNumber,
    needs=Needs.MANAGER,
    noun="withdrawing a job",
)
"""Withdraw a job that has not begun."""

AUDIT: Operation[Audited, Json] = Operation(
    name="audit",
    room="jobs",
    verb="GET",
    path="/v1/audit",
    args=Audited,
    needs=Needs.STORE,
    noun="the audit",
)
"""`{entries}`: who did what, when, and with what outcome."""

TABLE: Mapping[str, Operation[Any, Any]] = {
    value.name: value for value in list(globals().values()) if isinstance(value, Operation)
}
"""Every row by its name."""
