"""
What the command line keeps of its commands, and its standing texts.
"""

import re

from tscm.simulator.refusal import INVALID

SINGLE = (
    "clock timezone",
    "access-list deny-flow-max",
    "access-list alert-interval",
    "rest-api image",
    "domain-name",
    "prompt",
    "pager",
    "failover lan unit",
    "http server enable",
    "terminal width",
    "arp timeout",
    "console timeout",
    "ssh timeout",
    "enable password",
)
"""Commands of which the last one stands."""

ENTERS = ("class-map", "policy-map", "time-range")
"""Commands that are kept and whose lines below them follow."""

STANDBY_WARNING = (
    "**** WARNING ****\n"
    "\tConfiguration Replication is NOT performed from Standby unit to Active unit.\n"
    "\tConfigurations are no longer synchronized.\n"
)


SYNC_NOTICE = "Beginning configuration replication: Sending to mate.\n"


def column_of(line: str, at: int) -> int:
    """Where in *line* its word number *at* begins; behind the last one where there is none."""
    starts = [found.start() for found in re.finditer(r"\S+", line)]
    return starts[at] if at < len(starts) else len(line.rstrip()) + 1


def marker(line: str, column: int) -> str:
    """The caret under what was not understood, and the sentence."""
    return f"\n{line}\n{' ' * column}^\n{INVALID}\n"
