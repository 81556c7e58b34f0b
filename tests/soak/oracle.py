"""
The oracle of the soak: what was issued, what was stored, what arrived, and whether it fits.

Pure.  A line carries its number; repeats are allowed on plain syslog and none on upload; of every
broken connection one last line may be cut.
"""

from collections import Counter
from collections.abc import Iterable

from attrs import field, frozen


@frozen(kw_only=True)
class Evidence:
    """
    Everything that was seen.  *broken* counts the connections that were cut on purpose.
    """

    issued: frozenset[bytes]
    stored: tuple[bytes, ...]
    forwarded: tuple[bytes, ...]
    uploaded: tuple[bytes, ...]
    policy: frozenset[bytes]
    """The issued lines that an upload should hold."""
    broken_in: int = 0
    broken_out: int = 0


@frozen(kw_only=True)
class Verdict:
    """
    What does not fit, a sentence each; and the figures.
    """

    faults: tuple[str, ...]
    figures: dict[str, int] = field(factory=dict)


def judge(seen: Evidence) -> Verdict:
    """Does what arrived follow from what was stored, and what was stored from what was issued?"""
    stored = Counter(seen.stored)
    whole = {line for line in stored if line in seen.issued}
    cut = [line for line in stored if line not in seen.issued]
    faults = _strangers("stored", cut, seen.issued, seen.broken_in)
    twice = [line for line, count in stored.items() if count > 1 and line in whole]
    faults += [f"{len(twice)} lines are stored more than once, as {twice[0]!r}"] if twice else []

    forwarded = Counter(seen.forwarded)
    missing = [line for line in stored if line not in forwarded]
    faults += (
        [f"{len(missing)} stored lines never reached the SIEM, as {missing[0]!r}"]
        if missing
        else []
    )
    odd = [line for line in forwarded if line not in stored]
    faults += _strangers("forwarded", odd, stored, seen.broken_out)

    expected = Counter(line for line in seen.stored if line in seen.policy)
    uploaded = Counter(seen.uploaded)
    for line in expected - uploaded:
        faults.append(
            f"{(expected - uploaded).total()} policy lines were not uploaded, as {line!r}"
        )
        break
    for line in uploaded - expected:
        faults.append(
            f"{(uploaded - expected).total()} lines were uploaded that should not be, as {line!r}"
        )
        break
    figures = {
        "issued": len(seen.issued),
        "stored": len(seen.stored),
        "stored cut": len(cut),
        "forwarded": len(seen.forwarded),
        "repeated on the way": forwarded.total() - len(forwarded),
        "forwarded cut": len(odd),
        "uploaded": len(seen.uploaded),
        "connections cut on the way in": seen.broken_in,
        "connections cut on the way out": seen.broken_out,
    }
    return Verdict(faults=tuple(faults), figures=figures)


def _strangers(
    what: str, lines: Iterable[bytes], known: Iterable[bytes], allowed: int
) -> list[str]:
    """Lines that nobody issued: the beginning of a known line may stand for a cut one."""
    listed = list(lines)
    if not listed:
        return []
    beginnings = sorted(known)
    faults = [
        f"{what}: {line!r} was never issued"
        for line in listed
        if not any(one.startswith(line) for one in _from(beginnings, line))
    ]
    if len(listed) > allowed:
        faults.append(f"{what}: {len(listed)} cut lines, and only {allowed} connections were cut")
    return faults


def _from(ordered: list[bytes], line: bytes) -> list[bytes]:
    from bisect import bisect_left

    at = bisect_left(ordered, line)
    return ordered[at : at + 1]
