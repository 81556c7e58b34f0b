"""
The site holds every page that the folder holds.
"""

import re
from pathlib import Path

DOCS = Path(__file__).parent.parent.parent / "docs"
NO_PAGES = {"index", "README"}


def pages(text: str) -> set[str]:
    """What the lists of pages in an index name."""
    lists = re.findall(r"```\{toctree\}\n(.*?)```", text, re.DOTALL)
    return {line for one in lists for line in one.split() if "/" in line and "*" not in line}


def test_every_page_is_on_the_site_and_in_the_list_of_pages() -> None:
    index, readme = (DOCS / "index.md").read_text(), (DOCS / "README.md").read_text()
    there = {str(one.relative_to(DOCS).with_suffix("")) for one in DOCS.rglob("*.md")} - NO_PAGES
    decisions = {one for one in there if one.startswith("develop/decisions/")}
    assert "develop/decisions/*" in index
    assert there - decisions == pages(index) - decisions
    for page in there - decisions:
        assert page.startswith("site/") or f"({page}.md)" in readme, page
