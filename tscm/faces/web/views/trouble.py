"""
What went wrong, as a page.
"""

from typing import ClassVar

from attrs import frozen

from tscm.errors import TscmError
from tscm.faces.web.visit import Page

_TITLES = {
    400: "That cannot be meant",
    401: "Sign in",
    403: "Not allowed",
    404: "Nothing here",
    409: "Not done",
    503: "Not now",
}


@frozen(kw_only=True)
class Trouble:
    """The sentence, and where to go on."""

    TEMPLATE: ClassVar[str] = "trouble.html"

    title: str
    lines: tuple[str, ...]
    back: str


def trouble_of(error: TscmError, status: int) -> Page:
    """The page for *error*."""
    title = _TITLES.get(status, "Something went wrong")
    view = Trouble(title=title, lines=tuple(str(error).splitlines()), back="/")
    return Page(view=view, title=title, status=status)
