"""
`tsadmin tail`: a device's lines as they come; with `--hits` those on which the lists acted.
"""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import click

from tscm.cli import say
from tscm.cli.names import device_argument
from tscm.cli.session import Session
from tscm.events.explain import Explained, Explainer

POLL_SECONDS = 0.25
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
@click.pass_obj
def command(session: Session, /, name: str, *, hits: bool, count: int, once: bool) -> None:
    """
    Show the lines of a device's log as they come; ^C ends it.
    """
    settings = session.backend().view(name)["settings"]
    layout = session.layout
    live = layout.device_log(name) / "syslog"
    names = (settings["block_list"], settings["allow_list"])
    explainer = Explainer(layout.database, name, names) if hits else None
    first = True
    for block in follow(live, once=once):
        if explainer is None or not block:
            lines = [_plain(line) for line in block.split(b"\n")[:-1]]
        else:
            lines = [
                _explained(one)
                for one in explainer.explain(block, time.time())
                if one.hit is not None
            ]
        for line in lines[-count:] if first and count else () if first else lines:
            click.echo(line)
        sys.stdout.flush()
        first = False


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


def _plain(line: bytes) -> str:
    return say.visible(line.decode("utf-8", "replace"))


def _explained(one: Explained) -> str:
    """The line's facts, the entry first: what the operator wants to see."""
    assert one.hit is not None
    hit, event = one.hit, one.event
    port = "" if event.port < 0 else f":{event.port}"
    text = (
        f"{hit.action} {hit.direction} {event.protocol} {event.source} -> {event.destination}{port}"
        f"  by {hit.list} {hit.entry}  hits {event.hits}"
    )
    return click.style(say.visible(text), fg=_COLOURS[hit.action])
