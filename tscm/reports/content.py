"""
A report as a mail: HTML with the chart as an inline picture, and plain text with the same numbers.  Pure.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from email.message import EmailMessage
from html import escape
from typing import Any

from attrs import field, frozen

from tscm.channels.mail import Mail
from tscm.channels.rendering import head, set_subject
from tscm.events.answers import EventReport
from tscm.plural import many
from tscm.printable import quoted
from tscm.reports.due import Due, zone_of
from tscm.reports.picture import HEIGHT, WIDTH, chart_png
from tscm.settings.reports import Schedule

_CELL_MOST = 300
_DEVICES_SHOWN = 50
_HOUR = 3600
_CELL = "padding:2px 14px 2px 0;text-align:left"
_NUMBER = "padding:2px 14px 2px 0;text-align:right"
_PICTURE = "chart"


@frozen(kw_only=True)
class Found:
    """What was counted: the rows, each device's own totals, and hits by the hour (POSIX seconds)."""

    whole: EventReport
    devices: tuple[EventReport, ...] = ()
    blocked: Mapping[int, int] = field(factory=dict)
    allowed: Mapping[int, int] = field(factory=dict)


def as_mail(
    schedule: Schedule, due: Due, found: Found, source: str, sender: str, *, number: str, at: float
) -> Mail:
    """The report as it is sent."""
    zone = zone_of(schedule.zone)
    labels, blocked, allowed = bars(schedule, due, found)
    mail = head(number, at, sender, schedule.to, schedule.cc)
    covers = f"{_when(due.since, zone)} to {_when(due.until, zone)}"
    set_subject(mail, quoted(f"[tscm {source}] {schedule.name}: {_totals(found.whole)}", 120))
    lines = [
        f"{schedule.name}, {covers} ({schedule.zone})",
        "",
        _totals(found.whole),
        *_doubts(found),
    ]
    lines += ["", *_text_table((schedule.by, "hits", "lines"), _rows(schedule, found))]
    if len(found.devices) > 1:
        lines += ["", *_text_table(("device", "hits", "lines"), _by_device(found))]
    lines += [
        "",
        *_text_table(("from", "blocked", "allowed"), _chart_rows(labels, blocked, allowed)),
    ]
    lines += ["", *command(schedule, due, zone)]
    mail.set_content("\n".join(lines) + "\n")
    mail.add_alternative(
        _html(schedule, covers, found, command(schedule, due, zone)), subtype="html"
    )
    _add_picture(mail, chart_png(blocked, allowed))
    return Mail(sender=sender, to=(*schedule.to, *schedule.cc), content=mail)


def bars(
    schedule: Schedule, due: Due, found: Found
) -> tuple[Sequence[str], Sequence[int], Sequence[int]]:
    """Hours of a day, or days of a longer time: where each begins, and its hits."""
    zone = zone_of(schedule.zone)
    hourly = schedule.every == "daily"
    starts: list[float] = []
    if hourly:
        first = int(due.since) // _HOUR * _HOUR
        starts = [float(one) for one in range(first, int(due.until), _HOUR)]
    else:
        day = datetime.fromtimestamp(due.since, zone).date()
        while (
            begin := datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()
        ) < due.until:
            starts.append(begin)
            day += timedelta(days=1)
    form = "%Y-%m-%d %H:%M" if hourly else "%Y-%m-%d"
    labels = [datetime.fromtimestamp(one, zone).strftime(form) for one in starts]
    return labels, _filled(starts, found.blocked), _filled(starts, found.allowed)


def _filled(starts: Sequence[float], hours: Mapping[int, int]) -> list[int]:
    sums = [0] * len(starts)
    for hour, hits in hours.items():
        place = bisect_right(starts, hour) - 1
        if sums:
            sums[max(place, 0)] += hits
    return sums


def command(schedule: Schedule, due: Due, zone: tzinfo) -> list[str]:
    """How the same numbers are shown at the command line."""
    whose = " ".join(schedule.devices) or "--all"
    words = [f"tsadmin report {whose}", f'--since "{_exact(due.since, zone)}"']
    words += [f'--until "{_exact(due.until, zone)}"', f"--by {schedule.by} --top {schedule.top}"]
    words += [f"--{name} {value}" for name, value in _filters(schedule).items()]
    return ["The same numbers, for each device, in whole hours:", " ".join(words)]


def options(schedule: Schedule, due: Due) -> dict[str, Any]:
    """The options of the question."""
    return {
        "since": due.since,
        "until": due.until,
        "by": schedule.by,
        "top": schedule.top,
        **_filters(schedule),
    }


