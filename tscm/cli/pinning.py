"""
A certificate or host key of a firewall that is not believed: shown, and asked about, as `ssh` does.
"""

import sys
from collections.abc import Callable

from attrs import define

from tscm.cli import say
from tscm.cli.prompts import confirmed
from tscm.devices.answers import Changed
from tscm.errors import TscmError
from tscm.fingerprints import with_colons
from tscm.model import Json

HOST_KEY = "SHA256:"
"""How `ssh` begins the SHA-256 of a host key."""
_QUESTION = "Pin it? (y or n) [default n] "


def shown_by(error: TscmError) -> str | None:
    """The SHA-256 of the certificate or host key that *error* tells of, where the operator may say that it is the device's."""
    shown = getattr(error, "shown", None)
    return shown if isinstance(shown, str) else None


def may_ask() -> bool:
    """Is there a person to ask, and not a script that takes what is printed?"""
    return sys.stdin.isatty() and sys.stdout.isatty()


def is_the_devices(shown: str) -> bool:
    """Shows the SHA-256 of a certificate or a host key, and asks whether to pin it."""
    if shown.startswith(HOST_KEY):
        say.info(f"The device presents the host key {shown}")
    else:
        say.info(f"The device presents the certificate with SHA-256 {with_colons(shown)}")
    return confirmed(_QUESTION)


def asking_to_pin(store: Callable[[Json], Changed], table: Json, pin: str) -> Changed:
    """
    What *store* gives for *table*; where the device shows a certificate or host key that is not believed, the
    operator is asked at a terminal, and a yes pins it in *table*, as the setting *pin*.

    Raises what *store* does.
    """
    while True:
        try:
            return store(table)
        except TscmError as error:
            shown = shown_by(error)
            if shown is None or not sys.stdin.isatty() or table.get(pin) == shown:
                raise
            say.error(str(error))
            if not is_the_devices(shown):
                raise NotPinned(
                    str(table.get("name") or "the device"), shown.startswith(HOST_KEY)
                ) from None
            table[pin] = shown


@define(eq=False)
class NotPinned(TscmError):
    """
    The operator said that a certificate or host key is not the device's.
    """

    name: str
    host_key: bool = False

    def __str__(self) -> str:
        other = (
            "its host key with --host_key"
            if self.host_key
            else "the CA of its certificate with --ca_file"
        )
        return (
            "nothing was stored; check which host responds at the device's address, or give "
            f"{other}"
        )
