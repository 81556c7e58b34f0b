"""
Blocks of lines in pieces that one POST carries.  Pure.

A block ends in `exit`, so that the lines of one whose group is refused find no other group that is open: they are
refused too.
"""

from collections.abc import Callable, Iterator, Sequence

from tscm.kinds.asa.cli.blocks import Block
from tscm.kinds.asa.driver import DeleteGroup, DetachChild, RemoveMembers, Step

EXIT = "exit"


def takes_away(step: Step) -> bool:
    """
    Does it take something out?

    The device goes on behind a line that it refuses.  So what takes away must not be in the same POST as what comes
    before it: it would be done even where that was refused.
    """
    return isinstance(step, RemoveMembers | DetachChild | DeleteGroup)


def pieces(blocks: Sequence[Block], room: Callable[[], int]) -> Iterator[list[str]]:
    """
    All of *blocks*, in order, in pieces of about *room* lines, which is asked again for each.

    A block that does not fit is entered again in the next piece.
    """
    held: list[str] = []
    most = room()
    for block in blocks:
        at = 0
        while at < len(block.lines):
            frame = 2 if block.header else 0
            if held and len(held) + frame >= most:
                yield held
                held, most = [], room()
            lines = block.lines[at : at + max(1, most - len(held) - frame)]
            held += [block.header, *lines, EXIT] if block.header else lines
            at += len(lines)
    if held:
        yield held
