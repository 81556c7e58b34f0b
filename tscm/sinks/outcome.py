"""
What became of a batch that a sink was sent.
"""

from attrs import frozen


@frozen(kw_only=True)
class Taken:
    """
    The sink has the lines, but for those *rejected* for what they hold.  *cause* is its answer about these.
    """

    rejected: int = 0
    cause: str = ""


@frozen
class Refused:
    """
    The sink does not take this batch for what it holds or how large it is; another may be taken.
    """

    sentence: str


@frozen
class Failed:
    """
    The sink takes nothing at present; *sentence* continues one that begins with its name.

    *wait_seconds* is how long it asked to be left alone.
    """

    sentence: str
    wait_seconds: float = 0.0


Outcome = Taken | Refused | Failed
