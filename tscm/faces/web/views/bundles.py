"""
Bundles, and the form of an own target: rules over attributes, and what has them.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from attrs import field, frozen

from tscm.model import Json
from tscm.operations.portal_answers import BundleRow

NUMBERS = (
    ("min_severity", "Minimum severity, 0 to 5"),
    ("min_confidence", "Minimum confidence in percent"),
)
WORDS = (
    ("threats", "Types of threat"),
    ("traffic", "Directions"),
    ("industries", "Industries"),
    ("publishers", "Publishers"),
)


@frozen(kw_only=True)
class BundleLine:
    """A bundle, and its rule in words."""

    row: BundleRow
    rule: str


@frozen(kw_only=True)
class Bundles:
    """The bundles of the embedded policy service, with the form for one."""

    TEMPLATE: ClassVar[str] = "bundles.html"
    NUMBERS: ClassVar[tuple[tuple[str, str], ...]] = NUMBERS
    WORDS: ClassVar[tuple[tuple[str, str], ...]] = WORDS

    lines: tuple[BundleLine, ...]
    may_edit: bool
    may_delete: bool
    fault: str
    at: float
    wrong: str
    name: str = ""
    version: str = "0"
    typed: Mapping[str, str] = field(factory=dict)


def bundle_line(row: BundleRow) -> BundleLine:
    """A bundle as it is shown."""
    content: Mapping[str, Any] = row.content
    told = [f"{word} {content[name]}" for name, word in
            (("min_severity", "severity from"), ("min_confidence", "confidence from"))
            if content.get(name)]  # fmt: skip
    told += [
        f"{name}: {', '.join(map(str, content[name]))}" for name, _ in WORDS if content.get(name)
    ]
    return BundleLine(row=row, rule="; ".join(told) or "every target that is on")


def typed_of(row: BundleRow) -> dict[str, str]:
    """The form of a bundle as it is stored."""
    content: Mapping[str, Any] = row.content
    found = {name: str(content.get(name, "") or "") for name in ("title", *dict(NUMBERS))}
    return {**found, **{name: ", ".join(map(str, content.get(name, ()))) for name, _ in WORDS}}


def bundle_content(typed: Mapping[str, str]) -> Json:
    """What a form says of a bundle.  Raises `ValueError`."""
    content: Json = {"title": typed["title"]}
    for name, _ in NUMBERS:
        content[name] = number(typed[name] or "0")
    for name, _ in WORDS:
        content[name] = words(typed[name])
    return content


def number(text: str) -> int:
    """A small number.  Raises `ValueError`."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise ValueError(f"{text[:20]!r} is not a number")
    return int(text)


def words(text: str) -> list[str]:
    """Words with commas between them."""
    return [one for one in map(str.strip, text.split(",")) if one]
