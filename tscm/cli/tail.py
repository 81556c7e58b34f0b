"""
`tsadmin tail`: a device's lines as they come; with `--hits` those on which the lists acted.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, BinaryIO

import click
from attrs import define, frozen

from tscm.base.clock import told_time
from tscm.cli import say
from tscm.cli.hit_options import asked_of, hit_options
from tscm.cli.iso_times import with_iso
from tscm.cli.names import devices_arguments
from tscm.cli.session import Session
from tscm.cli.several import chosen
from tscm.cli.signals import INTERRUPTED
from tscm.events.explain import Explained, Explainer
from tscm.events.judge import Hit
from tscm.events.line_filter import LineFilter
from tscm.model import Json
from tscm.operations.arguments import Device
from tscm.operations.table.devices import VIEW
from tscm.printable import visible
from tscm.spool.index import IndexedRun
from tscm.spool.names import LogFolder
from tscm.spool.tools_export import Message, Passage
from tscm.syslog.asa_bulk import PolicyEvent

POLL_SECONDS = 0.25
_INDEX_LOOKS = 8
_LOOKED_AT_BYTES = 16 << 20
"""How far back `--hits` looks for lines to begin with."""
_COLOURS = {"blocked": "red", "allowed": "green"}


@click.command()
@devices_arguments
@click.option("--hits", is_flag=True, help="Only lines that match a list, with the matching entry.")
@hit_options
@click.option(
    "--lines",
    "-n",
    "count",
    type=click.IntRange(0, 10000),
    default=10,
    help="Number of lines to start with.  [default: 10]",
)
@click.option("--once", is_flag=True, help="Print the stored lines and exit.")
@click.option("--json", "json_output", is_flag=True, help="Print a JSON object for each line.")
@click.pass_obj
def command(
    session: Session,
    /,
    names: tuple[str, ...],
    *,
    everyone: bool,
    hits: bool,
    count: int,
    once: bool,
    json_output: bool,
    **about: Any,
) -> int:
    """
    Show the lines of a device's log as they arrive, each after its time of receipt and its sender; ^C stops it.

    With several devices, or all, each line comes after the name of its device.
    """
    asked = asked_of(about)
    fitting = LineFilter.read({**asked, "hits": hits})
    backend = session.backend()
    wanted = chosen(backend, names, everyone=everyone)
    settings = {name: backend.call(VIEW, Device(name=name)).settings for name in wanted}
    tails = [
        _Tail(
            session,
            name,
            (settings[name]["block_list"], settings[name]["allow_list"]),
            hits=hits or bool(asked),
            fitting=fitting,
            count=count,
            once=once,
            json_output=json_output,
            named=everyone or len(wanted) > 1,
            form=str(settings[name].get("type", "")),
        )
        for name in wanted
    ]
    try:
        if len(tails) == 1 or once:
            for one in tails:
                one.run()
        else:
            _together(tails)
    except KeyboardInterrupt:
        return INTERRUPTED  # it was asked to end, and has nothing to say of it
    return 0


def _together(tails: "Sequence[_Tail]") -> None:
    """All at once, until the first fault, ^C, or an output that is gone."""
    faults: SimpleQueue[BaseException] = SimpleQueue()

    def run(one: "_Tail") -> None:
        try:
            one.run()
        except BaseException as error:  # noqa: BLE001 - told by the main thread
            faults.put(error)

    for one in tails:
        threading.Thread(target=run, args=(one,), daemon=True).start()
    while tails:
        with suppress(Empty):
            raise faults.get(timeout=POLL_SECONDS)


_OUTPUT = threading.Lock()


@define(eq=False)
class _Tail:
    """One device's lines, followed."""

    session: Session
    name: str
    lists: tuple[str, str]
    hits: bool
    fitting: LineFilter
    count: int
    once: bool
    json_output: bool
    named: bool
    """Each line says of which device it is."""
    form: str = ""
    """The firewall's type, which says how its lines are read."""

    def run(self) -> None:
        """Without end, unless *once*."""
        _tail(
            self.session,
            self.name,
            hits=self.hits,
            fitting=self.fitting,
            count=self.count,
            once=self.once,
            json_output=self.json_output,
            lists=self.lists,
            form=self.form,
            show=self._show,
        )

    def _show(self, lines: Sequence[str]) -> None:
        with _OUTPUT:
            for line in lines:
                say.plain(self._of_device(line))
            sys.stdout.flush()

    def _of_device(self, line: str) -> str:
        if not self.named:
            return line
        if self.json_output:
            return json.dumps({"device": self.name, **json.loads(line)})
        return f"{self.name}: {line}"


def _tail(
    session: Session,
    name: str,
    *,
    hits: bool,
    fitting: LineFilter,
    count: int,
    once: bool,
    json_output: bool,
    lists: tuple[str, str],
    form: str,
    show: Callable[[Sequence[str]], None],
) -> None:
    from tscm.spool.disk import Disk
    from tscm.spool.tools_last import blocks_back

    layout = session.layout
    live = layout.device_log(name) / "syslog"
    explainer = Explainer(layout.database, name, lists, form) if hits else None

    def told(passage: Passage, at: float) -> list[str]:
        messages = passage.messages()
        if explainer is None or not passage.data:
            tell = _plain_json if json_output else _plain
            return [tell(one) for one in messages]
        explain = _explained_json if json_output else _explained
        return [
            explain(one, _message_of(one, messages))
            for one in explainer.explain(passage.data, at)
            if one.hit is not None and fitting.fits(one.hit)
        ]

    sealed = blocks_back(
        Disk(), layout.logs, name
    )  # looked at before the live segment: no line twice
    first, coloured = True, sys.stdout.isatty()
    folder = LogFolder(live.parent)
    for piece in follow(live, once=once):
        runs = whence(folder, piece)
        passage = Passage(offset=piece.offset, data=piece.data, runs=runs, base=0)
        lines = told(passage, time.time())
        if first:
            lines = last_lines(lines, sealed, told, count)
        show(lines if coloured else [click.unstyle(line) for line in lines])
        first = False


