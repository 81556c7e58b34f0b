"""
Kill -9 at every step of an upload: state of the batch in hand, batches set aside, cursor, receiver.

A step is whatever `tests.fuse` sees, each write to the log's files, and each side of the receiver's
taking a batch.
"""

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import zstandard
from attrs import define, field
from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.task import Clock
from typing_extensions import Buffer

from tests.fuse import Fuse
from tests.spool.spool_room import AtOnce, make_spool, run_of
from tests.spool.test_spool_kill import forked
from tests.spool.test_spool_service import BIG
from tscm.base.threads import Threads
from tscm.spool.disk import Disk
from tscm.spool.service import SpoolService
from tscm.upload.batch import Part
from tscm.upload.failure import Kind, UploadFailed
from tscm.upload.receiver import Content
from tscm.upload.service import MAX_REFUSALS, UploadService

LINES = 40
POLICY = [b"<166>%%ASA-6-106100: line %04d" % at for at in range(0, LINES, 2)]
BAD = POLICY[3]


class FusedDisk(Disk):
    """A disk whose every write is a step."""

    def __init__(self, fuse: Fuse) -> None:
        self._fuse = fuse

    def pwrite(self, fd: int, data: Buffer, at: int) -> int:
        self._fuse.burn()
        return os.pwrite(fd, data, at)


@define(eq=False)
class Store:
    """A receiver that keeps batches by key, refuses the bad line for good and large batches too."""

    folder: Path
    fuse: Fuse = field(factory=Fuse)
    relented: bool = False

    def send(self, part: Part, content: Content) -> bool:
        self.fuse.burn()
        lines = zstandard.ZstdDecompressor().decompress(content.data)
        if not self.relented:
            if content.lines > 4:
                raise UploadFailed("asa", "too large", kind=Kind.SPLIT)
            if BAD in lines:
                raise UploadFailed("asa", "bad", kind=Kind.REFUSED)
        place = self.folder / part.key
        known = place.exists()
        assert not known or place.read_bytes() == lines
        handle = os.open(self.folder / ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.write(handle, lines)
        os.close(handle)
        (self.folder / ".new").rename(place)
        self.fuse.burn()
        return known

    @property
    def taken(self) -> list[bytes]:
        kept = (one for one in self.folder.iterdir() if not one.name.startswith("."))
        return sorted(line for one in kept for line in one.read_bytes().splitlines())


@define(eq=False)
class Life:
    """A spool and an uploader from a start to a stop."""

    clock: Clock
    spool: SpoolService
    service: UploadService

    def when(self, result: "Deferred[Any]") -> bool:
        """Let time pass until it is there; whether it is a success."""
        found: list[bool] = []
        result.addCallbacks(lambda _: found.append(True), lambda _: found.append(False))
        for _ in range(100):
            if found:
                return found[0]
            self.clock.advance(1)
        raise AssertionError("never done")

    def send_asides(self) -> None:
        listed: list[Any] = []
        self.service.rejected_batches().addCallback(listed.extend)
        for one in listed:
            assert self.when(self.service.resend_rejected(one.key))


def begin(folder: Path, store: Store, disk: Disk) -> Life:
    clock = Clock()
    spool = make_spool(folder / "logs", clock, disk)
    spool.open_device("asa", BIG)
    service = UploadService(
        clock,
        cast(Threads, AtOnce()),
        spool.reader("asa", "upload"),
        store,
        folder / "logs/asa/.spool/upload",
        partial(spool.seal, "asa"),
        DeferredSemaphore(1),
        chance=lambda: 0.0,
    )
    service.running = True  # no schedule: each try is made by hand
    return Life(clock, spool, service)


def prepared(folder: Path) -> Path:
    (folder / "taken").mkdir(parents=True)
    spool = make_spool(folder / "logs")
    spool.open_device("asa", BIG)
    spool.reader("asa", "upload")
    other = b"<166>%%ASA-6-302013: line %04d"
    lines = [POLICY[at // 2] if at % 2 == 0 else other % at for at in range(LINES)]
    assert spool.append("asa", [run_of(*lines)], 1.0)
    spool.stopService()
    return folder


def work(folder: Path, fuse: Fuse, tell: Callable[[str], None]) -> None:
    sys.addaudithook(fuse.watch)
    store = Store(folder / "taken", fuse)
    life = begin(folder, store, FusedDisk(fuse))
    for _ in range(MAX_REFUSALS):
        life.when(life.service.upload_now(lambda _: None))
    tell(f"aside {life.service.figures().rejected_batches}")
    store.relented = True
    life.send_asides()
    assert life.when(life.service.upload_now(lambda _: None))
    tell(f"steps {fuse.burnt}")


def check(folder: Path) -> None:
    """Another process sends the rest: every policy line is there once, and all is counted."""
    store = Store(folder / "taken", relented=True)
    life = begin(folder, store, Disk())
    assert life.when(life.service.upload_now(lambda _: None))
    life.send_asides()
    assert store.taken == sorted(POLICY)
    figures = life.spool.figures("asa").readers["upload"]
    assert figures.sent + figures.not_selected == LINES
    assert (figures.waiting_lines, figures.difference) == (0, 0)
    shown = life.service.figures()
    assert (shown.batch, shown.rejected_batches) == (None, 0)
    life.spool.stopService()


def test_a_kill_at_any_step_of_an_upload_sends_every_line_once(tmp_path: Path) -> None:
    whole = prepared(tmp_path / "whole")
    killed, told = forked(partial(work, whole, Fuse()))
    assert not killed
    assert told["aside"] == 1
    check(whole)
    assert told["steps"] > 60
    for step in range(1, told["steps"] + 1):
        folder = prepared(tmp_path / str(step))
        killed, _ = forked(partial(work, folder, Fuse(step)))
        assert killed, step
        try:
            check(folder)
        except AssertionError as error:
            raise AssertionError(f"killed at step {step} of {told['steps']}") from error
