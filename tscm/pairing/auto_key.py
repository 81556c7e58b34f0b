"""
The auto key that an operator carries from the portal to a manager: a code, and what the portal is known by.  Pure.

`CODE-PIN`: 40 hexadecimal digits by chance, and the first 32 of the SHA-256 of the portal's certificate.  So a
manager knows the portal before it shows the code to any host, and no user has to compare fingerprints.
"""

from attrs import define, field, frozen

from tscm.errors import TscmError

CODE_BYTES = 20
_CODE, _PIN = 2 * CODE_BYTES, 32
_HEX = frozenset("0123456789abcdef")


@define(eq=False)
class AutoKeyFaulty(TscmError):
    """
    What was given is no auto key.
    """

    exit_status = 2

    def __str__(self) -> str:
        return (
            f"the auto key is not {_CODE} hexadecimal digits, a hyphen and {_PIN} more; copy it from "
            "the answer of `tsadmin portal code` at the portal as a whole"
        )


@frozen(kw_only=True)
class AutoKey:
    """
    A code, and the beginning of the SHA-256 of the certificate that must be shown.
    """

    code: str = field(repr=False)
    pin: str

    def __str__(self) -> str:
        return f"{self.code}-{self.pin}"


def auto_key(code: str, fingerprint: str) -> str:
    """The key as it is handed out."""
    return str(AutoKey(code=code, pin=fingerprint[:_PIN]))


def read_auto_key(text: str) -> AutoKey:
    """Raises `AutoKeyFaulty`."""
    code, _, pin = text.strip().lower().partition("-")
    if len(code) != _CODE or len(pin) != _PIN or not set(code + pin) <= _HEX:
        raise AutoKeyFaulty
    return AutoKey(code=code, pin=pin)
