"""
Chromium walks every page of a real manager with firewalls, lists and hits: the demonstration's.

No console message, no request to anybody else, nothing wider than the window, no violation that axe-core finds, and
the numbers of `tsadmin --json`.  Playwright drives the operating system's Chromium; pictures lie in the folder that
TSCM_SCREENSHOTS names.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from attrs import frozen

from tests.waiting import PATIENCE_SECONDS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = pytest.mark.peer("chromium")

AXE = (Path(__file__).parent / "axe.min.js").read_text("utf-8")
WIDTHS = (1440, 1024, 390)
PASSWORD = "a long enough one"
MILLISECONDS = PATIENCE_SECONDS * 1000
PAGES = (
    "/",
    "/devices",
    "/add",
    "/add?type=asarest&name=hq",
    "/devices/fw-udp",
    "/devices/fw-udp/policy",
    "/devices/fw-udp/hits",
    "/devices/fw-udp/checks",
    "/devices/fw-udp/settings",
    "/devices/fw-udp/setup",
    "/reports?since=24h&by=list",
    "/lines?since=24h&hits=yes",
    "/live",
    "/check",
    "/check?address=198.51.100.7",
    "/entries",
    "/lists",
    "/lists/block-by-hand",
    "/policies",
    "/targets",
    "/jobs",
    "/holds",
    "/health",
    "/health/senders",
    "/health/ledger",
    "/health/audit",
    "/health/alarms",
    "/admin/users",
    "/admin/keys",
    "/account",
    "/about",
    "/nowhere",
)


@frozen(kw_only=True)
class Demo:
    """The running demonstration."""

    root: str
    url: str
    code: str

    def tsadmin(self, *words: str) -> Any:
        """What `tsadmin … --json` prints."""
        done = subprocess.run(
            [sys.executable, "-m", "tscm", "--root", self.root, *words, "--json"],
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demonstration until it stays: a manager, two firewalls, lists, hits, the page."""
    # The name of a socket has at most 107 bytes, and folders of tests have long names.
    folder = tmp_path_factory.mktemp("d")
    said = folder / "said"
    with said.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "tscm", "demo", "--keep"],
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, "TMPDIR": str(folder), "COLUMNS": "200"},
        )
        try:
            for _ in range(2000):
                text = said.read_text("utf-8", "replace")
                found = re.search(r"TSCM_ROOT=(\S+)", text)
                page = re.search(r"page is at (\S+); .*?: ([A-Z0-9-]{19})", text)
                if found and page:
                    yield Demo(root=found[1], url=page[1], code=page[2])
                    break
                assert process.poll() is None, text
                time.sleep(0.2)
            else:
                pytest.fail(text)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(PATIENCE_SECONDS)


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        made = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        yield made
        made.close()


class Watched:
    """A window that notes what it should not see."""

    def __init__(self, browser: "Browser", demo: Demo, state: Any = None, **more: Any) -> None:
        self.noted: list[str] = []
        self.demo = demo
        self.context: BrowserContext = browser.new_context(
            ignore_https_errors=True, base_url=demo.url, storage_state=state, **more
        )
        self.context.set_default_timeout(MILLISECONDS)
        self.page: Page = self.context.new_page()
        self.page.on("console", lambda message: self.noted.append(message.text))
        self.page.on("pageerror", lambda error: self.noted.append(str(error)))
        self.page.on("request", lambda request: self._requested(request.url))

    def _requested(self, url: str) -> None:
        if not url.startswith((self.demo.url, "data:")):
            self.noted.append(f"asks {url}")

    def number(self, name: str) -> str:
        """The text of a number on the page."""
        found = self.page.locator(f'[data-number="{name}"]').first.text_content()
        return (found or "").replace(",", "")


@pytest.fixture(scope="module")
def signed_in(browser: "Browser", demo: Demo) -> Any:
    """The state of a browser in which the first admin has signed in, by the one-time code."""
    window = Watched(browser, demo)
    page = window.page
    page.goto("/")
    assert page.url.endswith("/setup")
    for name, value in (
        ("code", demo.code),
        ("name", "anna"),
        ("password", PASSWORD),
        ("again", PASSWORD),
    ):
        page.fill(f"#{name}", value)
    page.click("button.main")
    page.get_by_role("heading", name="Overview").wait_for()
    assert not window.noted
    state = window.context.storage_state()
    window.context.close()
    return state


