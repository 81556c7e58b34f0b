"""
Operations on the lines themselves: search what is kept, and follow what comes.
"""

from tscm.events.answers import FoundLines
from tscm.operations.arguments import Following, LinesWanted
from tscm.operations.operation import Needs, Operation

SEARCH_LINES: Operation[LinesWanted, FoundLines] = Operation(
    answer=FoundLines,
    name="search_lines",
    room="lines",
    verb="POST",
    path="/v1/lines/search",
    args=LinesWanted,
    needs=Needs.FILES,
    noun="a search",
    long=True,
)
"""Lines of logs that fit, within bounds; what a bound leaves out is counted."""

FOLLOW_LINES: Operation[Following, FoundLines] = Operation(
    answer=FoundLines,
    name="follow_lines",
    room="lines",
    verb="POST",
    path="/v1/lines/follow",
    args=Following,
    needs=Needs.MANAGER,
    noun="following lines",
    long=True,
)
"""Lines that have come since the positions that the answer before told, as far as they fit."""
