"""
The last answer of each feed's publisher, kept over restarts for all devices and all who ask.

Two files for each place: `KEY.json` says when it was asked and when it may be asked again, and
`KEY-DIGEST.zst` is the content.  The key is a digest, so that nothing of a URL lies there.  The content
is written first and named by its digest: a process that is killed in between leaves the old answer whole.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import zstandard
from attrs import asdict, field, fields, frozen

from tscm.base.backup_rule import BackupRule, Treatment
from tscm.base.safe_files import open_own, read_regular
from tscm.retrieve.content import FeedFault

_LEVEL = 1
_META_BYTES = 1 << 16
_FORGET_SECONDS = 30 * 86400.0
"""An answer that was not renewed for so long belongs to a feed that is gone."""
_LOOK_SECONDS = 0.1


BACKUP = (
    BackupRule("var/lib/tscm/feeds/*.lock", Treatment.LEFT_OUT, "a lock of this host"),
    BackupRule("var/lib/tscm/feeds/*", Treatment.COPY),
)
"""What a backup does with them: a publisher may not allow the next download for a day."""


@frozen(kw_only=True)
class Answer:
    """
    What is known of a place that lists come from; times are seconds since the epoch.

    *asked_at* is when it was asked last, *not_before* when it may be asked again, *got_at* when *content*
    was confirmed last, and *fault* why the last question brought nothing.  *waits* says that the
    publisher only asked for patience, so that the content goes on counting for a while.
    """

    asked_at: float = 0.0
    not_before: float = 0.0
    got_at: float = 0.0
    content: str | None = None
    """SHA-256 of the content, in hexadecimal digits."""
    marks: Mapping[str, str] = field(factory=dict)
    """Validators for the next question, and the hosts that redirections led to."""
    fault: str = ""
    remedy: str = ""
    waits: bool = False

    def may_be_asked(self, now: float) -> bool:
        """Is the least interval over?  A clock that was set back delays no fetch."""
        return not self.asked_at <= now < self.not_before


@frozen
class Answers:
    """
    The kept answers in a *folder*, which is made when the first one is kept; None keeps nothing.
    """

    folder: Path | None

    @contextmanager
    def alone(self, key: str, left: Callable[[], float]) -> Iterator[None]:
        """
        Hold *key* against every other thread and process; raises `FeedFault` when no time is *left*.

        Where the folder cannot be written, no fetch is delayed.
        """
        handle = self._lock(key)
        if handle is None:
            yield
            return
        try:
            while not _taken(handle):
                if left() <= 0:
                    raise FeedFault("another update is fetching it and takes too long")
                time.sleep(_LOOK_SECONDS)
            yield
        finally:
            os.close(handle)

    def _lock(self, key: str) -> int | None:
        if self.folder is None:
            return None
        with contextlib.suppress(OSError):
            self.folder.mkdir(mode=0o750, parents=True, exist_ok=True)
            return open_own(self.folder / f"{key}.lock", os.O_RDWR | os.O_CREAT, 0o640)
        return None

    def known(self, key: str) -> Answer:
        """What is kept of *key*; an empty answer where nothing is, or where it is damaged."""
        if self.folder is None:
            return Answer()
        try:
            kept = json.loads(read_regular(self._meta(key), _META_BYTES, links=False))
            answer = Answer(**{one.name: kept[one.name] for one in fields(Answer)})
            return answer if _fits(answer) else Answer()
        except (OSError, ValueError, KeyError, TypeError):
            return Answer()

    def content(self, key: str, answer: Answer, most: int) -> bytes | None:
        """The content of *answer*, which holds at most *most* bytes; None where it is not there whole."""
        if self.folder is None or answer.content is None:
            return None
        try:
            packed = read_regular(
                self._content(key, answer.content), most + _META_BYTES, links=False
            )
            content = zstandard.ZstdDecompressor().decompress(packed, max_output_size=most)
        except (OSError, zstandard.ZstdError, MemoryError):
            return None
        return content if digest_of(content) == answer.content else None

    def keep(self, key: str, answer: Answer, content: bytes | None = None) -> None:
        """
        Take *answer* as the latest, with its *content* where that is new.

        What cannot be written is not kept: the next one asks again.
        """
        if self.folder is None:
            return
        with contextlib.suppress(OSError):
            if content is not None and answer.content is not None:
                packed = zstandard.ZstdCompressor(level=_LEVEL).compress(content)
                _replace(self._content(key, answer.content), packed)
            _replace(self._meta(key), json.dumps(asdict(answer)).encode())
            if content is not None:
                self._tidy(key, answer)

    def _tidy(self, key: str, answer: Answer) -> None:
        """Remove older content of *key*, and all of feeds that are gone."""
        assert self.folder is not None
        old = time.time() - _FORGET_SECONDS
        present = None if answer.content is None else self._content(key, answer.content)
        for path in self.folder.iterdir():
            with contextlib.suppress(OSError):
                replaced = path.name.startswith(f"{key}-") and path != present
                if replaced or (path.suffix != ".lock" and path.stat().st_mtime < old):
                    path.unlink()

    def _meta(self, key: str) -> Path:
        assert self.folder is not None
        return self.folder / f"{key}.json"

    def _content(self, key: str, digest: str) -> Path:
        assert self.folder is not None
        return self.folder / f"{key}-{digest[:32]}.zst"


def digest_of(content: bytes) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def _fits(answer: Answer) -> bool:
    times = (answer.asked_at, answer.not_before, answer.got_at)
    texts: list[Any] = [answer.fault, answer.remedy, *answer.marks, *answer.marks.values()]
    if answer.content is not None:
        texts.append(answer.content)
        if not answer.content.isalnum():
            return False
    return all(isinstance(one, int | float) for one in times) and all(
        isinstance(one, str) for one in texts
    )


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _replace(path: Path, content: bytes) -> None:
    fresh = path.with_name(f"{path.name}.new")
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()  # of a process that was killed
    handle = open_own(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(handle)
    fresh.replace(path)
