"""
Where the sending to one target stands, in a sentence: for targets that get syslog and for sinks.
"""

from tscm.consumers.trouble import Trouble
from tscm.forward.figures import ForwardFigures, ForwardState
from tscm.plural import many

STALLED_SECONDS = 10.0
"""A target that is connected and takes nothing for so long is told of."""


def next_attempt(figures: ForwardFigures, trouble: Trouble, now: float) -> str | None:
    """Why nothing is sent and when it is tried again; None where no attempt is planned.  *now* is of the reactor's clock."""
    if figures.state is not ForwardState.WAITING or trouble.retry_at is None:
        return None
    waits = "lines are kept on disk" if figures.backlog_bytes else "no backlog"
    return f"{figures.target} {trouble.sentence(waits, now)}"


def all_sent(figures: ForwardFigures) -> str:
    """Nothing waits: with what was not sent."""
    lacking = []
    if figures.expired:
        lacking.append(f"{many(figures.expired, 'line', 'lines')} that expired")
    if figures.rejected:
        lacking.append(f"{many(figures.rejected, 'line', 'lines')} that it rejected")
    but = f" except {' and '.join(lacking)}" if lacking else ""
    return f"all lines sent to {figures.target}{but}"


def forwarding(
    figures: ForwardFigures, trouble: Trouble, now: float, stalled_seconds: float
) -> str:
    """
    How forwarding stands; *stalled_seconds*: how long what was handed to the connection has not moved.
    """
    said = _forwarding(figures, trouble, now, stalled_seconds)
    if figures.name_fault is None or figures.address is None or figures.state is ForwardState.OFF:
        return said
    return (
        f"{said}; its name does not resolve ({figures.name_fault}), so its last address "
        f"{figures.address} remains in use: check the name and this host's name servers"
    )


def _forwarding(
    figures: ForwardFigures, trouble: Trouble, now: float, stalled_seconds: float
) -> str:
    target = figures.target
    if figures.state is ForwardState.CONNECTED:
        if stalled_seconds > STALLED_SECONDS:
            return (
                f"{target} is connected but has accepted nothing for {stalled_seconds:.0f} s; "
                "check whether it is overloaded or its disk is full; lines are kept "
                "on disk"
            )
        return f"sending to {target}" if figures.backlog_bytes else all_sent(figures)
    planned = next_attempt(figures, trouble, now)
    if planned is not None:
        return planned
    if figures.last_error is not None and figures.state is not ForwardState.OFF:
        return _retrying(figures)
    return f"{target}: {figures.state}"


def sinking(figures: ForwardFigures, trouble: Trouble, now: float) -> str:
    """How the sending of batches to a sink stands."""
    planned = next_attempt(figures, trouble, now)
    if planned is not None:
        return planned
    if figures.state is ForwardState.OFF:
        return f"{figures.target}: off"
    if figures.failures:
        return _retrying(figures)
    if figures.backlog_bytes:
        return f"sending to {figures.target}"
    if figures.connected_at is None:
        return f"{figures.target}: nothing sent yet since the manager started"
    return all_sent(figures)


def _retrying(figures: ForwardFigures) -> str:
    return f"retrying {figures.target}; before that it {figures.last_error}"
