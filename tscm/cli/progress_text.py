"""
Progress in words.
"""

from tscm.model import Progress


def told(progress: Progress) -> str:
    """One step as a line."""
    return f"{progress.phase}: {progress.text}{counted(progress)}"


def counted(progress: Progress) -> str:
    """How far it is, as ` (done of total)`; empty where nothing is counted."""
    if progress.done is None:
        return ""
    if progress.total is None:
        return f" ({progress.done:,})"
    return f" ({progress.done:,} of {progress.total:,})"
