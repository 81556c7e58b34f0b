"""
The line of a log that tells what became of an address.  Pure.
"""

import ipaddress

from tscm.syslog.asa import AsaEvent, parse, policy_lines


def is_logged(block: bytes, address: str) -> bool:
    """Does a line about what an access-list did name *address*?"""
    return line_about(block, address) is not None


def line_about(block: bytes, address: str) -> tuple[int, AsaEvent] | None:
    """The first such line of *block*: the offset behind it, and what it says."""
    wanted, at = ipaddress.ip_address(address), 0
    for line in policy_lines(block):
        at = block.index(line, at) + len(line)
        event = parse(line)
        ends = () if event is None else (event.source, event.destination)
        if event is not None and any(end and end.address == wanted for end in ends):
            return at, event
    return None
