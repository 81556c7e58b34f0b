"""
Regular expressions that mean the same to every Python that tscm runs on.
"""

import re
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "tscm"
POSSESSIVE_GROUP = re.compile(r"\)(?:[*+?]|\{[0-9,]+\})\+")
SOUND = (
    r'(?:\\.[^"\\]*+)*+"',
    r"""(?:' + _QUOTED + rb'[^\[\]{}"]*+)*+[\]}]""",
    r"(?:[^\"\\]++|\\.)*+\"",
)
"""A round of these fails half way only at the end of the text, where nothing can follow."""


def test_no_group_is_repeated_possessively() -> None:
    """
    Python before 3.11.5 leaves the position wrong where a repeated group fails half way (gh-106052).

    Debian 12 has 3.11.2.  `(?>(?:…)*)` is right everywhere, and takes memory for each round;
    `[…]*+` always was right.
    """
    faults = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            rest = line
            for sound in SOUND:
                rest = rest.replace(sound, "")
            if POSSESSIVE_GROUP.search(rest):
                faults.append(f"{path.name}:{number}: {line.strip()}")
    assert not faults
