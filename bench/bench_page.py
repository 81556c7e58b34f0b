"""
The page: server CPU for a view, the document on the wire, and the assets of the first visit.

DEVICES rows; the manager's answers are made up, so that what is counted is the page alone: session, view,
template and compression.  TLS is not in it.  Bars: 10 ms of CPU a view, 40 KB a document, 60 KB of assets.
"""

import os
import re
import sys
import tempfile
import time
from pathlib import Path

from tests.faces.web.test_web_pages import ANSWERS
from tests.faces.web.web_site import FakeSite
from tscm.faces.web.roles import Role
from tscm.standing import Row, Verdict

DEVICES = 100
VIEWS = int(os.environ.get("BENCH_VIEWS", "200"))
MS_BAR, DOCUMENT_BAR, ASSETS_BAR = 10.0, 40_000, 60_000
PATHS = ("/", "/devices", "/devices/fw", "/devices/fw/policy", "/health", "/admin/keys")


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


def main() -> None:
    """Print a line for each view; status 1 over a bar."""
    over = False
    with tempfile.TemporaryDirectory() as folder:
        web = FakeSite(Path(folder))
        try:
            web.manager.answers.update(ANSWERS, fleet=rows())
            key = web.signed_in(Role.ADMIN)
            assets: dict[str, int] = {}
            print(f"{DEVICES} devices, {VIEWS} views each")
            print(f"{'view':<22}{'ms CPU':>8}{'bytes':>8}")
            for path in PATHS:
                first = web.ask(path, key=key, accept_encoding="gzip")
                assert first.status == 200, (path, first.status)
                for name in re.findall(r'(?:href|src)="(/static/[^"]+)"', first.text):
                    assets[name] = web.ask(name, accept_encoding="gzip").size
                before = time.process_time()
                for _ in range(VIEWS):
                    web.clock.advance(10)  # so that answers are asked for anew
                    web.ask(path, key=key, accept_encoding="gzip")
                each = 1000 * (time.process_time() - before) / VIEWS
                wrong = each > MS_BAR or first.size > DOCUMENT_BAR
                over |= wrong
                print(f"{path:<22}{each:>8.2f}{first.size:>8,}{'  over the bar' if wrong else ''}")
            size = sum(assets.values())
            over |= size > ASSETS_BAR
            print(
                f"{len(assets)} assets: {size:,} bytes{'  over the bar' if size > ASSETS_BAR else ''}"
            )
        finally:
            web.close()
    if over:
        sys.exit(1)


if __name__ == "__main__":
    main()