def _filters(schedule: Schedule) -> dict[str, str]:
    named = {
        "action": schedule.action,
        "direction": schedule.direction,
        "list": schedule.list,
        "inside": schedule.inside,
    }
    return {name: value for name, value in named.items() if value}


def _totals(whole: EventReport) -> str:
    return f"{many(whole.hits, 'hit', 'hits')} in {many(whole.lines, 'line', 'lines')}"


def _doubts(found: Found) -> list[str]:
    doubts = []
    if found.whole.counts_are_low:
        doubts.append("A firewall stopped counting (106101): the counts are too low.")
    if found.whole.unread_lines:
        lines = many(found.whole.unread_lines, "line", "lines")
        doubts.append(f"{lines} of access-lists could not be read, over all times.")
    return doubts


def _rows(schedule: Schedule, found: Found) -> list[tuple[str, str, str]]:
    return [
        (_cell(schedule.by, row[schedule.by]), f"{row['hits']:,}", f"{row['lines']:,}")
        for row in found.whole.rows
    ]


def _by_device(found: Found) -> list[tuple[str, str, str]]:
    most_first = sorted(found.devices, key=lambda one: (-one.hits, one.device))
    rows = [(one.device, f"{one.hits:,}", f"{one.lines:,}") for one in most_first[:_DEVICES_SHOWN]]
    more = len(most_first) - _DEVICES_SHOWN
    return [*rows, (f"and {more} more", "", "")] if more > 0 else rows


def _chart_rows(
    labels: Sequence[str], blocked: Sequence[int], allowed: Sequence[int]
) -> list[tuple[str, str, str]]:
    rows = zip(labels, blocked, allowed, strict=True)
    return [(label, f"{red:,}", f"{green:,}") for label, red, green in rows if red or green]


def _cell(by: str, value: object) -> str:
    return "none" if by == "port" and value == -1 else quoted(value, _CELL_MOST)


def _text_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    if not rows:
        return [f"{heads[0]}: no hits"]
    widths = [max(len(row[at]) for row in (heads, *rows)) for at in range(len(heads))]
    return [
        "  ".join(
            cell.ljust(width) if not at else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (heads, *rows)
    ]


def _html(schedule: Schedule, covers: str, found: Found, same: Sequence[str]) -> str:
    alone = len(found.devices) <= 1
    by_device = "" if alone else _html_table(("device", "hits", "lines"), _by_device(found))
    doubts = "".join(f"<p><strong>{escape(one)}</strong></p>" for one in _doubts(found))
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>'
        f"{escape(schedule.name)}</title></head>"
        '<body style="font-family:sans-serif;font-size:14px">'
        f'<h1 style="font-size:18px">{escape(schedule.name)}</h1>'
        f"<p>{escape(covers)} ({escape(schedule.zone)})<br>{escape(_totals(found.whole))}</p>{doubts}"
        f'<p><img src="cid:{_PICTURE}" width="{WIDTH}" height="{HEIGHT}" '
        'alt="Hits over time, blocked in red and allowed in green; the numbers are in the plain text"></p>'
        f"{_html_table((schedule.by, 'hits', 'lines'), _rows(schedule, found))}{by_device}"
        f"<p>{escape(same[0])}<br><code>{escape(same[1])}</code></p></body></html>"
    )


def _html_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return f"<p>{escape(heads[0])}: no hits</p>"
    body = "".join(
        "<tr>"
        + "".join(
            f'<td style="{_NUMBER if at else _CELL}">{escape(cell)}</td>'
            for at, cell in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    top = "".join(
        f'<th style="{_NUMBER if at else _CELL}">{escape(one)}</th>' for at, one in enumerate(heads)
    )
    return (
        f'<table style="border-collapse:collapse;margin-bottom:14px"><tr>{top}</tr>{body}</table>'
    )


def _add_picture(mail: EmailMessage, picture: bytes) -> None:
    page = mail.get_body(("html",))
    assert page is not None
    page.add_related(picture, "image", "png", cid=f"<{_PICTURE}>", filename="chart.png")


def _when(at: float, zone: tzinfo) -> str:
    return datetime.fromtimestamp(at, zone).strftime("%Y-%m-%d %H:%M")


def _exact(at: float, zone: tzinfo) -> str:
    return datetime.fromtimestamp(at, UTC).astimezone(zone).isoformat("T", "minutes")
