"""
`show … | include EXPRESSION` and its kin, in a time that grows with the text alone.

Expressions come from the user who types, and matching runs where everything else does.  Parts that are
joined by `.*` are looked for one behind the other; any other repetition may stand once, in text that
is not too long for it.
"""

import re
from collections.abc import Callable, Sequence

from tscm.simulator.refusal import INCOMPLETE, INVALID, Cause, Refused

_FILTERS = ("begin", "exclude", "grep", "include")
_MAX_PATTERN = 100
_MAX_COST = 100_000_000
"""Sum of the squares of the lengths of the lines."""
_ANYTHING = ".*"
_REPEATS = re.compile(r"(?<!\\)[*+?{]")
_REPEATED_GROUP = re.compile(r"\)[*+?{]")
_BRANCHES = re.compile(r"(?<!\\)[(|]")

Matches = Callable[[str], bool]


def filtered(text: str, condition: Sequence[str]) -> str:
    """The lines of *text* that *condition*, the words behind the bar, lets through; raises `Refused`."""
    if len(condition) < 2:
        raise Refused(Cause.SYNTAX, INCOMPLETE)
    found = [one for one in _FILTERS if one.startswith(condition[0])]
    if not found:
        raise Refused(Cause.SYNTAX, INVALID, at=2)
    how, words = found[0], list(condition[1:])
    invert = how == "exclude"
    if how == "grep" and words[0] == "-v":
        invert, words = True, words[1:]
    lines = text.splitlines()
    matches = _matcher(" ".join(words), lines)
    if how == "begin":
        start = next((at for at, one in enumerate(lines) if matches(one)), len(lines))
        kept = lines[start:]
    else:
        kept = [one for one in lines if matches(one) != invert]
    return "".join(one + "\n" for one in kept)


def _matcher(pattern: str, lines: Sequence[str]) -> Matches:
    if len(pattern) > _MAX_PATTERN:
        raise Refused(Cause.SYNTAX, INVALID, at=3)
    parts = [pattern]
    if not _BRANCHES.search(pattern) and r"\.*" not in pattern:
        parts = pattern.split(_ANYTHING)
    repeats = sum(len(_REPEATS.findall(one)) for one in parts)
    if repeats and (len(parts) > 1 or repeats > 1 or _REPEATED_GROUP.search(pattern)):
        raise Refused(Cause.SYNTAX, INVALID, at=3)
    if repeats and sum(len(one) ** 2 for one in lines) > _MAX_COST:
        raise Refused(Cause.SYNTAX, "ERROR: the expression is too costly for a text of that size")
    try:
        compiled = [re.compile(one) for one in parts]
    except (re.error, RecursionError, OverflowError):
        raise Refused(Cause.SYNTAX, INVALID, at=3) from None
    return _in_turn(compiled)


def _in_turn(parts: Sequence[re.Pattern[str]]) -> Matches:
    """Without repetitions each part has one length, so that its first place leaves the most behind it."""

    def matches(line: str) -> bool:
        at = 0
        for part in parts:
            found = part.search(line, at)
            if found is None:
                return False
            at = found.end()
        return True

    return matches
