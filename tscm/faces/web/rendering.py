r"""
Views to HTML: Jinja2 with every hole closed.

A name that is not there is an error, everything is escaped, and what comes from elsewhere is made visible first: a
bidirectional mark or an escape sequence shows as `\u202e`.  Views are attrs values and never dictionaries, on which a
template finds methods in the place of fields.
"""

from functools import cache
from typing import Any

from attrs import frozen
from jinja2 import Environment, PackageLoader, StrictUndefined
from jinja2.runtime import Undefined
from markupsafe import Markup, escape

from tscm.faces.web.assets import Assets
from tscm.faces.web.roles import Role
from tscm.faces.web.views.words import ago, clock, count, duration, iso, size
from tscm.printable import visible


@frozen(kw_only=True)
class Chrome:
    """What stands around every page."""

    title: str
    section: str
    """The first part of the path: which entry of the navigation is the present one."""
    user: str
    role: Role
    notice: str
    here: str
    """The page's own address."""
    now: float


def _finalize(value: Any) -> Any:
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value, keep="\n")
    if value is None:
        raise TypeError("a template shows a value that is not there")
    if isinstance(value, Undefined):
        return value  # it raises by itself, and says which it is
    return value


def told(sentence: Any) -> Any:
    """
    A sentence with its commands, which stand between backticks, as code.

    Each piece is escaped by itself, so that backticks in a text of a stranger make code of it and never HTML; one
    without a partner stays as it is.
    """
    if not isinstance(sentence, str):
        return sentence
    pieces = visible(sentence, keep="\n").split("`")
    if len(pieces) % 2 == 0:
        return escape("`".join(pieces))
    code = Markup("<code>{}</code>")
    return Markup("").join(
        code.format(one) if number % 2 else one for number, one in enumerate(pieces)
    )


@cache
def environment(assets: Assets) -> Environment:
    """All templates, with the few functions that they have."""
    made = Environment(
        loader=PackageLoader("tscm.faces.web"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals.clear()
    made.globals.update(asset=assets.path, Role=Role)
    made.filters.update(
        ago=ago, clock=clock, count=count, duration=duration, iso=iso, size=size, told=told
    )
    return made


def rendered(made: Environment, chrome: Chrome, view: Any) -> bytes:
    """The page as HTML."""
    return made.get_template(view.TEMPLATE).render(page=chrome, view=view).encode()