def picture(page: "Page", name: str) -> None:
    folder = os.environ.get("TSCM_SCREENSHOTS")
    if folder:
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


def named(path: str) -> str:
    return re.sub(r"\W+", "-", path).strip("-") or "overview"


def test_every_page_is_quiet_fits_and_can_be_used_by_everybody(
    browser: "Browser", demo: Demo, signed_in: Any
) -> None:
    """With `bypass_csp`, for axe-core is put into the page; the policy itself has a test of its own."""
    window = Watched(browser, demo, signed_in, bypass_csp=True)
    page, faults = window.page, []
    for path in PAGES:
        page.set_viewport_size({"width": WIDTHS[0], "height": 900})
        page.emulate_media(color_scheme="light")
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == (404 if path == "/nowhere" else 200), path
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            over = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            if over > 0:
                faults.append(f"{path} is {over} px too wide at {width} px")
            picture(page, f"{named(path)}-{width}")
        page.evaluate(AXE)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            width = WIDTHS[0] if scheme == "light" else WIDTHS[-1]
            page.set_viewport_size({"width": width, "height": 900})
            found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            faults += [
                f"{path}, {scheme}: {one['id']}: {one['nodes'][0]['html'][:200]}"
                for one in found["violations"]
            ]
        picture(page, f"{named(path)}-dark")
    window.context.close()
    noted = [one for one in window.noted if "status of 404" not in one]
    assert not faults, "\n".join(faults)
    assert not noted


def test_the_policy_for_content_lets_the_pages_work(
    browser: "Browser", demo: Demo, signed_in: Any
) -> None:
    window = Watched(browser, demo, signed_in)
    page = window.page
    for path in ("/", "/devices", "/jobs"):
        page.goto(path)
    page.goto("/devices")
    page.locator("#name").press_sequentially("tcp")
    page.wait_for_url("**name=tcp**")
    page.locator("tr[data-device]").first.wait_for()
    assert page.locator("tr[data-device]").count() == 1
    page.keyboard.press("Escape")
    page.locator("h1").click()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "quick-address"
    window.context.close()
    assert not window.noted


def test_lines_are_followed_and_are_those_behind_a_report(
    browser: "Browser", demo: Demo, signed_in: Any
) -> None:
    """With the strict policy; a second window of the same shares the first one's stream."""
    window = Watched(browser, demo, signed_in)
    page, streams = window.page, []
    window.context.on(
        "request", lambda one: streams.append(one.url) if "/stream" in one.url else None
    )
    page.goto("/live?hits=yes")
    page.locator("#live-state", has_text="following").wait_for()
    other = window.context.new_page()
    other.goto("/live?hits=yes")
    other.locator("#lines tr").first.wait_for()
    assert len(streams) == 1
    page.close()
    other.locator("#live-state", has_text="following").wait_for()  # it leads now
    other.goto("/reports?device=fw-udp&since=24h&by=outside")
    row = other.get_by_role("region", name="By outside").locator("tbody tr").first
    lines = (row.locator("td").nth(2).text_content() or "").replace(",", "")
    row.locator("a[href^='/lines']").click()
    other.get_by_role("heading", name="Lines that fit").wait_for()
    total = other.locator('[data-number="total"]').text_content() or ""
    assert total.startswith(f"{int(lines):,} line")
    assert other.locator("#found tr").count() == min(200, int(lines))
    window.context.close()
    assert not window.noted


