"""
Which lines are to be shown: those with a text, or those about hits that a report counted.

Pure.  The options are those of a report, so that a row of one leads to the very lines behind it.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from ipaddress import ip_address, ip_network
from typing import Any, Self

from attrs import frozen

from tscm.errors import Fault, SettingsFaulty
from tscm.events.judge import Hit
from tscm.events.report import Question, lies_in, read_question

HIT_OPTIONS = ("action", "direction", "list", "entry", "inside", "outside", "port", "not_port")
"""Options that only lines about hits can have."""
TEXT_MOST = 200


def spans(wanted: re.Pattern[bytes], block: bytes) -> Iterator[tuple[int, int]]:
    """
    Begin and end (before the LF) of each line of *block* in which *wanted* is found; others are not touched.

    *wanted* may not run over a line's end unless it is looked at line by line: a match that does is tried again so.
    """
    at = 0
    while at < len(block) and (match := wanted.search(block, at)):
        start = block.rfind(b"\n", 0, match.start()) + 1
        end = block.find(b"\n", match.start())
        end = len(block) if end < 0 else end
        if match.end() <= end or wanted.search(block[start:end]):
            yield start, end
        at = end + 1


@frozen(slots=False, kw_only=True)
class LineFilter:
    """
    *pattern* is None where any text will do, *about* where it need not be about a hit.
    """

    pattern: re.Pattern[bytes] | None = None
    about: Question | None = None

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> Self:
        """
        Out of what was typed or sent: `text`, `ignore_case`, `hits`, and `HIT_OPTIONS`, each of which implies `hits`.

        Raises `SettingsFaulty` with every fault.
        """
        text = options.get("text") or ""
        if not isinstance(text, str) or len(text) > TEXT_MOST:
            wrong = f"it is no text of up to {TEXT_MOST} characters"
            raise SettingsFaulty("lines", [Fault(where="--text", wrong=wrong)])
        flags = re.IGNORECASE if options.get("ignore_case") else 0
        asked = {name: options.get(name) for name in HIT_OPTIONS if options.get(name)}
        about = read_question("", asked, 0.0) if asked or options.get("hits") else None
        pattern = re.compile(re.escape(text.encode("utf-8", "replace")), flags) if text else None
        return cls(pattern=pattern, about=about)

    def lines_with_text(self, block: bytes) -> bytes:
        """The lines of *block* that have the text."""
        if self.pattern is None:
            return block
        return b"".join(block[start:end] + b"\n" for start, end in spans(self.pattern, block))

    def fits(self, hit: Hit) -> bool:
        """Is a line about *hit* among those that are wanted?"""
        asked = self.about
        if asked is None:
            return True
        return (
            asked.action in {None, hit.action}
            and asked.direction in {None, hit.direction}
            and asked.list in {None, hit.list}
            and asked.entry in {None, hit.entry}
            and self._inside(hit.inside)
            and self._outside(hit.outside)
            and (not asked.ports or hit.port in asked.ports)
            and hit.port not in asked.not_ports
        )

    @cached_property
    def _inside(self) -> Callable[[str], bool]:
        return _within(None if self.about is None else self.about.inside)

    @cached_property
    def _outside(self) -> Callable[[str], bool]:
        return _within(None if self.about is None else self.about.outside)


def _within(wanted: str | None) -> Callable[[str], bool]:
    """A host as it is spelled in a line, or any of a network."""
    if wanted is None:
        return lambda _: True
    if "/" in wanted:
        return lies_in(ip_network(wanted, strict=False))
    try:
        spelled = str(ip_address(wanted))
    except ValueError:  # a name that the firewall puts in the place of an address
        spelled = wanted
    return lambda text: text == spelled
