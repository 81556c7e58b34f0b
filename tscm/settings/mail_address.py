"""
Addresses of mail, as a setting holds them.
"""

import re
from typing import Any

from tscm.settings.values import dns_name, ip_address, refused

_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
"""A dot-atom (RFC 5322, 3.2.3)."""
_LOCAL_MOST = 64  # RFC 5321, 4.5.3.1.1


def mail_address(value: Any) -> str:
    """`local@domain` in ASCII (RFC 5321, 4.1.2), without a display name, so that no text of it ends a header."""
    text = value.strip(" \t") if isinstance(value, str) else ""
    local, at, domain = text.rpartition("@")
    try:
        if not at or len(local) > _LOCAL_MOST or not _LOCAL.fullmatch(local):
            raise ValueError
        if domain.startswith("[") and domain.endswith("]"):
            return f"{local}@[{ip_address(domain[1:-1])}]"
        return f"{local}@{dns_name(domain)}"
    except ValueError:
        raise refused(
            value, "is not a mail address", "name@domain, without a display name"
        ) from None
