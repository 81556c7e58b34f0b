"""
Operations on a device's log: upload now, rejected batches, unused readers.
"""

import attrs
from attrs import define, field

from tscm.base.clock import wall_seconds
from tscm.errors import NoSuchLog, TscmError
from tscm.ledger.book import forget_log
from tscm.manager.log_consumers import users_of
from tscm.manager.node import Node, parts
from tscm.model import Progress
from tscm.operations.answers import LinesErased, LogDeleted, ReaderDropped
from tscm.operations.arguments import Device, Erasure, Reader, Rejected
from tscm.operations.call import Call
from tscm.operations.handlers.devices import refuse_unknown
from tscm.operations.handlers.policies import refuse_sealed
from tscm.operations.registry import handles
from tscm.operations.table import logs as table
from tscm.plural import many
from tscm.settings.files import device_names, read_device
from tscm.spool.deletion import delete_log
from tscm.spool.disk import Disk
from tscm.spool.eraser import erase_closed
from tscm.spool.names import log_names
from tscm.spool.tools_repair import drop_position
from tscm.syslog.mentions import mentions
from tscm.upload.outcome import BatchesHandled, RejectedBatches, Uploaded
from tscm.upload.service import UploadService
from tscm.upload.state import list_rejected

ALL = "all"
"""In place of a batch's key."""


@define(eq=False)
class ReaderInUse(TscmError):
    """
    A reader cannot be dropped: a target or a service has it, or there is none of this name.
    """

    device: str
    reader: str
    known: bool = field(kw_only=True)

    def __str__(self) -> str:
        if self.known:
            return (
                f"reader {self.reader} of {self.device} is in use; remove its target or service "
                f"with `tsadmin configure {self.device}` first"
            )
        return (
            f"{self.device} has no reader {self.reader!r}; list its readers with `tsadmin "
            f"ledger {self.device}`"
        )


@define(eq=False)
class UploadOff(TscmError):
    """
    A device's logs are kept and not uploaded.
    """

    device: str
    set_up: bool = field(kw_only=True)

    def __str__(self) -> str:
        if self.set_up:
            return (
                f"log upload is off for {self.device}; enable it with `tsadmin configure "
                f"{self.device} --send_logs yes`"
            )
        return (
            f"logs of {self.device} are not uploaded: no log service is configured; set "
            "url under [upload] in tscm.toml and restart the manager"
        )


@define(eq=False)
class LogInUse(TscmError):
    """
    A log cannot be deleted: it belongs to a device.
    """

    device: str

    def __str__(self) -> str:
        return (
            f"the log of {self.device} belongs to a device; remove the device with `tsadmin remove "
            f"{self.device}` first"
        )


def _upload_of(node: Node, name: str) -> UploadService:
    refuse_unknown(node, name)
    upload = parts(node).devices[name].upload
    if upload is None:
        raise UploadOff(name, set_up=node.settings().upload.url is not None)
    return upload


@handles(table.LOGS)
async def upload_logs(node: Node, args: Device, call: Call) -> Uploaded:
    """Rotate and upload what waits, now; where nothing is uploaded, rotate alone."""
    refuse_unknown(node, args.name)
    if parts(node).devices[args.name].upload is None:
        return _rotate(node, args.name)
    upload = _upload_of(node, args.name)
    refuse_sealed(node, args.name)
    outcome = await upload.upload_now(call.report)
    told = attrs.asdict(outcome)
    return Uploaded(name=args.name, sentence=str(outcome), **told)


def _rotate(node: Node, name: str) -> Uploaded:
    """The log of a device that uploads nothing; says why it does not."""
    manager = parts(node)
    sealed = manager.spool.seal(name)
    done = "the log is rotated" if sealed else "no line was received since the log was last rotated"
    fault = manager.spool.figures(name).fault
    if fault:
        done = f"the log cannot be rotated: it {fault}"
    why = manager.faults.get(name) or UploadOff(name, set_up=node.settings().upload.url is not None)
    return Uploaded(name=name, rotated=sealed, sentence=f"{done}; {why}")


@handles(table.REJECTED)
async def rejected_batches(node: Node, args: Device, call: Call) -> RejectedBatches:
    """The batches that the log service rejected for good; without an uploader by the files alone."""
    del call
    refuse_unknown(node, args.name)
    upload = None if node.manager is None else node.manager.devices[args.name].upload
    if upload is None:  # no manager, or no log service any more
        folder = node.layout.device_log(args.name) / ".spool" / "aside"
        kept = await node.quick.run(list_rejected, folder)
    else:
        kept = await upload.rejected_batches()
    return RejectedBatches(name=args.name, batches=tuple(kept), off=_uploads_off(node, args.name))


