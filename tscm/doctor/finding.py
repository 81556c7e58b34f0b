"""
What the doctor says of one link.
"""

from collections.abc import Iterable, Sequence

from attrs import frozen

from tscm.model import Json
from tscm.standing import Verdict

RATINGS = {Verdict.OK: "good", Verdict.WARNING: "doubtful", Verdict.FAILED: "broken"}
"""The words of earlier releases, beside the verdict in JSON for one release more."""


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
            "rating": RATINGS[self.verdict],
            "sentence": self.sentence,
            "remedy": self.remedy,
        }


def ok(link: str, sentence: str) -> Finding:
    """Nothing to do."""
    return Finding(link=link, verdict=Verdict.OK, sentence=sentence)


def warning(link: str, sentence: str, remedy: str = "") -> Finding:
    """Somebody should look."""
    return Finding(link=link, verdict=Verdict.WARNING, sentence=sentence, remedy=remedy)


def failed(link: str, sentence: str, remedy: str = "") -> Finding:
    """The chain ends here."""
    return Finding(link=link, verdict=Verdict.FAILED, sentence=sentence, remedy=remedy)


def not_looked_at(links: Iterable[str], why: str) -> list[Finding]:
    """Links behind one that does not hold."""
    return [warning(link, f"not checked: {why}") for link in links]


def worst(findings: Iterable[Finding]) -> Verdict:
    """The verdict on all of them; ok where there is none."""
    verdicts = {finding.verdict for finding in findings}
    for one in (Verdict.FAILED, Verdict.WARNING):
        if one in verdicts:
            return one
    return Verdict.OK


def as_json(findings: Sequence[Finding]) -> Json:
    """What the control interface answers."""
    return {"findings": [finding.as_json() for finding in findings]}
