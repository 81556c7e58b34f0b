"""
`tsadmin tail`: a device's lines as they come; with `--hits` those on which the lists acted.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import click

from tscm.cli import say
from tscm.cli.names import device_argument
from tscm.cli.session import Session
from tscm.cli.signals import INTERRUPTED
from tscm.events.explain import Explained, Explainer
from tscm.events.judge import Hit
from tscm.model import Json
from tscm.operations.arguments import Device
from tscm.operations.table import VIEW
from tscm.printable import visible
from tscm.syslog.asa_bulk import PolicyEvent

POLL_SECONDS = 0.25
_LOOKED_AT_BYTES = 16 << 20
"""How far back `--hits` looks for lines to begin with."""
_COLOURS = {"blocked": "red", "allowed": "green"}


@click.command()
@device_argument
@click.option("--hits", is_flag=True, help="Only lines on which a list acted, with the entry.")
@click.option(
    "--lines",
    "-n",
    "count",
    type=click.IntRange(0, 10000),
    default=10,
    help="How many lines to begin with.  [default: 10]",
)
@click.option("--once", is_flag=True, help="Show what is there and end.")
@click.option("--json", "json_output", is_flag=True, help="Give a JSON object for each line.")
@click.pass_obj
def command(
    session: Session, /, name: str, *, hits: bool, count: int, once: bool, json_output: bool
) -> int:
    """
    Show the lines of a device's log as they come; ^C ends it.
    """
    try:
        _tail(session, name, hits=hits, count=count, once=once, json_output=json_output)
    except KeyboardInterrupt:
        return INTERRUPTED  # it was asked to end, and has nothing to say of it
    return 0


def _tail(
    session: Session, name: str, *, hits: bool, count: int, once: bool, json_output: bool
) -> None:
    settings = session.backend().call(VIEW, Device(name=name))["settings"]
    layout = session.layout
    live = layout.device_log(name) / "syslog"
    names = (settings["block_list"], settings["allow_list"])
    explainer = Explainer(layout.database, name, names) if hits else None

    def told(block: bytes, at: float) -> list[str]:
        if explainer is None or not block:
            tell = _plain_json if json_output else _plain
            return [tell(line) for line in block.split(b"\n")[:-1]]
        explain = _explained_json if json_output else _explained
        return [explain(one) for one in explainer.explain(block, at) if one.hit is not None]

    from tscm.spool.disk import Disk
    from tscm.spool.tools_last import blocks_back

    sealed = blocks_back(
        Disk(), layout.logs, name
    )  # looked at before the live segment: no line twice
    first, coloured = True, sys.stdout.isatty()
    for block in follow(live, once=once):
        lines = told(block, time.time())
        if first:
            lines = last_lines(lines, sealed, told, count)
        for line in lines:
            say.plain(line if coloured else click.unstyle(line))
        sys.stdout.flush()
        first = False


def last_lines(
    lines: list[str],
    sealed: Iterable[tuple[bytes, float]],
    told: Callable[[bytes, float], list[str]],
    count: int,
) -> list[str]:
    """The last *count* of *lines*, and before them as many of the *sealed* blocks as are missing."""
    found, looked = list(lines[-count:]) if count else [], 0
    blocks = iter(sealed)
    while len(found) < count and looked < _LOOKED_AT_BYTES:
        block, at = next(blocks, (None, 0.0))
        if block is None:
            break
        looked += len(block)
        found = told(block, at)[len(found) - count :] + found
    return found


def follow(live: Path, *, once: bool = False) -> Iterator[bytes]:
    """
    Blocks of whole lines: first the live segment as it is, which may be b"", then what is added,
    over every rotation.

    Without end, unless *once*.  A segment that is sealed while we look is read to its end first.
    """
    file: BinaryIO | None = None
    rest = b""
    begun = not live.exists()
    if begun:
        yield b""
    try:
        while True:
            gone = file is None or _replaced(
                file, live
            )  # asked before reading: nothing slips between
            data = b"" if file is None else file.read()
            if data:
                whole, _, rest = (rest + data).rpartition(b"\n")
                if whole or not begun:
                    yield whole + b"\n" if whole else b""
                begun = True
            elif file is not None and not begun:
                begun = True
                yield b""
            elif gone and live.exists():
                if file is not None:
                    file.close()
                file, rest = live.open("rb"), b""
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


def _plain_json(line: bytes) -> str:
    return json.dumps({"line": line.decode("utf-8", "replace")})


def _explained_json(one: Explained) -> str:
    assert one.hit is not None
    return json.dumps(
        {
            "line": one.line.decode("utf-8", "replace"),
            "event": _fields(one.event),
            "hit": _fields(one.hit),
        }
    )


def _fields(value: PolicyEvent | Hit) -> Json:
    return {
        name: one.decode("utf-8", "replace") if isinstance(one, bytes) else one
        for name, one in value._asdict().items()
        if name != "flow"
    }


def _plain(line: bytes) -> str:
    return visible(line.decode("utf-8", "replace"))


def _explained(one: Explained) -> str:
    """The line's facts, the entry first: what the operator wants to see."""
    assert one.hit is not None
    hit, event = one.hit, one.event
    port = "" if event.port < 0 else f":{event.port}"
    text = (
        f"{hit.action} {hit.direction} {event.protocol} {event.source} -> {event.destination}{port}"
        f"  by {hit.list} {hit.entry}  hits {event.hits}"
    )
    return click.style(visible(text), fg=_COLOURS[hit.action])
