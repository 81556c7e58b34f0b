"""
What the doctor says of one link.
"""

from collections.abc import Iterable

from attrs import field, frozen

from tscm.standing import Verdict

RATINGS = {
    Verdict.OK: "good",
    Verdict.NOT_CHECKED: "doubtful",
    Verdict.WARNING: "doubtful",
    Verdict.FAILED: "broken",
}
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

    rating: str = field(init=False)
    """The verdict by its word of earlier releases."""

    @rating.default
    def _as_before(self) -> str:
        return RATINGS.get(self.verdict, str(self.verdict))


@frozen(kw_only=True)
class Findings:
    """What the doctor says of host and manager, or of a device."""

    findings: tuple[Finding, ...]


def ok(link: str, sentence: str) -> Finding:
    """Nothing to do."""
    return Finding(link=link, verdict=Verdict.OK, sentence=sentence)


def warning(link: str, sentence: str, remedy: str = "") -> Finding:
    """An operator should look."""
    return Finding(link=link, verdict=Verdict.WARNING, sentence=sentence, remedy=remedy)


def failed(link: str, sentence: str, remedy: str = "") -> Finding:
    """The chain ends here."""
    return Finding(link=link, verdict=Verdict.FAILED, sentence=sentence, remedy=remedy)


def not_checked(link: str, why: str) -> Finding:
    """Nothing is known of this link: it was not looked at."""
    return Finding(link=link, verdict=Verdict.NOT_CHECKED, sentence=why)


def not_looked_at(links: Iterable[str], why: str) -> list[Finding]:
    """Links behind one that does not hold."""
    return [not_checked(link, why) for link in links]


def worst(findings: Iterable[Finding]) -> Verdict:
    """The verdict on all of them; ok where there is none."""
    verdicts = {finding.verdict for finding in findings}
    for one in (Verdict.FAILED, Verdict.WARNING, Verdict.NOT_CHECKED):
        if one in verdicts:
            return one
    return Verdict.OK
