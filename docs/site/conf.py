"""
The manual as a site: every page of docs/, and the commands as they describe themselves.

Built without network by `make docs`, where a warning is an error.
"""

import re
from importlib.metadata import version as installed
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).parent.parent.parent
_LINK = re.compile(r"\[([^\]]{1,200})\]\(([^)#\s]+)(#[^)\s]*)?\)")
_CONTRIBUTING = "site/contributing"

project = "tscm"
release = version = installed("tscm")
extensions = ["myst_parser", "sphinx_click"]
source_suffix = {".md": "markdown"}
root_doc = "index"
exclude_patterns = ["README.md", "site/*.py"]
myst_heading_anchors = 4
html_theme = "furo"
html_title = f"tscm {release}"
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False


def only_pages(text: str, folder: Path) -> str:
    """*text* of a page in *folder*, whose links to files that are no pages are words alone."""

    def kept(link: re.Match[str]) -> str:
        words, target, anchor = link[1], link[2], link[3] or ""
        if ":" in target:
            return link[0]
        file = (folder / target).resolve()
        if file.suffix != ".md" or not file.is_relative_to(ROOT / "docs"):
            return words
        if file == ROOT / "docs" / "README.md":
            return f"[{words}](/index.md)"
        return f"[{words}](/{file.relative_to(ROOT / 'docs')}{anchor})"

    return _LINK.sub(kept, text)


def read_page(app: Sphinx, page: str, content: list[str]) -> None:
    """Put together what is parsed of a page; one stands at the top of the repository."""
    del app
    file = ROOT / "docs" / f"{page}.md"
    if page == _CONTRIBUTING:
        file = ROOT / "CONTRIBUTING.md"
        content[0] = file.read_text()
    content[0] = only_pages(content[0], file.parent)


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", read_page)
