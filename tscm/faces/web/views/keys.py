"""
API keys, and what was called with them.
"""

from typing import ClassVar

from attrs import frozen

from tscm.faces.web.keys import ApiKey, KeyCall


@frozen(kw_only=True)
class KeysPage:
    """The keys, the form for one more, and the latest calls."""

    TEMPLATE: ClassVar[str] = "keys.html"

    keys: tuple[ApiKey, ...]
    calls: tuple[KeyCall, ...]
    roles: tuple[str, ...]
    nouns: tuple[str, ...]
    secret: str = ""
    """Of the key that was just created: shown once."""
    created: str = ""
    fault: str = ""
    name: str = ""
    role: str = "viewer"
    days: str = "90"
    networks: str = ""
    chosen: tuple[str, ...] = ()
