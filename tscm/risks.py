"""
What an operator may accept for one push, word by word: the one table of it.

Nothing accepts everything.  A word stands for one kind of risk and is spelt alike as an option of
`tsadmin`, in the control interface and in the history.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Self

from attrs import define, evolve, field, frozen

from tscm.errors import TscmError
from tscm.fingerprints import read_fingerprint
from tscm.wire.keys import as_key


class Risk(StrEnum):
    """The words, each with what it accepts."""

    meaning: str

    def __new__(cls, word: str, meaning: str) -> Self:
        """A text with its meaning beside it."""
        made = str.__new__(cls, word)
        made._value_ = word
        made.meaning = meaning
        return made

    SHRINK = (
        "accept_shrink",
        "A list, or what is in force of the block list, that shrank or is empty",
    )
    GROWTH = "accept_growth", "A list that grew beyond its limit"
    ALLOW = "accept_allow", "An allow list that grew, or takes too large a share of the maximum"
    OLDER = "accept_older", "A list whose serial decreased"
    CERTIFICATE = "accept_certificate", "A changed certificate of the device, by its SHA-256"
    OWNER = (
        "take_over",
        "Groups that carry the mark of another manager, or of another device of this one",
    )
    BUDGET = "over_budget", "More configuration than the device's agent supports"
    LONG = "accept_long", "A first load that takes hours, by the figures of the device's platform"


OF_LISTS = frozenset({Risk.SHRINK, Risk.GROWTH, Risk.ALLOW, Risk.OLDER})
"""What the guard finds in lists: all that the word `force` of earlier versions was said to accept."""


@define(eq=False)
class NoSuchRisk(TscmError):
    """
    A word that accepts nothing, or a digest that is none.
    """

    exit_status = 2

    word: str

    def __str__(self) -> str:
        word, sign, value = self.word.partition("=")
        if word == Risk.CERTIFICATE:
            shown = repr(value[:100]) if sign else "nothing"
            return (
                f"{shown} is not a SHA-256 fingerprint of a certificate; allowed: 64 hexadecimal digits, "
                "with or without colons"
            )
        words = ", ".join(one + "=SHA256" * (one is Risk.CERTIFICATE) for one in Risk)
        return f"{self.word[:100]!r} is not a risk; allowed: {words}"


@frozen(kw_only=True)
class RiskFound:
    """
    One risk as it was found; *value* is the certificate's SHA-256.
    """

    risk: Risk = field(metadata=as_key("word"))
    sentence: str
    value: str | None = None

    @property
    def option(self) -> str:
        """What is to be typed to accept it."""
        return f"--{self.risk}" + (f" {self.value}" if self.value else "")

    def __str__(self) -> str:
        return self.sentence


@frozen(kw_only=True)
class Consent:
    """
    What is accepted for one push.  A certificate is accepted by its digest alone.
    """

    risks: frozenset[Risk] = frozenset()
    certificate: str | None = None

    def accepts(self, found: RiskFound) -> bool:
        """Is this very risk accepted?"""
        if found.risk is Risk.CERTIFICATE:
            return found.value is not None and found.value == self.certificate
        return found.risk in self.risks

    def with_(self, found: Iterable[RiskFound]) -> "Consent":
        """And these."""
        given = self
        for one in found:
            if one.risk is Risk.CERTIFICATE:
                given = evolve(given, certificate=one.value)
            else:
                given = evolve(given, risks=given.risks | {one.risk})
        return given

    @property
    def words(self) -> tuple[str, ...]:
        """As the control interface carries it: `accept_shrink`, `accept_certificate=SHA256`."""
        plain = tuple(str(one) for one in Risk if one in self.risks)
        return (
            plain
            if self.certificate is None
            else (*plain, f"{Risk.CERTIFICATE}={self.certificate}")
        )

    @classmethod
    def of_words(cls, words: Iterable[str]) -> Self:
        """What `words` gave.  Raises `NoSuchRisk`."""
        risks: set[Risk] = set()
        certificate = None
        for text in words:
            word, _, value = text.partition("=")
            try:
                risk = Risk(word)  # type: ignore[call-arg]  # by its value
            except ValueError:
                raise NoSuchRisk(text) from None
            if risk is Risk.CERTIFICATE:
                try:
                    certificate = read_fingerprint(value)
                except ValueError:
                    raise NoSuchRisk(text) from None
            elif value:
                raise NoSuchRisk(text)
            else:
                risks.add(risk)
        return cls(risks=frozenset(risks), certificate=certificate)


NOTHING = Consent()