def test_numbers_are_those_of_tsadmin(browser: "Browser", demo: Demo, signed_in: Any) -> None:
    window = Watched(browser, demo, signed_in)
    page = window.page
    page.goto("/")
    status = demo.tsadmin("status")
    assert window.number("devices") == str(len(status))
    reports = demo.tsadmin("report", "--all", "--by", "action", "--since", "24h")
    rows = [row for one in reports.values() for row in one["rows"]]
    for action in ("blocked", "allowed"):
        hits = sum(row["hits"] for row in rows if row["action"] == action)
        assert hits > 0
        assert window.number(action) == str(hits)
    page.goto("/reports?device=fw-udp&since=24h&by=outside")
    one = demo.tsadmin("report", "fw-udp", "--by", "outside", "--since", "24h", "--top", "100")
    told = re.findall(r"\d+", window.number("total"))
    assert [int(word) for word in told] == [
        one["hits"],
        one["lines"],
        len(one["rows"]),
        one["groups"],
    ]
    rows_shown = page.get_by_role("region", name="By outside").locator("tbody tr")
    first = rows_shown.first.locator("td").all_text_contents()
    assert [word.strip() for word in first[:2]] == [
        one["rows"][0]["outside"],
        f"{one['rows'][0]['hits']:,}",
    ]
    page.goto("/health/ledger")
    ledger = demo.tsadmin("ledger")
    assert window.number("received") == str(ledger["received"])
    assert window.number("stored") == str(ledger["stored_since_start"])
    assert window.number("dropped") == str(ledger["dropped"])
    for name, device in ledger["devices"].items():
        row = page.locator(f"tr:has(a[href='/devices/{name}'])").first
        assert f"{device['stored']:,}" in (row.text_content() or "")
    window.context.close()


def test_by_keyboard_alone_from_an_address_to_its_pushed_entry(
    browser: "Browser", demo: Demo, signed_in: Any
) -> None:
    window = Watched(browser, demo, signed_in)
    page = window.page
    page.goto("/")
    page.keyboard.press("/")
    page.keyboard.type("44.31.42.53")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="44.31.42.53").wait_for()
    page.locator("#where").focus()
    page.keyboard.type("fw-tcp")
    page.keyboard.press("Tab")  # for how long
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "reason"
    page.keyboard.type("CR-1188 <b>a supplier</b>")
    page.keyboard.press("Enter")
    page.wait_for_url("**/jobs/*")
    page.locator("h1 + .badge.ok").wait_for()
    entries = demo.tsadmin("entries")["entries"]
    mine = [one for one in entries if one["cidr"].startswith("44.31.42.53")]
    assert [one["action"] for one in mine] == ["allow"]
    assert mine[0]["device"] == "fw-tcp"
    assert mine[0]["by"].startswith("anna by ")
    assert mine[0]["in_force"] == ["fw-tcp"]
    page.goto("/entries")
    assert "CR-1188 <b>a supplier</b>" in (page.locator("tbody").text_content() or "")
    audit = demo.tsadmin("audit")
    assert {one["on_behalf_of"] for one in audit if one["operation"] == "enter"} == {"anna"}
    page.goto("/health/audit")
    assert "anna by" in (page.locator("tbody").text_content() or "")
    picture(page, "audit-after")
    window.context.close()
    assert not window.noted


def test_without_scripts_a_plan_is_shown_and_just_that_is_pushed(
    browser: "Browser", demo: Demo, signed_in: Any
) -> None:
    block = next(Path(demo.root).rglob("lists/block*.txt"))
    block.write_text(block.read_text("utf-8") + "44.31.40.0/25\n", "utf-8")
    window = Watched(browser, demo, signed_in, java_script_enabled=False)
    page = window.page
    page.goto("/devices/fw-udp")
    page.get_by_role("button", name="Plan an update").click()
    page.locator("#reason").wait_for()  # the page asks again by itself until the plan is there
    picture(page, "plan")
    text = page.locator("main").text_content() or ""
    assert "+ 44.31.40.0/25" in text
    assert window.number("added") == "1"
    page.fill("#reason", "CR-1189")
    page.get_by_role("button", name="Push this plan").click()
    page.wait_for_url("**/jobs/*")
    page.locator("h1 + .badge.ok").wait_for()
    picture(page, "job")
    plan = demo.tsadmin("plan", "fw-udp")
    assert plan["plan"]["added"] == 0
    done = [one for one in demo.tsadmin("audit", "fw-udp") if one["operation"] == "update"]
    assert done[-1]["on_behalf_of"] == "anna"
    assert done[-1]["arguments"]["reason"] == "CR-1189"
    window.context.close()
    assert not window.noted
