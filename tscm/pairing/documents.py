"""
The document of settings that a portal gives a manager for one device, and what becomes of it there.  Pure.

Everything that a device has as an option is the portal's, but what stays with the manager: secrets, what a
device is known by, and files of the manager's host.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from hashlib import sha256
from typing import Any

import attrs
from attrs import define, field, frozen

from tscm.base.secrets import Secret
from tscm.errors import Fault, SettingsFaulty, TscmError
from tscm.model import Json
from tscm.plural import many
from tscm.settings.device import DeviceSettings, secrets_of
from tscm.settings.modules import module
from tscm.settings.shapes import as_options, options, read_options
from tscm.settings.values import refused

STAYS = frozenset(
    {
        "name", "entry",
        "allow_self_signed", "ca_file", "fingerprint", "host_key", "ssh_old_algorithms",
        "tls_fingerprints", "forward_ca_file", "forward_certificate", "forward_key",
        "tsig_name", "pull_user",
    }
)  # fmt: skip
"""Settings of the manager's own, besides secrets: names, pins, and what only goes with a secret."""
PROPOSED = "max_policy_size"
"""The manager's too, unless an operator set it at the portal: the device's platform decides."""
OF_ENTRY = frozenset({"device_id", "block_list", "allow_list"})
"""What the entry says, which is set nowhere else."""
DOCUMENT_BYTES = 16384
_VALUES_MOST = 64
_TEXT_MOST = 4096
_PLACEHOLDER = Secret("placeholder")


@define(eq=False)
class DocumentFaulty(TscmError):
    """
    What a portal sent is no document of settings.
    """

    exit_status = 1

    cause: str

    def __str__(self) -> str:
        return f"the portal's settings cannot be used: {self.cause}"


@frozen(kw_only=True)
class Document:
    """
    Settings by option, as JSON has them, and the version and ETag of them.
    """

    version: int
    etag: str
    settings: Json = field(factory=dict)


def etag_of(settings: Mapping[str, Any]) -> str:
    """Another word for every other content (as the ETag of RFC 9110, 8.8.3)."""
    text = json.dumps(settings, sort_keys=True, separators=(",", ":"))
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def stays(cls: type[DeviceSettings]) -> frozenset[str]:
    """Options of a kind that no portal sets."""
    return STAYS | frozenset(secrets_of(cls))


def composed(fixed: Mapping[str, Any], settings: Mapping[str, Any]) -> Json:
    """
    All that a portal says of a device: *settings* as operators set them, with what is *fixed* by its entry.

    Raises `SettingsFaulty` with every fault; `settings.KEY` is where it stands.
    """
    kind = settings.get("type", fixed.get("type"))
    try:
        cls = module(kind).settings  # it says what is wrong with any value
    except ValueError as error:
        raise _faulty([_fault("type", error)]) from None
    faults = [
        Fault(
            where=name,
            wrong="it is set in another place",
            allowed="at the manager" if name in stays(cls) else "in the entry",
        )
        for name in settings
        if name in stays(cls) | OF_ENTRY
    ]
    if faults:
        raise _faulty(faults)
    table = {**settings, **fixed, "type": kind, "name": "entry", "entry": None}
    for one in attrs.fields(cls):
        if one.metadata.get("secret") and one.default is attrs.NOTHING:
            table[one.name] = _PLACEHOLDER
    found, wrong = read_options(table)
    if found is None or wrong:
        raise _faulty(wrong)
    told = as_options(found)
    left = stays(cls) | ({PROPOSED} - set(settings))
    plain = {name: _plain(value) for name, value in told.items() if name not in left}
    if len(json.dumps(plain)) > DOCUMENT_BYTES:
        raise _faulty([_fault("settings", refused("what is set", "is too long", "16 KB in all"))])
    return plain


def _faulty(faults: Any) -> SettingsFaulty:
    return SettingsFaulty("settings of the entry", faults)


