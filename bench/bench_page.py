"""
The page: server CPU for a view, the document on the wire, and the assets of the first visit.

DEVICES rows; the manager's answers are made up, so that what is counted is the page alone: session, view,
template and compression.  TLS is not in it.  Bars: 10 ms of CPU a view, 40 KB a document, 60 KB of assets.
STREAMS windows follow LINES_A_SECOND lines for some minutes of a clock of the bench's own: 5 % of a core.
"""

import os
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from attrs import evolve

from tests.faces.web.test_web_lines import followed
from tests.faces.web.test_web_pages import ANSWERS
from tests.faces.web.web_site import NOW, FakeSite
from tscm.events.answers import FoundLines, LogLine
from tscm.faces.web.live_streams import POLL_SECONDS
from tscm.faces.web.roles import Role
from tscm.model import Json
from tscm.operations.list_answers import ListPage
from tscm.standing import Row, Verdict

DEVICES = 100
VIEWS = int(os.environ.get("BENCH_VIEWS", "200"))
ROUNDS = 5
"""The least of them counts: another program can only slow one down."""
MS_BAR, DOCUMENT_BAR, ASSETS_BAR = 10.0, 40_000, 60_000
STREAMS, LINES_A_SECOND, STREAM_SECONDS, CORE_BAR = 50, 200, 120, 5.0
PATHS = (
    "/",
    "/devices",
    "/devices/fw",
    "/devices/fw/policy",
    "/devices/fw/hits",
    "/reports?by=inside,outside",
    "/lists/partners",
    "/health",
    "/admin/keys",
)


def rows() -> tuple[Row, ...]:
    """A fleet in which a tenth has something to say."""
    made = [Row(name="fw", verdict=Verdict.FAILED, causes=("no update for six hours",))]
    for number in range(1, DEVICES):
        bad = number % 10 == 0
        made.append(
            Row(
                name=f"site-{number:03}",
                verdict=Verdict.WARNING if bad else Verdict.OK,
                causes=("no line for 20 minutes",) if bad else (),
                good_update_age_seconds=60.0 * number,
                entries=12_000 + number,
                last_line_age_seconds=float(number),
            )
        )
    return tuple(made)


def report(args: Any) -> Json:
    """A report with as many rows as a page has devices."""
    found: Json = ANSWERS["report_several"](args)
    columns = str(args.options["by"]).split(",")
    if columns[0] in {"hour", "action", "port"}:
        return found
    rows = [
        {**{by: f"10.1.{at}.{number}" for at, by in enumerate(columns)}, "hits": number, "lines": 1}
        for number in range(min(DEVICES, int(args.options["top"])), 0, -1)
    ]
    return {**found, "rows": rows}


def list_page(args: Any) -> ListPage:
    """A list with a page of entries."""
    found: ListPage = ANSWERS["list_page"](args)
    one = found.entries[0]
    entries = tuple(evolve(one, network=f"192.0.2.{number}/32") for number in range(DEVICES))
    return evolve(found, entries=entries, found=DEVICES)


def streams(web: FakeSite) -> float:
    """Percent of a core for windows that follow the same lines."""
    line = "%ASA-4-106100: access-list out denied tcp out/203.0.113.7(4711) -> in/10.1.2.3(443)"
    each = round(LINES_A_SECOND * POLL_SECONDS)
    lines = tuple(
        LogLine(device="fw", received_at=NOW, line=f"{line} hit-cnt {number}")
        for number in range(each)
    )
    windows = [followed(web, web.signed_in(name=f"user{number}")) for number in range(STREAMS)]
    web.clock.advance(0)
    web.manager.answers["follow_lines"] = FoundLines(lines=lines, fitting=each)
    before = time.process_time()
    for _ in range(round(STREAM_SECONDS / POLL_SECONDS)):
        web.clock.advance(POLL_SECONDS)
        for window in windows:
            window.transport.clear()
    return 100 * (time.process_time() - before) / STREAM_SECONDS


def views(web: FakeSite, path: str, key: str) -> float:
    """Milliseconds of CPU for a view, over a round of them."""
    count = max(1, VIEWS // ROUNDS)
    before = time.process_time()
    for _ in range(count):
        web.clock.advance(10)  # so that answers are asked for anew
        web.ask(path, key=key, accept_encoding="gzip")
    return 1000 * (time.process_time() - before) / count


def main() -> None:
    """Print a line for each view; status 1 over a bar."""
    over = False
    with tempfile.TemporaryDirectory() as folder:
        web = FakeSite(Path(folder))
        try:
            web.manager.answers.update(
                ANSWERS, fleet=rows(), report_several=report, list_page=list_page
            )
            key = web.signed_in(Role.ADMIN)
            assets: dict[str, int] = {}
            print(f"{DEVICES} devices, {VIEWS} views each")
            print(f"{'view':<22}{'ms CPU':>8}{'bytes':>8}")
            for path in PATHS:
                first = web.ask(path, key=key, accept_encoding="gzip")
                assert first.status == 200, (path, first.status)
                for name in re.findall(r'(?:href|src)="(/static/[^"]+)"', first.text):
                    assets[name] = web.ask(name, accept_encoding="gzip").size
                each = min(views(web, path, key) for _ in range(ROUNDS))
                wrong = each > MS_BAR or first.size > DOCUMENT_BAR
                over |= wrong
                print(f"{path:<22}{each:>8.2f}{first.size:>8,}{'  over the bar' if wrong else ''}")
            size = sum(assets.values())
            over |= size > ASSETS_BAR
            print(
                f"{len(assets)} assets: {size:,} bytes{'  over the bar' if size > ASSETS_BAR else ''}"
            )
            core = streams(web)
            over |= core > CORE_BAR
            print(
                f"{STREAMS} windows, {LINES_A_SECOND} lines/s: {core:.2f} % of a core"
                f"{'  over the bar' if core > CORE_BAR else ''}"
            )
        finally:
            web.close()
    if over:
        sys.exit(1)


if __name__ == "__main__":
    main()
