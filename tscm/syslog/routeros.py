"""
Firewall lines of MikroTik's RouterOS.

Pure (MikroTik, Filter: log).  RouterOS writes no action.  What a rule of ours drops is told by the prefix that the
rule is given: it ends in `-Block`, as the list does.
"""

import re

from tscm.syslog.asa import Action
from tscm.syslog.passage import Passage, address, port, protocol, text_of

_PASSAGE = re.compile(
    r"(?:firewall,[a-z,]{1,40} (?:([^\n]{1,64}?) )?)?([a-z][a-z0-9_-]{0,40}): in:[^\n]{1,400}? proto "
    r"([A-Za-z0-9-]{1,20})(?: \([^)\n]{0,80}\))?, ([0-9A-Fa-f:.\[\]]{2,50})->([0-9A-Fa-f:.\[\]]{2,50})(?:,|$)"
)
_BRACKETED = re.compile(r"\[([0-9A-Fa-f:.]{2,45})\](?::([0-9]{1,5}))?")
_V4 = re.compile(r"([0-9.]{7,15})(?::([0-9]{1,5}))?")
OURS = "-Block"


def parse(line: bytes) -> Passage | None:
    """What a firewall line says; None for every other line."""
    found = _PASSAGE.search(text_of(line))
    if found is None:
        return None
    prefix, chain, word, first, second = found.groups()
    name = protocol(word)
    source, source_port = _end(first)
    destination, destination_port = _end(second)
    ours = prefix is not None and prefix.endswith(OURS)
    return Passage(
        message=chain,
        action=Action.DENIED if ours else None,
        protocol=name,
        source=address(source),
        source_port=port(source_port, name),
        destination=address(destination),
        destination_port=port(destination_port, name),
        rule=prefix,
        list_name=prefix if ours else None,
    )


def _end(text: str) -> tuple[str, str | None]:
    """Address and port; the former alone of what has no ports."""
    found = _BRACKETED.fullmatch(text) or _V4.fullmatch(text)
    return (text, None) if found is None else (found[1], found[2])