def _fault(where: str, error: ValueError) -> Fault:
    wrong, _, allowed = str(error).partition("; allowed: ")
    return Fault(where=where, wrong=wrong, allowed=allowed)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [str(one) for one in value]
    return value if value is None or isinstance(value, bool | int | float) else str(value)


def read_document(raw: Any) -> Document:
    """
    What a portal sent, within bounds; whether the settings are right is seen when they are applied.

    Raises `DocumentFaulty`.
    """
    if not isinstance(raw, dict):
        raise DocumentFaulty("it is not an object")
    version, etag, settings = raw.get("version"), raw.get("etag"), raw.get("settings")
    if type(version) is not int or not 0 < version <= 1 << 53:
        raise DocumentFaulty("its version is not a whole number")
    if not isinstance(etag, str) or not 0 < len(etag) <= 64 or not etag.isalnum():
        raise DocumentFaulty("its ETag is not a word")
    if not isinstance(settings, dict) or len(settings) > _VALUES_MOST:
        raise DocumentFaulty(f"it does not contain {many(_VALUES_MOST, 'value', 'values')} or less")
    for name, value in settings.items():
        _check_value(name, value)
    if etag_of(settings) != etag:
        raise DocumentFaulty("its content does not match its ETag")
    if len(json.dumps(settings)) > DOCUMENT_BYTES:
        raise DocumentFaulty(f"it is longer than {DOCUMENT_BYTES:,} bytes")
    return Document(version=version, etag=etag, settings=settings)


def _check_value(name: str, value: Any) -> None:
    several = value if isinstance(value, list) else [value]
    if len(several) > _VALUES_MOST or not all(_is_plain(one) for one in several):
        raise DocumentFaulty(f"{name[:40]!r} is not a text, a number or a list of texts")


def _is_plain(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= _TEXT_MOST and value.isprintable()
    return value is None or isinstance(value, bool | int | float)


def wanted(document: Mapping[str, Any], present: DeviceSettings | None = None) -> dict[str, Any]:
    """
    The document as `add` or `configure` takes it: nothing of it stays as it was because it says nothing.

    What no portal sets is left out, whatever the document says of it.
    """
    try:
        cls = module(str(document.get("type", ""))).settings
    except ValueError as error:
        raise DocumentFaulty(str(error)) from None
    every = options(cls)
    known = set(every) - stays(cls)
    table = {
        name: _given(value, every[name].metadata["read"]) if name in every else value
        for name, value in document.items()
        if name in known or name not in stays(cls)  # what is unknown is told as a fault
    }
    if present is not None and table.get(PROPOSED) is None:
        table.pop(PROPOSED, None)
    return table


def _given(value: Any, read: Callable[[Any], Any]) -> Any:
    """*value* as an option: a word that clears, where a file would say nothing."""
    if value not in (None, []):
        return value
    for clears in ("none", "auto"):
        with suppress(ValueError):
            if read(clears) in (None, ()):
                return clears
    return value


def differences(document: Mapping[str, Any], present: DeviceSettings) -> list[str]:
    """Options of the document that the device has otherwise."""
    have = {name: _plain(value) for name, value in as_options(present).items()}
    return [name for name, value in document.items() if have.get(name) != value]


def elsewhere(present: DeviceSettings, proposed: DeviceSettings) -> list[str]:
    """
    Options by which the device's or the proxy's password would go to another place than before.

    A portal alone does not decide that: it may be in foreign hands, and the password is the manager's.
    """
    before, after = as_options(present), as_options(proposed)
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    found: list[str] = []
    if (present.type, present.place) != (proposed.type, proposed.place):
        places = {"type", "device", "rest_url", "ssh_port", "http_port", "context"}
        found += [name for name in changed if name in places]
    if (
        present.log_proxy_password
        and present.log_proxy != proposed.log_proxy
        and proposed.log_proxy
    ):
        found.append("log_proxy")
    return found
