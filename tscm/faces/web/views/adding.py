"""
Add a device: its kind, its settings, and the certificate or host key that its firewall shows.
"""

from collections.abc import Mapping
from typing import ClassVar

import attrs
from attrs import frozen

from tscm.fingerprints import with_colons
from tscm.settings.modules import module
from tscm.settings.shapes import options
from tscm.settings.values import words_of

HOST_KEY = "SHA256:"
"""How OpenSSH begins the SHA-256 of a host key."""
_MORE = ("max_policy_size", "syslog_sources", "ha_members", "rest_url", "send_logs", "syslog_forward", "forward_address", "forward_port")  # fmt: skip
_NOT_ASKED = frozenset({"name", "type", "entry"})


@frozen(kw_only=True)
class Field:
    """A setting that is asked for."""

    name: str
    doc: str
    typed: str
    words: tuple[str, ...]
    secret: bool
    needed: bool


@frozen(kw_only=True)
class Adding:
    """Step 1 where *kind* is empty, else step 2."""

    TEMPLATE: ClassVar[str] = "adding.html"

    kinds: tuple[str, ...]
    kind: str
    name: str
    fields: tuple[Field, ...]
    fault: str


@frozen(kw_only=True)
class Pinning:
    """Step 3: what the firewall showed."""

    TEMPLATE: ClassVar[str] = "pinning.html"

    name: str
    key: str
    word: str
    shown: str
    sentence: str


def fields_to_ask(kind: str, typed: Mapping[str, str]) -> tuple[Field, ...]:
    """What must be known of a device of that kind, and what is often set."""
    found = options(module(kind).settings)
    return tuple(
        Field(
            name=name,
            doc=str(one.metadata.get("doc") or name),
            typed="" if one.metadata.get("secret") else typed.get(name, _default(one)),
            words=words_of(one.metadata["read"]) if "read" in one.metadata else (),
            secret=bool(one.metadata.get("secret")),
            needed=one.default is attrs.NOTHING,
        )
        for name, one in found.items()
        if name not in _NOT_ASKED and (one.default is attrs.NOTHING or name in _MORE)
    )


def _default(one: "attrs.Attribute[object]") -> str:
    if one.default is True or one.default is False:
        return "yes" if one.default else "no"
    return ""


def pin_words(shown: str) -> tuple[str, str]:
    """What it is, and how people compare it."""
    if shown.startswith(HOST_KEY):
        return "host key", shown
    return "certificate", with_colons(shown)
