"""
The tag of a firewall's message, `%ASA-6-106100`: how it is found in a line, for all who look for it.

A class may stand between product and severity, `%ASA-session-6-…`; an empty one leaves its hyphen.
"""

import re

_PRODUCT = rb"ASA|FTD|PIX|FWSM"
_CLASS = rb"[A-Za-z][A-Za-z_-]{0,30}"
_FORM = rb"%%(%b%b)--?(?:(%b%b)-)?(%b[0-7])-(%b)(?![0-9])"

TAG = re.compile(_FORM % (b"", _PRODUCT, b"", _CLASS, b"", rb"[0-9]{6}"))
"""Its groups: product, class or None, severity, number."""


def tag_of(numbers: bytes) -> re.Pattern[bytes]:
    """The tags whose number is as *numbers* says, without groups: it is held against every line."""
    silent = b"?:"
    return re.compile(_FORM % (silent, _PRODUCT, silent, _CLASS, silent, silent + numbers))
