"""
Is anything wrong, and what did the lists do?
"""

from typing import ClassVar

from attrs import frozen

from tscm.faces.web.views.charts import Chart
from tscm.faces.web.views.fleet import DeviceLine, StateCount

NEEDS_SHOWN = 20


@frozen(kw_only=True)
class TopRow:
    """A value with its hits, and the report about it."""

    value: str
    hits: int
    href: str
    share: int
    """Of the largest, in percent."""


@frozen(kw_only=True)
class TopList:
    """The values with most hits."""

    title: str
    rows: tuple[TopRow, ...]
    href: str


@frozen(kw_only=True)
class Overview:
    """The first page."""

    TEMPLATE: ClassVar[str] = "overview.html"

    known: bool
    """Has the manager ever answered?"""
    fault: str
    at: float
    total: int
    needs: tuple[DeviceLine, ...]
    needs_more: int
    counts: tuple[StateCount, ...]
    balanced: bool | None
    strangers: int | None
    strange_lines: int
    oldest_policy: float | None
    blocked: int | None
    allowed: int | None
    inside_hosts: int | None
    chart: Chart | None
    tops: tuple[TopList, ...]
    since_href: str
