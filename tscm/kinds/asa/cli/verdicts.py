"""
What a line of output means for the command before it.  Pure.

`INFO:` means nothing and `WARNING:` is told.  A member that is there already, or gone already, is as it was asked to
be.  Everything else that a configuration command prints is a refusal, with or without `ERROR:` in front.
"""

import re
from enum import Enum

from tscm.printable import quoted

_QUOTED = 200


class Verdict(Enum):
    """
    One line's meaning, the gravest last.
    """

    NOTHING = 0
    TOLD = 1
    DONE_ALREADY = 2
    REFUSED = 3
    FORBIDDEN = 4
    """The account may not do this."""
    REPLICATING = 5
    """The mate takes the whole configuration: what is changed now may not reach it."""
    STANDBY = 6
    """What is changed on this unit reaches no other unit: stop."""


_STANDBY = (
    "configuration replication is not performed",
    "configurations are no longer synchronized",
)
_STARS = re.compile(r"\*{2,} ?WARNING ?\*{2,}")
_REPLICATION_BEGINS = "beginning configuration replication"
_REPLICATION_ENDS = "end configuration replication"
_ALREADY = (
    "object already exists",
    "obj does not exist in this group",
    "failed; it does not exist",
)
_SYSLOG = re.compile(r"(?:<\d{1,3}>)?(?:[^%]{0,60})%ASA-")


def judge(line: str) -> Verdict:
    """What *line* says of the command that printed it."""
    text = line.strip()
    if not text.strip(" ^"):
        return Verdict.NOTHING  # the mark under a word at fault, whose sentence is to come
    low = text.lower()
    if any(words in low for words in _STANDBY):
        return Verdict.STANDBY
    if _STARS.fullmatch(text):
        return Verdict.TOLD  # what it warns of stands below
    if is_notice(line):
        return Verdict.REPLICATING if _REPLICATION_BEGINS in low else Verdict.NOTHING
    if any(low.endswith(words) or f"{words}." in low for words in _ALREADY):
        return Verdict.DONE_ALREADY
    if "command authorization failed" in low:
        return Verdict.FORBIDDEN
    if low.startswith("info:"):
        return Verdict.NOTHING
    return Verdict.TOLD if low.startswith("warning:") else Verdict.REFUSED


def is_notice(line: str) -> bool:
    """Is it printed by itself, at any time, and answers no command?"""
    low = line.strip().lower()
    return (
        _REPLICATION_BEGINS in low
        or _REPLICATION_ENDS in low
        or _SYSLOG.match(line.strip()) is not None
    )


def as_words(line: str) -> str:
    """A device's line as an error may quote it."""
    return quoted(line.strip(), _QUOTED)
