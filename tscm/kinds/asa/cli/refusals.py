"""
What lines of configuration that were not taken come to, as a fault.  Pure.
"""

from attrs import define, field

from tscm.errors import DeviceFault
from tscm.kinds.asa.cli.verdicts import Verdict, as_words, judge
from tscm.kinds.asa.faults import Replicating, UnitOnStandby
from tscm.kinds.faults import Forbidden, Refused


class LineRefused(Refused):
    """
    The command line said no to a line.
    """

    def __init__(self, device: str, cause: str) -> None:
        super().__init__(device, cause, may_be_size=False)  # each line is small


@define(eq=False)
class Refusals:
    """
    What *device* said of the lines of one portion: what it refused, and the gravest verdict.
    """

    device: str
    found: list[tuple[str, str]] = field(factory=list, init=False)
    """Line that was typed, and what was said of it: of many the first ones."""
    count: int = field(default=0, init=False)
    told: dict[str, None] = field(factory=dict, init=False)
    """Warnings, in words that can be quoted: of many the first ones."""
    _gravest: Verdict = field(default=Verdict.NOTHING, init=False)

    @property
    def any(self) -> bool:
        """Must the rest be left?"""
        return bool(self.count) or self._gravest.value >= Verdict.FORBIDDEN.value

    def add(self, typed: str, said: str) -> None:
        """*typed* was refused, in words that can be quoted."""
        self.count += 1
        if len(self.found) < _KEPT:
            self.found.append((typed, said))

    def judge(self, typed: str, text: str, *, warned: bool = False) -> None:
        """
        One line of what was said of *typed*; *warned* tells that the device calls it a warning.
        """
        verdict = judge(text)
        if verdict is Verdict.REFUSED:
            # An echo that was torn from its prompt says nothing.
            if warned:
                self._tell(text)
            elif text.strip() != typed.strip():
                self.add(typed, as_words(text))
        elif verdict is Verdict.TOLD and "*" not in text[:2]:
            self._tell(text)
        elif verdict.value > max(self._gravest.value, Verdict.REFUSED.value):
            self._gravest = verdict

    def _tell(self, text: str) -> None:
        if len(self.told) < _KEPT:
            self.told[as_words(text)] = None

    def fault(self) -> DeviceFault:
        """Why the portion was not done as it stands."""
        match self._gravest:
            case Verdict.STANDBY:
                return on_standby(self.device)
            case Verdict.REPLICATING:
                return Replicating(self.device)
            case Verdict.FORBIDDEN:
                return Forbidden(
                    self.device,
                    "the account may not type configuration commands",
                    "give it privilege 15, or allow `configure terminal` and `object-group` where a server "
                    "decides on commands",
                )
        typed, said = self.found[0]
        what = f"`{typed}`" if typed else "a line"
        more = f", and {self.count - 1:,} other lines" if self.count > 1 else ""
        return LineRefused(self.device, f"{what} was refused: {said}{more}")


_KEPT = 10


def on_standby(device: str) -> UnitOnStandby:
    """The unit is the standby one of its pair."""
    return UnitOnStandby(
        device,
        (
            "it is not the active unit of its failover pair, and changes made there are not "
            "replicated"
        ),
        "set the device address to that of the active unit",
    )
