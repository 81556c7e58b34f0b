"""
A certificate of a firewall that is not believed: shown, and asked about, as ssh does with a host key.
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

_QUESTION = "Is this the device's? Pin it? (y or n) [default n] "


def shown_by(error: TscmError) -> str | None:
    """The SHA-256 of the certificate that *error* tells of, where the operator may say that it is the device's."""
    shown = getattr(error, "shown", None)
    return shown if isinstance(shown, str) else None


def may_ask() -> bool:
    """Is somebody there to ask, and not a script that takes what is printed?"""
    return sys.stdin.isatty() and sys.stdout.isatty()


def is_the_devices(shown: str) -> bool:
    """Shows a certificate's SHA-256, and asks whether to pin it."""
    say.info(f"The device shows the certificate with SHA-256 {with_colons(shown)}")
    return confirmed(_QUESTION)


def asking_to_pin(store: Callable[[Json], Changed], table: Json) -> Changed:
    """
    What *store* gives for *table*; where the device shows a certificate that is not believed, the operator is
    asked at a terminal, and a yes pins it in *table*.

    Raises what *store* does.
    """
    while True:
        try:
            return store(table)
        except TscmError as error:
            shown = shown_by(error)
            if shown is None or not sys.stdin.isatty() or table.get("fingerprint") == shown:
                raise
            say.error(str(error))
            if not is_the_devices(shown):
                raise NotPinned(str(table.get("name") or "the device")) from None
            table["fingerprint"] = shown


@define(eq=False)
class NotPinned(TscmError):
    """
    The operator said that a certificate is not the device's.
    """

    name: str

    def __str__(self) -> str:
        return (
            "nothing was stored; find out what answers at the device's address, or give the CA of its "
            "certificate with --ca_file"
        )
