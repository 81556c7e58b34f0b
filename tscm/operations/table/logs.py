"""
Operations on a device's log, its readers and rejected batches.
"""

from tscm.operations.answers import LinesErased, LogDeleted, ReaderDropped
from tscm.operations.arguments import Device, Erasure, Reader, Rejected
from tscm.operations.operation import Needs, Operation
from tscm.upload.outcome import BatchesHandled, RejectedBatches, Uploaded

LOGS: Operation[Device, Uploaded] = Operation(
    answer=Uploaded,
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

REJECTED: Operation[Device, RejectedBatches] = Operation(
    answer=RejectedBatches,
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

RESEND: Operation[Rejected, BatchesHandled] = Operation(
    answer=BatchesHandled,
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

DROP: Operation[Rejected, BatchesHandled] = Operation(
    answer=BatchesHandled,
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

DROP_READER: Operation[Reader, ReaderDropped] = Operation(
    answer=ReaderDropped,
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

DELETE_LOG: Operation[Device, LogDeleted] = Operation(
    answer=LogDeleted,
    name="delete_log",
    room="logs",
    verb="DELETE",
    path="/v1/logs/<name>",
    args=Device,
    needs=Needs.FILES,
    noun="deleting a log",
    on_log=True,
    long=True,
    changes=True,
    destructive=True,
)
"""Delete the log of a device that was removed: `{name, lines, kept_bytes, disk_bytes}`."""

ERASE_LINES: Operation[Erasure, LinesErased] = Operation(
    answer=LinesErased,
    name="erase_lines",
    room="logs",
    verb="POST",
    path="/v1/logs/<name>/erase",
    args=Erasure,
    needs=Needs.FILES,
    noun="erasing lines",
    on_log=True,
    long=True,
    changes=True,
    destructive=True,
)
"""Erase the lines about an address or a user: `{name, lines, segments, missing, aside}`."""
