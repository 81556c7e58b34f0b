"""
A running configuration without what is not asked of it: megabytes become kilobytes.  Pure.

Kept are, in their order, the lines that tell of groups of a prefix and of names like theirs, the first entry of
each access-list that leaves nothing to those below it, where access-lists are bound, interfaces, logging and
accounts.  `read_running`, and who looks for lines with a group, find in it what they find in the whole.
"""

import re
from collections.abc import Iterator

from tscm.kinds.asa.access_lists import read_entry
from tscm.kinds.asa.running import service_groups

_WHOLE = ("access-group ", "logging ", "no logging message ", "username ")
_OF_INTERFACE = re.compile(r" (?:nameif|security-level|ip address|management-only)\b")
_DEFINED = re.compile(r"object(?:-group)? \S+ (\S+)")
_NAMED = re.compile(r"object-group (\S+)")


def condense(text: str, prefix: str) -> str:
    """*text*, as `show running-config` prints it, without the lines that are not about *prefix* or logging."""
    services = service_groups(text)
    kept = list(_kept(text, prefix, services))
    used = {
        name
        for line in kept
        if line.startswith("access-list ")
        for name in _NAMED.findall(line)
        if name in services
    }
    # What narrows a kept entry must be known as such.
    return "\n".join([*(f"object-group service {name}" for name in sorted(used)), *kept])


def _kept(text: str, prefix: str, services: frozenset[str]) -> Iterator[str]:
    mine = re.compile(rf"(?<![\w-])(?:object-group|group-object) {re.escape(prefix)}-")
    covered: set[str] = set()
    head, told = "", False  # the line that an indented one belongs to, and whether it was kept
    for line in text.splitlines():
        inside = line.startswith(" ")
        if not inside:
            head, told = line, False
        if not (
            mine.search(line)
            or (head.startswith("interface ") and (not inside or _OF_INTERFACE.match(line)))
            or (not inside and _is_wanted(line, prefix, services, covered))
        ):
            continue
        if inside and not told:
            yield head
        told = True
        yield line


def _is_wanted(line: str, prefix: str, services: frozenset[str], covered: set[str]) -> bool:
    if line.startswith(_WHOLE):
        return True
    defined = _DEFINED.match(line)
    if defined is not None:
        return defined[1].startswith(f"{prefix}-")
    if not line.startswith("access-list "):
        return False
    entry = read_entry(line, services)
    if entry is None or not entry.takes_everything or entry.access_list in covered:
        return False
    covered.add(entry.access_list)
    return True