def _uploads_off(node: Node, name: str) -> str | None:
    """Why nothing is uploaded, so that nothing can be rejected either; None where it is, or that is unknown."""
    known = None if node.manager is None else node.manager.devices[name].settings
    try:
        settings = read_device(node.layout, name, None) if known is None else known
    except TscmError:
        return None
    set_up = node.settings().upload.url is not None
    return None if set_up and settings.send_logs else str(UploadOff(name, set_up=set_up))


@handles(table.RESEND)
async def resend(node: Node, args: Rejected, call: Call) -> BatchesHandled:
    """Send again; of `all`, those before one that is rejected again are done."""
    upload = _upload_of(node, args.name)
    keys, lines = await _keys(upload, args.key), 0
    for done, key in enumerate(keys):
        call.report(_step(key, done, keys))
        lines += (await upload.resend_rejected(key)).lines
    return _handled(args.name, len(keys), lines, "resent")


@handles(table.DROP)
async def drop(node: Node, args: Rejected, call: Call) -> BatchesHandled:
    """Drop rejected batches; their lines stay in the log."""
    upload = _upload_of(node, args.name)
    keys, lines = await _keys(upload, args.key), 0
    for done, key in enumerate(keys):
        call.report(_step(key, done, keys))
        lines += (await upload.discard_rejected(key)).lines
    return _handled(args.name, len(keys), lines, "dropped")


async def _keys(upload: UploadService, key: str) -> list[str]:
    return [one.key for one in await upload.rejected_batches()] if key == ALL else [key]


def _step(key: str, done: int, keys: list[str]) -> Progress:
    return Progress(phase="upload", text=f"batch {key}", done=done, total=len(keys))


def _handled(name: str, batches: int, lines: int, done: str) -> BatchesHandled:
    words = f"{many(batches, 'batch', 'batches')} of {many(lines, 'line', 'lines')} {done}"
    sentence = words if batches else "no rejected batches"
    return BatchesHandled(name=name, batches=batches, lines=lines, sentence=sentence)


@handles(table.DROP_READER)
async def drop_reader(node: Node, args: Reader, call: Call) -> ReaderDropped:
    """Forget a reader that nothing uses any more; without a manager by settings and files."""
    del call
    name, reader = args.name, args.reader
    waiting = (
        _drop_stored(node, name, reader) if node.manager is None else _drop(node, name, reader)
    )
    return ReaderDropped(name=name, reader=reader, waiting_lines=waiting)


def _drop(node: Node, name: str, reader: str) -> int:
    manager = parts(node)
    if name not in manager.devices:
        orphaned = manager.spool.drop_orphan(name, reader)
        if orphaned is None:
            raise ReaderInUse(name, reader, known=False)
        return orphaned
    log = manager.spool.figures(name).readers
    if reader not in log or reader in manager.devices[name].users:
        raise ReaderInUse(name, reader, known=reader in log)
    manager.spool.drop_reader(name, reader)
    return log[reader].waiting_lines


def _drop_stored(node: Node, name: str, reader: str) -> int:
    if name in device_names(node.layout):
        settings = read_device(node.layout, name, None)
        if reader in users_of(settings, node.settings()):
            raise ReaderInUse(name, reader, known=True)
    try:
        return drop_position(Disk(), node.layout.logs, name, reader)
    except (FileNotFoundError, ValueError):
        raise ReaderInUse(name, reader, known=False) from None


@handles(table.DELETE_LOG)
async def delete(node: Node, args: Device, call: Call) -> LogDeleted:
    """Delete the log of a device that was removed; the ledger forgets it."""
    del call
    name, manager = args.name, node.manager
    if name in device_names(node.layout) or (manager is not None and name in manager.devices):
        raise LogInUse(name)
    if name not in await node.quick.run(log_names, node.layout.logs):
        raise NoSuchLog(name)
    if manager is None:
        gone = delete_log(Disk(), node.layout.logs, name)
        forget_log(node.layout.ledger, name)
    else:
        gone = await manager.spool.delete_log(name)
        manager.bookkeeper.forget_log(name)
    return LogDeleted(
        name=name, lines=gone.kept_lines, kept_bytes=gone.kept_bytes, disk_bytes=gone.disk_bytes
    )


@handles(table.ERASE_LINES)
async def erase(node: Node, args: Erasure, call: Call) -> LinesErased:
    """Erase the lines about an address or a user, in the log of a device or of a removed one."""
    about, name = mentions(args.address, args.user), args.name
    if name not in await node.quick.run(log_names, node.layout.logs):
        raise NoSuchLog(name)

    def report(done: int, total: int) -> None:
        call.report(Progress(phase="erase", text=f"log of {name}", done=done, total=total))

    if node.manager is None:
        found = erase_closed(Disk(), node.layout.logs, name, about, wall_seconds(node.clock))
    else:
        found = await node.manager.spool.erase(name, about, report)
    return LinesErased(name=name, **attrs.asdict(found))
