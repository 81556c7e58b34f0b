"""
`copy`: which configuration goes where, and what is asked about it on a terminal.

`/noconfirm` asks nothing, and neither does a session that no user types in.
"""

from collections.abc import Sequence
from hashlib import md5

from attrs import evolve, frozen

from tscm.simulator.device import Device
from tscm.simulator.refusal import INCOMPLETE, INVALID, Cause, Refused

RUNNING, STARTUP = "running-config", "startup-config"
_NO_CONFIRM = "/noconfirm"
_DISKS = ("flash:", "disk0:", "disk1:", "boot:")
_MAX_NAME = 63
_MAX_FILES = 64
_SHORTEST = {RUNNING: "run", STARTUP: "start"}


@frozen(kw_only=True)
class Copy:
    """
    *source* is a configuration; *target* is the startup configuration or a disk with a file name.
    """

    source: str
    target: str
    asks: bool

    @property
    def file(self) -> str:
        """The name on the disk; empty for the startup configuration."""
        return "" if self.target == STARTUP else self.target.partition(":")[2].lstrip("/")


def read_copy(words: Sequence[str]) -> Copy:
    """What follows `copy`; raises `Refused`."""
    asks = _NO_CONFIRM not in words[:1]
    ends = list(words[0 if asks else 1 :])
    first = 1 if asks else 2
    if len(ends) < 2:
        raise Refused(Cause.SYNTAX, INCOMPLETE)
    source = _configuration(ends[0].removeprefix("system:"))
    if source is None or len(ends) > 2:
        raise Refused(Cause.SYNTAX, INVALID, at=first if source is None else first + 2)
    target = _configuration(ends[1])
    if target == STARTUP and source == RUNNING:
        return Copy(source=source, target=STARTUP, asks=asks)
    if target is not None or not ends[1].startswith(_DISKS):
        raise Refused(Cause.SYNTAX, INVALID, at=first + 1)
    return Copy(source=source, target=ends[1], asks=asks)


def _configuration(word: str) -> str | None:
    for whole, shortest in _SHORTEST.items():
        if whole.startswith(word) and len(word) >= len(shortest):
            return whole
    return None


def questions(copy: Copy) -> list[str]:
    """What is asked before it is done; Enter takes what stands in the brackets."""
    asked = [f"Source filename [{copy.source}]? "]
    if copy.target != STARTUP:
        asked.append(f"Destination filename [{copy.file}]? ")
    return asked


def answered(copy: Copy, answers: Sequence[str]) -> Copy:
    """The copy as the answers make it; raises `Refused` where there is no such source."""
    given = answers[0].strip()
    source = _configuration(given) if given else copy.source
    if source is None:
        text = f"%Error opening system:/{given} (No such file or directory)"
        raise Refused(Cause.ABSENT, text)
    copy = evolve(copy, source=source)
    name = answers[1].strip() if len(answers) > 1 else ""
    if name:
        disk = copy.target.partition(":")[0]
        copy = evolve(copy, target=name if name.startswith(_DISKS) else f"{disk}:/{name}")
    return copy


def overwrites(device: Device, copy: Copy) -> bool:
    """Is there a file of that name?"""
    return copy.file in device.files


OVERWRITE = (
    "%Warning:There is a file already existing with this name\nDo you want to over write? [confirm]"
)


def carry_out(device: Device, copy: Copy, now: float) -> str:
    """Do it; what it prints.  Raises `Refused`."""
    text = device.startup if copy.source == STARTUP else device.running_config()
    if copy.target == STARTUP:
        device.save(now)
    else:
        name = copy.file
        if not name or len(name) > _MAX_NAME or " " in name:
            raise Refused(Cause.BAD_NAME, f"%Error writing {copy.target[:80]} (Invalid argument)")
        if name not in device.files and len(device.files) >= _MAX_FILES:
            text = f"%Error writing {copy.target} (No space left on device)"
            raise Refused(Cause.TOO_MANY, text)
        device.files[name] = len(text)
    digest = md5(text.encode(), usedforsecurity=False).hexdigest()
    words = " ".join(digest[at : at + 8] for at in range(0, 32, 8))
    return f"Cryptochecksum: {words} \n\n{len(text)} bytes copied in 0.290 secs\n"
