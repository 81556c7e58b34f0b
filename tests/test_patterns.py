"""
Regular expressions that mean the same to every Python that tscm runs on.
"""

import re
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "tscm"
POSSESSIVE_GROUP = re.compile(r"\)(?:[*+?]|\{[0-9,]+\})\+")


def test_no_group_is_repeated_possessively() -> None:
    """
    Python before 3.11.5 leaves the position wrong where a repeated group fails half way (gh-106052).

    Debian 12 has 3.11.2.  `(?>(?:…)*)` is the same and right everywhere; `[…]*+` always was.
    """
    faults = [
        f"{path.name}:{number}: {line.strip()}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if POSSESSIVE_GROUP.search(line)
    ]
    assert not faults
