"""
What is remembered of flows and connections, and what came of a batch of packets.
"""

from collections import Counter
from typing import Any

from attrs import define, field

from tscm.simulator.syslog_form import Message


@define(eq=False)
class LoggedFlow:
    """
    Hits of one flow on one logged entry since the last line about it.

    *again* is 1 while that line told a first hit that the next one counts again.
    """

    words: str
    tail: str
    denied: bool
    level: int
    interval: int
    due: float
    again: int = 0
    hits: int = 0


@define(eq=False)
class Connection:
    """
    A connection that was built and not yet torn down.
    """

    number: int
    protocol: str
    ends: str
    started: float
    bytes: int


@define(eq=False)
class Outcome:
    """
    What came of one batch of packets.
    """

    packets: int = 0
    permitted: int = 0
    denied: int = 0
    refused: int = 0
    """New connections refused because a TCP collector is down."""
    unlogged: int = 0
    """Denied packets that 106100 does not tell of, the flow cache being full."""
    hits: Counter[str] = field(factory=Counter)
    """Packets by object-group of the entry that took them."""
    entries: Counter[str] = field(factory=Counter)
    addresses: dict[str, Counter[str]] = field(factory=dict)
    """The same by address."""
    messages: list[Message] = field(factory=list)

    def as_json(self, top: int) -> dict[str, Any]:
        """Figures without the messages; at most *top* addresses a group, most hit first."""
        return {
            "packets": self.packets,
            "permitted": self.permitted,
            "denied": self.denied,
            "refused": self.refused,
            "unlogged": self.unlogged,
            "hits": dict(self.hits),
            "entries": dict(self.entries),
            "addresses": {name: dict(c.most_common(top)) for name, c in self.addresses.items()},
        }
