"""
The manager's own log, in which nothing that a peer sent can act on a terminal or pass for a line of ours.

An observer in front of all others puts each event's text in its place: values on one line, everything
visible, bounded.  So no call of the logger has to think of it, and no place where text comes in either.
"""

from twisted.logger import ILogObserver, LogEvent, eventAsText, globalLogPublisher
from zope.interface import provider

from tscm.printable import CUT, visible

TEXT_CHARACTERS = 16_384
"""Bound of one event; a traceback is shorter."""
VALUE_CHARACTERS = 4096
_LINE_ENDS = str.maketrans(dict.fromkeys("\n\r\v\f\x85\u2028\u2029", "\n"))


@provider(ILogObserver)
def neutralise(event: LogEvent) -> None:
    """
    Give *event* its final text; what it was made from goes, so that no observer formats it again.
    """
    for name, value in event.items():
        if isinstance(value, str) and not name.startswith("log_"):
            event[name] = _one_line(value)
    text = eventAsText(event, includeTimestamp=False, includeSystem=False)
    if len(text) > TEXT_CHARACTERS:
        text = text[:TEXT_CHARACTERS] + CUT
    text = visible(text, keep="\n\t")
    for name in ("log_failure", "failure", "why", "format", "log_legacy"):
        event.pop(name, None)
    event.update(log_format="{log_text}", log_text=text, isError=0, message=())


def _one_line(value: str) -> str:
    if len(value) > VALUE_CHARACTERS:
        value = value[:VALUE_CHARACTERS] + CUT
    lines = value.translate(_LINE_ENDS).split("\n")
    return " / ".join(line.strip() for line in lines) if len(lines) > 1 else value


def neutralise_log() -> None:
    """Put the observer in front: called while twistd has not begun to log, it comes before twistd's own."""
    globalLogPublisher.addObserver(neutralise)
