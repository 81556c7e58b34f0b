"""
The checks of the chain that users asked for: made in the manager one after the other, the last result kept.
"""

from collections.abc import Iterator, Sequence

from attrs import define, field
from twisted.internet.defer import Deferred

from tscm.doctor.finding import Finding
from tscm.errors import TscmError
from tscm.faces.web.asking import Asking
from tscm.operations.arguments import Device, Nothing
from tscm.operations.table.doctor import DOCTOR, DOCTOR_DEVICE

NODE = ""
"""The host and the manager, beside the devices."""
MOST_KEPT = 2000


@define(eq=False)
class Looked:
    """What was found, and when; *looking* while it is looked at again."""

    findings: tuple[Finding, ...] | None = None
    at: float = 0.0
    looking: bool = False
    fault: str = ""


@define(eq=False)
class Chain:
    """
    The results, by device.
    """

    _asking: Asking
    _kept: dict[str, Looked] = field(factory=dict, init=False)
    _wanted: dict[str, None] = field(factory=dict, init=False)
    _busy: bool = field(default=False, init=False)

    def of(self, name: str) -> Looked:
        """What is known of one."""
        return self._kept.get(name, Looked())

    def look(self, names: Sequence[str]) -> None:
        """Look at each of *names*, one after the other; who is waited for already is not asked twice."""
        for name in names:
            self._wanted[name] = None
            self._kept.setdefault(name, Looked()).looking = True
        while len(self._kept) > MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        if not self._busy:
            self._busy = True
            Deferred.fromCoroutine(self._work())

    async def _work(self) -> None:
        try:
            for name in self._next():
                await self._look_at(self._kept.setdefault(name, Looked()), name)
        finally:
            self._busy = False

    def _next(self) -> Iterator[str]:
        while self._wanted:
            name = next(iter(self._wanted))
            del self._wanted[name]
            yield name

    async def _look_at(self, looked: Looked, name: str) -> None:
        try:
            found = await (
                self._asking.ask(DOCTOR_DEVICE, Device(name=name))
                if name
                else self._asking.ask(DOCTOR, Nothing())
            )
            looked.findings, looked.fault, looked.at = found.findings, "", self._asking.now()
        except TscmError as error:
            looked.fault = str(error)
        finally:
            looked.looking = False
