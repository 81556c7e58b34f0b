"""
Indicators of STIX 2.1: the addresses of their patterns, as far as these are of addresses alone.  Pure.

Of each indicator the version that was modified last counts (STIX 2.1, 3.6).  One that is revoked, or
whose validity is over or still to come, gives nothing.  Every other object is counted by what it is.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from attrs import define, field, frozen

from tscm.policy.collect import Collector

_TIME_MOST = 40
_TYPE = re.compile(r"[a-z0-9-]{1,60}")
_LITERAL = r"'[^'\\]{1,64}'"
_TOKEN = re.compile(
    r"\s*+(?:(?P<open>[\[(])|(?P<close>[\])])|(?P<or>OR\b)|"
    r"ipv[46]-addr:value\s*+(?:(?:=|ISSUBSET\b)\s*+(?P<one>" + _LITERAL + r")|"
    r"IN\s*+\((?P<many>[^()\[\]\\]*+)\)))"
)
_IN = re.compile(_LITERAL)
_PAIRS = {"[": "]", "(": ")"}


def addresses_of(pattern: str) -> tuple[str, ...] | None:
    """
    The networks of a pattern that compares addresses and joins them with OR; None for any other.

    `=` with a network, `ISSUBSET` and `IN` are read too (STIX 2.1, 9.4 to 9.6); AND, NOT, FOLLOWEDBY, and
    qualifiers say more than a list of networks can.
    """
    text, at, operand = pattern.rstrip(), 0, True
    open_: list[str] = []
    found: list[str] = []
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            return None
        at = token.end()
        if (mark := token["open"]) is not None:
            if not operand or ("[" in open_ and mark == "["):
                return None
            open_.append(mark)
        elif (mark := token["close"]) is not None:
            if operand or not open_ or _PAIRS[open_.pop()] != mark:
                return None
        elif token["or"] is not None:
            if operand:
                return None
            operand = True
        else:
            if not operand or "[" not in open_:
                return None
            operand = False
            each = _literals(token)
            if each is None:
                return None
            found += each
    return None if operand or open_ else tuple(found)


def _literals(token: re.Match[str]) -> list[str] | None:
    if token["one"] is not None:
        return [token["one"][1:-1].strip()]
    each = [one.strip() for one in token["many"].split(",")]
    if not all(map(_IN.fullmatch, each)):
        return None
    return [one[1:-1].strip() for one in each]


@frozen
class _Version:
    modified: float
    addresses: tuple[str, ...] = ()
    instead: str = ""
    """What the indicator is, where it gives no address."""
    change: float | None = None
    """When that is otherwise."""


@define
class Indicators:
    """
    Gathers the objects of a collection, in whatever order their versions come.
    """

    _collector: Collector
    _latest: dict[str, _Version] = field(factory=dict)

    def take(self, one: Mapping[str, Any]) -> None:
        """An object; one that is no indicator is counted by its type."""
        kind = one.get("type")
        if kind != "indicator":
            told = kind if isinstance(kind, str) and _TYPE.fullmatch(kind) else "object of no type"
            self._collector.pass_over(told)
            return
        name, pattern = one.get("id"), one.get("pattern")
        if not isinstance(name, str) or not isinstance(pattern, str):
            self._collector.refuse(str(name), "is an indicator without id or pattern")
            return
        try:
            version = self._version(one, pattern)
        except ValueError as error:
            self._collector.refuse(pattern, str(error))
            return
        before = self._latest.get(name)
        if before is not None:
            self._collector.pass_over("earlier version of an indicator")
        if before is None or version.modified >= before.modified:
            self._latest[name] = version

    def _version(self, one: Mapping[str, Any], pattern: str) -> _Version:
        modified = _time(one, "modified")
        if modified is None:
            modified = float("-inf")
        if one.get("revoked") is True:
            return _Version(modified, instead="revoked indicator")
        start, end = _time(one, "valid_from"), _time(one, "valid_until")
        now = self._collector.now
        if end is not None and end <= now:
            return _Version(modified, instead="indicator that is over")
        if start is not None and start > now:
            return _Version(modified, instead="indicator that is still to come", change=start)
        if one.get("pattern_type", "stix") != "stix":
            return _Version(modified, instead="indicator in another language than STIX")
        found = addresses_of(pattern)
        if found is None:
            return _Version(modified, instead="indicator of more than addresses")
        return _Version(modified, addresses=found, change=end)

    def addresses(self) -> Iterator[str]:
        """The networks of all that count now."""
        changes = []
        for one in self._latest.values():
            if one.change is not None:
                changes.append(one.change)
            if one.instead:
                self._collector.pass_over(one.instead)
            yield from one.addresses
        self._collector.next_change = min(changes, default=None)


def _time(one: Mapping[str, Any], name: str) -> float | None:
    """POSIX seconds of a time stamp; `ValueError` for what is none."""
    text = one.get(name)
    if text is None:
        return None
    try:
        if not isinstance(text, str) or len(text) > _TIME_MOST:
            raise ValueError
        stamp = datetime.fromisoformat(text)
        return stamp.replace(tzinfo=stamp.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"has an invalid {name}") from None
