"""
Make the pictures of the page for README and docs anew: `make screenshots`.

Starts the demonstration, opens its page in the operating system's Chromium, and writes a few pictures of at most
150 KB each.  Run by hand; look at what it made before it is committed.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
MOST_BYTES = 150_000
SIZE = {"width": 1280, "height": 800}
PASSWORD = "a long enough one"  # noqa: S105 - of a page that lives for a minute
START_SECONDS = 600.0
SHOTS = (
    ("overview", "/", "light"),
    ("lines", "/live?hits=yes", "dark"),
    ("check", "/check?address={blocked}", "light"),
)
"""Name, address and colours; `{blocked}` is an address that the report shows first."""


def main() -> int:
    """The pictures; exit status 1 where one is too large."""
    from playwright.sync_api import sync_playwright

    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="shot-", dir="/tmp") as folder:
        said = Path(folder) / "said"
        with said.open("wb") as out:
            demo = subprocess.Popen(
                [sys.executable, "-m", "tscm", "demo", "--keep"],
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, "TMPDIR": folder, "COLUMNS": "200"},
            )
        try:
            url, code = _address(said, demo)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path="/usr/bin/chromium", args=["--no-sandbox"]
                )
                page = browser.new_context(
                    ignore_https_errors=True,
                    base_url=url,
                    viewport=SIZE,  # type: ignore[arg-type]
                ).new_page()
                page.set_default_timeout(START_SECONDS * 1000)
                _sign_in(page, code)
                sizes = [_shoot(page, *shot) for shot in SHOTS]
        finally:
            demo.terminate()
            demo.wait(START_SECONDS)
    return 1 if max(sizes) > MOST_BYTES else 0


def _address(said: Path, demo: "subprocess.Popen[bytes]") -> tuple[str, str]:
    """Where the page is, and the one-time code for its first user."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and demo.poll() is None:
        found = re.search(
            r"page is at (\S+); .*?: ([A-Z0-9-]{19})", said.read_text("utf-8", "replace")
        )
        if found:
            return found[1], found[2]
        time.sleep(0.5)
    raise SystemExit(said.read_text("utf-8", "replace"))


def _sign_in(page: "Page", code: str) -> None:
    page.goto("/")
    for name, value in {
        "code": code,
        "name": "anna",
        "password": PASSWORD,
        "again": PASSWORD,
    }.items():
        page.fill(f"#{name}", value)
    page.click("button.main")
    page.get_by_role("heading", name="Overview").wait_for()


def _shoot(page: "Page", name: str, path: str, scheme: str) -> int:
    """One picture; gives its size in octets."""
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    if "{blocked}" in path:
        page.goto("/reports?since=24h&by=outside&action=blocked")
        first = page.get_by_role("region", name="By outside").locator("tbody a.mono").first
        path = path.format(blocked=(first.text_content() or "").strip())
    page.goto(path)
    page.wait_for_load_state("load")
    if path.startswith("/live"):
        page.locator("#live-state", has_text="following").wait_for()
    file = PICTURES / f"{name}.jpg"
    page.screenshot(path=str(file), type="jpeg", quality=72)
    size = file.stat().st_size
    sys.stdout.write(f"{file.name}: {size:,} bytes\n")
    return size


if __name__ == "__main__":
    sys.exit(main())
