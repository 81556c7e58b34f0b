"""
The risks of a push on the command line: an option for each word, and the question about all of them.
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import click

from tscm.cli import say
from tscm.cli.progress import shown_progress
from tscm.cli.prompts import confirmed
from tscm.errors import TscmError
from tscm.faces.backend import Backend, ManagerError
from tscm.model import Report
from tscm.operations.arguments import Push
from tscm.operations.table.policies import PLAN
from tscm.risks import Consent, Risk, RiskFound
from tscm.update.figures import UpdateRecord

F = TypeVar("F", bound=Callable[..., Any])


class NotAccepted(TscmError):
    """
    Risks were found, and they were not accepted.
    """

    def __init__(
        self, name: str, options: Iterable[str], *, asked: bool, hidden: bool = False
    ) -> None:
        self.name = name
        self.options = tuple(dict.fromkeys(options))
        self.asked = asked
        self.hidden = hidden
        """Is there more behind a certificate that was not accepted?"""
        self.exit_status = 1 if asked else 2
        super().__init__(name, self.options)

    def __str__(self) -> str:
        words = " ".join(self.options)
        if self.asked:
            return f"nothing was changed on {self.name}, since this is not accepted: {words}"
        more = "; with them --force lists what else is found on the device" if self.hidden else ""
        return (
            f"nothing was changed on {self.name}: --force asks before it accepts something, and there is no "
            f"terminal to ask at; give {words}, or --yes for all that is found{more}"
        )


def risk_options(command: F) -> F:
    """An option for each word of `Risk`."""
    for one in reversed(Risk):
        if one is Risk.CERTIFICATE:
            option = click.option(f"--{one}", str(one), metavar="SHA256", help=f"{one.meaning}.")
        else:
            option = click.option(
                f"--{one}", str(one), is_flag=True, help=f"Accept: {one.meaning}."
            )
        command = option(command)
    return command


def consent_of(parameters: Mapping[str, Any]) -> Consent:
    """What the options accept.  Raises `NoSuchRisk` for a digest that is none."""
    words = [str(one) for one in Risk if parameters.get(one) and one is not Risk.CERTIFICATE]
    digest = parameters.get(Risk.CERTIFICATE)
    return Consent.of_words([*words, *([f"{Risk.CERTIFICATE}={digest}"] if digest else [])])


def agreed(backend: Backend, name: str, consent: Consent, *, yes: bool) -> Consent:
    """
    *consent* and all that is found beside it, once the operator has accepted that: nothing is changed before.

    A certificate hides what stands behind it, because there is no login before it is accepted; so the look is
    taken again.  Raises `NotAccepted`.
    """
    while True:
        with shown_progress(aside=True) as report:  # over before anything is asked
            seen = _looked(backend, name, consent, report)
        found = [one for one in seen if not consent.accepts(one)]
        if not found:
            return consent
        for one in found:
            say.warn(f"{one.option}: {one.sentence}")
        options = [one.option for one in found]
        hidden = any(one.risk is Risk.CERTIFICATE for one in found)
        if hidden:
            say.info(
                f"No password is sent to {name} before its certificate is accepted; then its groups are read, "
                f"and what else there is to accept is listed before anything is changed",
                aside=True,
            )
        if not yes:
            if not sys.stdin.isatty():
                raise NotAccepted(name, options, asked=False, hidden=hidden)
            if not confirmed(f"Accept all of this for {name}? (y or n) [default n] "):
                raise NotAccepted(name, options, asked=True)
        consent = consent.with_(found)


def _looked(backend: Backend, name: str, consent: Consent, report: Report) -> list[RiskFound]:
    """Every risk that a look finds, also one that ends it."""
    from tscm.update.outcome import UpdateFailed

    try:
        asked = Push(name=name, accept=consent.words, force=True)
        outcome = backend.call(PLAN, asked, report)
    except ManagerError as error:
        found = risks_in(error.outcome)
        if not any(not consent.accepts(one) for one in found):
            raise
        return found
    except UpdateFailed as error:
        if not any(not consent.accepts(one) for one in error.outcome.risks):
            raise
        return list(error.outcome.risks)
    return risks_in(outcome)


def risks_in(outcome: UpdateRecord | None) -> list[RiskFound]:
    """The risks that an outcome tells of; a word of another version's is left out."""
    risks = () if outcome is None else outcome.risks
    return [one for one in risks if isinstance(one.risk, Risk)]
