"""
Questions about the policy of a device that what is stored answers.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from attrs import frozen
from twisted.internet.defer import Deferred

from tscm.base.threads import Threads
from tscm.errors import TscmError
from tscm.store.generations import Generation
from tscm.update.answers import Difference, Dropped, Explanation, History
from tscm.update.job import UpdateJob
from tscm.update.records import UpdateRecords
from tscm.update.turns import Updated

_TOGETHER = 10
"""Devices whose stored lists are read in one turn of the reactor."""


@frozen
class Questions:
    """
    Asked in the reactor thread; what takes long is looked up in another.  Each raises `NoSuchDevice`.
    """

    _threads: Threads
    _records: UpdateRecords
    _device: Callable[[str], Updated]
    _job: Callable[[Updated], UpdateJob]

    def why(self, name: str, asked: str) -> Deferred[Explanation]:
        """How an address or network stands with the device's lists, from what is stored."""
        from tscm.update.inquiry import explain

        return self._threads.run(explain, self._job(self._device(name)), asked)

    async def why_each(
        self, names: Sequence[str], asked: str
    ) -> AsyncIterator[Mapping[str, Explanation | TscmError]]:
        """
        `why` of many devices, some at a time.  What many of them hold is unpacked once.
        """
        from tscm.update.inquiry import Opening, cidr_of, explain_each

        opening = Opening(cidr_of(asked))
        for first in range(0, len(names), _TOGETHER):
            found: dict[str, Explanation | TscmError] = {}
            jobs = {}
            for name in names[first : first + _TOGETHER]:
                try:
                    jobs[name] = self._job(self._device(name))
                except TscmError as error:
                    found[name] = error
            answers = await self._threads.run(explain_each, list(jobs.values()), asked, opening)
            yield found | dict(zip(jobs, answers, strict=True))

    def dropped(self, name: str, search: str | None = None) -> Deferred[Dropped]:
        """What the lists hold and the device does not, from what is stored."""
        from tscm.update.inquiry import dropped

        return self._threads.run(dropped, self._job(self._device(name)), search)

    def diff(self, name: str, older: int, newer: int | None = None) -> Deferred[Difference]:
        """What came and went between two generations; *newer* is the latest where not given."""
        from tscm.update.inquiry import difference

        pair = self.generation(name, older), self.generation(name, newer)
        return self._threads.run(difference, name, *pair)

    def history(self, name: str) -> History:
        """Generations that are kept, and how the latest updates went."""
        self._device(name)
        return self._records.history(name)

    def generation(self, name: str, number: int | None = None) -> Generation:
        """One generation with its content, the newest without a *number*."""
        self._device(name)
        return self._records.generation(name, number)
