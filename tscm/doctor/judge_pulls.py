"""
Whether a firewall comes for what is published for it, by what the manager knows.  Pure.
"""

from datetime import datetime

from tscm.doctor.finding import Finding, failed, ok, warning
from tscm.services.figures import PullFigures
from tscm.services.pull_trouble import late_at, latest, old_at, troubles


def judge_pulls(pulls: PullFigures, name: str, now: float) -> list[Finding]:
    """What is published, when it was last pulled, and which generation that was."""
    return [_published(pulls, name), _last(pulls, name, now), _generation(pulls, now)]


def _published(pulls: PullFigures, name: str) -> Finding:
    if pulls.generation is None:
        return failed(
            "publication",
            "nothing is published for it yet",
            f"publish its lists with `tsadmin update {name}`",
        )
    if pulls.fault:
        return warning(
            "publication", pulls.fault, f"publish its lists again with `tsadmin update {name}`"
        )
    if pulls.purged:
        return warning(
            "publication",
            "the placeholder is published: nothing is blocked",
            f"publish its lists with `tsadmin update {name}`",
        )
    return ok(
        "publication",
        f"generation {pulls.generation}, entries in the block list: {pulls.entries:,}",
    )


def _last(pulls: PullFigures, name: str, now: float) -> Finding:
    last, late = latest(pulls), late_at(pulls)
    if late is not None and now > late:
        found = list(troubles(pulls, now))
        return failed("last pull", found[-1].sentence, found[-1].remedy)
    if last is None:
        return warning(
            "last pull",
            "no firewall has pulled its lists yet",
            f"enter the lines of `tsadmin show {name} --lines` on it",
        )
    at = datetime.fromtimestamp(last.last_at).astimezone().isoformat(" ", "seconds")
    return ok("last pull", f"{at}, {last.file} by {last.peer}")


def _generation(pulls: PullFigures, now: float) -> Finding:
    last, old = latest(pulls), old_at(pulls)
    if last is None:
        return warning("generation pulled", "none yet", "wait for the first pull")
    if last.generation == pulls.generation:
        return ok("generation pulled", f"generation {last.generation}, as it is published")
    text = f"generation {last.generation}, and {pulls.generation} is published"
    if old is not None and now > old:
        return failed(
            "generation pulled",
            text,
            "check whether the firewall comes, and whether a proxy in between hands out old copies",
        )
    return ok("generation pulled", f"{text}; the next pull is due")
