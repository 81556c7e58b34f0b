"""
Lines that come while their log is being repaired: kept on the disk, and put behind it then.

A log that a crash left with gigabytes in its live file is opened in a thread (`tscm.spool.glance`).  What comes
for it meanwhile goes to a small log of its own in `.spool/early`, which needs nothing that is being looked for: neither
where the text ends nor how many lines it has.  When the log is open, its live text is sealed, and the early
one becomes the live text, by one renaming.  A crash before that leaves the early lines where they are, and the
next start puts them in their place.
"""

import contextlib
from pathlib import Path

from attrs import evolve
from twisted.logger import Logger

from tscm.plural import many
from tscm.spool.bridge import runs_within
from tscm.spool.disk import Disk
from tscm.spool.glance import AT_ONCE_BYTES, Glance
from tscm.spool.index import IndexEncoder, read_index
from tscm.spool.index_file import read_records
from tscm.spool.live import LiveLog
from tscm.spool.names import LogFolder, segment_starts, torn_names
from tscm.spool.recovery import open_log
from tscm.spool.text import unused_torn

_log = Logger()
NEVER_FULL = 1 << 62


def early_folder(folder: LogFolder) -> LogFolder:
    """Where the early lines of a log lie."""
    return LogFolder(folder.spool / "early")


def open_early(disk: Disk, folder: LogFolder, now: float) -> LiveLog:
    """
    The small log for lines that come before theirs is open; what an earlier one left is in it.

    Raises `OSError`.
    """
    early = open_log(disk, early_folder(folder), now)
    early.full_bytes = NEVER_FULL
    return early


def open_at_once(
    disk: Disk,
    folder: LogFolder,
    now: float,
    most_unknown: int | None = None,
    at_once_bytes: int = AT_ONCE_BYTES,
) -> LiveLog:
    """
    As `open_whole`, where little has to be read.  Raises `TakesLong`, with nothing done that a start would
    not do again; `OSError`.
    """
    live = open_whole(Glance(disk, at_once_bytes).disk, folder, now, most_unknown)
    live.take_disk(disk)
    return live


def open_whole(
    disk: Disk, folder: LogFolder, now: float, most_unknown: int | None = None
) -> LiveLog:
    """A log fit for use, with the early lines that an earlier start left behind it.  Raises `OSError`."""
    live = open_log(disk, folder, now, most_unknown)
    try:
        if disk.size_of(early_folder(folder).live):
            early = open_early(disk, folder, now)
            try:
                sealed = adopt(live, early)
            finally:
                early.release()
            if sealed >= 0:
                disk.close(sealed)
        clear(disk, folder)
    except BaseException:
        live.release()
        raise
    return live


def adopt(live: LiveLog, early: LiveLog) -> int:
    """
    Put the early lines behind an open log.

    Gives the descriptor of the text that was sealed for it, now the caller's, or -1.  Raises `OSError`; then
    the early lines are still where they were, but for one that comes from the last step, the renaming.
    """
    disk, folder, size = live.disk, live.folder, early.end - early.base
    early.flush_index()
    _keep_odd(live, early)
    if not size:
        return -1
    sealed = live.seal() if live.end > live.base else -1
    index = read_index(read_records(disk, early.folder.index(early.base)) or b"")
    runs = runs_within(index, 0, size, early.lines - early.lines_before)
    first_at = early.first_at or early.last_at
    encoder = IndexEncoder()
    content = encoder.header(live.base, live.lines_before, first_at) + encoder.runs(runs)
    live.finish_rename()
    fd = early.fd  # a parked one is opened by its name, which it is about to lose
    disk.publish(folder.index(live.base), content)
    disk.rename(early.folder.live, folder.live)
    disk.close(live.fd)
    live.fd, early.fd = fd, -1
    lines = early.lines - early.lines_before
    live.begin_at(live.base, live.lines_before)
    live.encoder, live.index_bytes, live.first_at = encoder, len(content), first_at
    live.end, live.lines = live.base + size, live.lines + lines
    live.last_at = max(live.last_at, early.last_at)
    live.state = evolve(
        live.state, unknown_lines=live.state.unknown_lines + early.state.unknown_lines
    )
    _log.info(
        "{lines} arrived for {device} while its log was being repaired, and are now stored after it",
        lines=many(lines, "line", "lines"),
        device=folder.path.name,
    )
    return sealed


def _keep_odd(live: LiveLog, early: LiveLog) -> None:
    """What another process did to the early text, and its opening kept aside, is kept with that of the log."""
    disk, place = live.disk, early.folder
    odd: list[Path] = [place.segment(start) for start in segment_starts(disk.names(place.path))]
    odd += [place.spool / name for name in torn_names(disk.names(place.spool))]
    for path in odd:
        disk.rename(path, unused_torn(disk, live.folder, live.end))
    if odd:
        live.state = evolve(
            live.state,
            torn_bytes=live.state.torn_bytes + early.state.torn_bytes,
            torn_files=live.state.torn_files + len(odd),
        )


def clear(disk: Disk, folder: LogFolder) -> None:
    """
    Remove what is left of an early log whose lines stand in their place.

    What the disk does not let go is in no log's way.
    """
    place = early_folder(folder)
    if disk.is_free(place.path):
        return
    with contextlib.suppress(OSError):
        for path in (place.spool, place.path):
            for name in disk.names(path):
                if path / name != place.spool:
                    disk.unlink(path / name)
            disk.remove_folder(path)
