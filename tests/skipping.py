"""
The sentences of tests that cannot run here, and what they come to at the end of a run.
"""

import re
from collections import Counter
from collections.abc import Iterable

INSTALL = "apt-get install"
PACKAGE = re.compile(rf"- {INSTALL} (\S+)$")


def lacking(what: str, package: str) -> str:
    """Why a test is skipped that needs *what*, which Debian has in *package*."""
    return f"needs {what} - {INSTALL} {package}"


def skipped_lines(reasons: Iterable[str]) -> list[str]:
    """
    One line for each distinct reason, the most frequent first, and the command that brings them all.
    """
    seen = list(reasons)
    counted = Counter(why.partition(": ")[0] for why in seen).most_common()
    first = {why.partition(": ")[0]: why for why in reversed(seen)}  # details differ: show one
    lines = [
        f"skipped {count} {'test' if count == 1 else 'tests'}: {first[why]}"
        for why, count in counted
    ]
    packages = sorted({found[1] for why, _ in counted if (found := PACKAGE.search(why))})
    if len(packages) > 1:
        lines.append(f"to run all of these that need a package: {INSTALL} {' '.join(packages)}")
    return lines