def last_lines(
    lines: list[str],
    sealed: Iterable[tuple[Passage, float]],
    told: Callable[[Passage, float], list[str]],
    count: int,
) -> list[str]:
    """The last *count* of *lines*, and before them as many of the *sealed* blocks as are missing."""
    found, looked = list(lines[-count:]) if count else [], 0
    blocks = iter(sealed)
    while len(found) < count and looked < _LOOKED_AT_BYTES:
        block, at = next(blocks, (None, 0.0))
        if block is None:
            break
        looked += len(block.data)
        found = told(block, at)[len(found) - count :] + found
    return found


@frozen
class Piece:
    """
    Whole lines of one segment: where they begin in it, and the file's inode.
    """

    data: bytes
    offset: int = 0
    inode: int = 0


def whence(folder: LogFolder, piece: Piece) -> Sequence[IndexedRun]:
    """
    The runs that tell times and senders of a piece.

    A manager writes its index within a second behind the lines, so that is waited for.
    """
    from tscm.spool.disk import Disk
    from tscm.spool.tools_last import live_runs

    runs: Sequence[IndexedRun] | None = ()
    end = piece.offset + len(piece.data)
    for _ in range(_INDEX_LOOKS):
        if not piece.data:
            return ()
        try:
            runs = live_runs(Disk(), folder, piece.inode)
        except OSError:
            runs = None
        if runs is None or (runs and runs[-1].offset + runs[-1].size >= end):
            break
        time.sleep(POLL_SECONDS)
    known = runs[-1].offset + runs[-1].size if runs else 0
    if known < end:  # without one, so that no line is taken for one of the run before
        rest = IndexedRun(known, end - known, 0, 0.0, None, escaped=True)
        return (*(runs or ()), rest)
    return runs or ()


def follow(live: Path, *, once: bool = False) -> Iterator[Piece]:
    """
    Blocks of whole lines: first the live segment as it is, which may be empty, then what is added,
    over every rotation.

    Without end, unless *once*.  A segment that is sealed while we look is read to its end first.
    """
    file: BinaryIO | None = None
    rest = b""
    begun = not live.exists()
    offset = inode = 0
    if begun:
        yield Piece(b"")
    try:
        while True:
            gone = file is None or _replaced(
                file, live
            )  # asked before reading: nothing slips between
            data = b"" if file is None else file.read()
            if data:
                data = rest + data
                cut = data.rfind(b"\n") + 1
                whole, rest = data[:cut], data[cut:]
                if whole or not begun:
                    yield Piece(whole, offset, inode)
                offset += cut
                begun = True
            elif file is not None and not begun:
                begun = True
                yield Piece(b"")
            elif gone and live.exists():
                if file is not None:
                    file.close()
                file, rest, offset = live.open("rb"), b"", 0
                inode = os.fstat(file.fileno()).st_ino
            elif once:
                return
            else:
                time.sleep(POLL_SECONDS)
    finally:
        if file is not None:
            file.close()


def _replaced(file: BinaryIO, live: Path) -> bool:
    try:
        return not os.path.samestat(os.fstat(file.fileno()), live.stat())
    except FileNotFoundError:
        return True


def _message_of(one: Explained, messages: Iterator[Message]) -> Message | None:
    """The message of an explained line; both come in the order of the log."""
    return next((message for message in messages if message.line == one.line), None)


def _came(message: Message | None) -> Json:
    """When and from whom a line came; None where a crash took that."""
    return {
        "received_at": message.received_at if message else None,
        "sender": message.sender if message else None,
    }


def _head(message: Message | None) -> str:
    """The same in front of a line."""
    at = message.received_at if message else None
    sender = message.sender if message else None
    return f"{told_time(at) if at else '-'} {visible(sender) if sender else '-'} "


def _plain_json(one: Message) -> str:
    return json.dumps(with_iso({"line": one.line.decode("utf-8", "replace"), **_came(one)}))


def _explained_json(one: Explained, message: Message | None) -> str:
    assert one.hit is not None
    told = {
        **_came(message),
        "line": one.line.decode("utf-8", "replace"),
        "event": _fields(one.event),
        "hit": _fields(one.hit),
    }
    return json.dumps(with_iso(told))


def _fields(value: PolicyEvent | Hit) -> Json:
    return {
        name: one.decode("utf-8", "replace") if isinstance(one, bytes) else one
        for name, one in value._asdict().items()
        if name != "flow"
    }


def _plain(one: Message) -> str:
    return _head(one) + visible(one.line.decode("utf-8", "replace"))


def _explained(one: Explained, message: Message | None) -> str:
    """The line's facts, the entry first: what the operator wants to see."""
    assert one.hit is not None
    hit, event = one.hit, one.event
    port = "" if event.port < 0 else f":{event.port}"
    text = (
        f"{hit.action} {hit.direction} {event.protocol} {event.source} -> {event.destination}{port}"
        f"  by {hit.list} {hit.entry}  hits {event.hits}"
    )
    return _head(message) + click.style(visible(text), fg=_COLOURS[hit.action])
