"""
That a channel did not take a message.
"""

from attrs import define

from tscm.errors import TscmError
from tscm.printable import quoted

_ANSWER_MOST = 500


@define(eq=False)
class ChannelFault(TscmError):
    """
    *cause* names the other side and quotes its answer; *remedy* says what to check.
    """

    cause: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.cause}; {self.remedy}" if self.remedy else self.cause


class ChannelStopped(ChannelFault):
    """
    The manager stops and has closed the connection: nothing is known of the other side, and the message stays where it is.
    """

    def __init__(self, where: str) -> None:
        super().__init__(
            f"{where}: it was interrupted because the manager is stopping", "no action is needed"
        )


def answer_text(answer: object) -> str:
    """What the other side said, as one visible line."""
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    return quoted(text, _ANSWER_MOST)
