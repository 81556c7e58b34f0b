"""
What an analyst may enter by hand: one address or a small network, for a short time.  Pure.

The page and the API ask here, so that neither allows what the other refuses.
"""

from ipaddress import ip_network

from tscm.plural import many

REASON_LEAST = 3
_LEAST = {4: 24, 6: 64}
"""The widest network, by IP version."""
_HOUR = 3600.0


def reason_fault(reason: str) -> str | None:
    """Why an entry cannot be made with that reason, or None."""
    if len(reason.strip()) >= REASON_LEAST:
        return None
    return "a reason is needed: it stands in the audit and beside the entry"


def analysts_entry_fault(cidr: str, seconds: float | None, most_hours: int) -> str | None:
    """Why an analyst may not enter *cidr* for *seconds* (None: without an end), or None."""
    if seconds is None or seconds > most_hours * _HOUR:
        return f"an entry of an analyst ends after {many(most_hours, 'hour', 'hours')} at most"
    try:
        network = ip_network(cidr.strip(), strict=False)
    except ValueError:
        return None  # the manager says what is wrong with it
    least = _LEAST[network.version]
    if network.prefixlen < least:
        return f"an analyst enters networks of /{least} or longer; {network} is wider"
    return None
