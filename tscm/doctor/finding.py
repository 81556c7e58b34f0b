"""
What the doctor says of one link.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum

from attrs import frozen

from tscm.model import Json


class Verdict(StrEnum):
    """How a link is."""

    GOOD = "good"
    DOUBTFUL = "doubtful"
    """It may work and should be looked at, or could not be looked at."""
    BROKEN = "broken"


@frozen(kw_only=True)
class Finding:
    """
    One link, how it is, why in a sentence, and what to do where there is something to do.
    """

    link: str
    verdict: Verdict
    sentence: str
    remedy: str = ""

    def as_json(self) -> Json:
        """As the control interface and `--json` carry it."""
        return {
            "link": self.link,
            "verdict": str(self.verdict),
            "sentence": self.sentence,
            "remedy": self.remedy,
        }


def good(link: str, sentence: str) -> Finding:
    """Nothing to do."""
    return Finding(link=link, verdict=Verdict.GOOD, sentence=sentence)


def doubtful(link: str, sentence: str, remedy: str = "") -> Finding:
    """Somebody should look."""
    return Finding(link=link, verdict=Verdict.DOUBTFUL, sentence=sentence, remedy=remedy)


def broken(link: str, sentence: str, remedy: str = "") -> Finding:
    """The chain ends here."""
    return Finding(link=link, verdict=Verdict.BROKEN, sentence=sentence, remedy=remedy)


def not_looked_at(links: Iterable[str], why: str) -> list[Finding]:
    """Links behind one that does not hold."""
    return [doubtful(link, f"not looked at: {why}") for link in links]


def worst(findings: Iterable[Finding]) -> Verdict:
    """The verdict on all of them; good where there is none."""
    verdicts = {finding.verdict for finding in findings}
    for one in (Verdict.BROKEN, Verdict.DOUBTFUL):
        if one in verdicts:
            return one
    return Verdict.GOOD


def as_json(findings: Sequence[Finding]) -> Json:
    """What the control interface answers."""
    return {"findings": [finding.as_json() for finding in findings]}
