"""
How something stands: a glyph, a word, and a colour that adds nothing to them.
"""

from attrs import frozen

from tscm.operations.job_figures import JobState
from tscm.standing import Verdict

GLYPHS = {
    Verdict.FAILED: "✖",
    Verdict.WARNING: "▲",
    Verdict.HELD: "⏸",
    Verdict.NEW: "○",
    Verdict.OK: "●",
    Verdict.NOT_CHECKED: "?",
}
_OF_JOBS = {
    JobState.QUEUED: ("◌", "new"),
    JobState.RUNNING: ("◐", "held"),
    JobState.DONE: ("●", "ok"),
    JobState.FAILED: ("✖", "failed"),
    JobState.WITHDRAWN: ("○", "new"),
}


@frozen
class Badge:
    """A state as it is shown; *kind* chooses the colour."""

    glyph: str
    word: str
    kind: str


def badge(verdict: Verdict, word: str | None = None) -> Badge:
    """Of a device or a link; with a *word* of its own where the verdict's does not do."""
    kind = "new" if verdict is Verdict.NOT_CHECKED else str(verdict)
    return Badge(GLYPHS[verdict], word or str(verdict), kind)


def job_badge(state: JobState) -> Badge:
    """Of a job."""
    glyph, kind = _OF_JOBS[state]
    return Badge(glyph, str(state), kind)


def truth_badge(good: bool, word: str) -> Badge:
    """Of something that is as it should be, or is not."""
    return Badge("●" if good else "✖", word, "ok" if good else "failed")
