"""
Signing in, and the first admin.
"""

from typing import ClassVar

from attrs import frozen


@frozen(kw_only=True)
class Login:
    """The form of the login; *kept* is a form that was filled in when the session ended: its path and content."""

    TEMPLATE: ClassVar[str] = "login.html"

    fault: str = ""
    name: str = ""
    way_back: str = "/"
    kept_path: str = ""
    kept: str = ""
    provider: str = ""
    """Host of the OpenID Connect provider; empty without one."""
    provider_link: str = ""


@frozen(kw_only=True)
class Setup:
    """The form with the one-time code."""

    TEMPLATE: ClassVar[str] = "setup.html"

    fault: str = ""
    name: str = ""
    first: bool = True


@frozen(kw_only=True)
class KeptField:
    """A field of a form that is shown once more."""

    name: str
    value: str


@frozen(kw_only=True)
class KeptForm:
    """A form that was sent when the session had ended."""

    TEMPLATE: ClassVar[str] = "kept.html"

    path: str
    fields: tuple[KeptField, ...]
