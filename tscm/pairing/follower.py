"""
The manager's side: a long poll for each portal, and what its answers ask for.

Requests block, each in a thread of a pool of its own, so that they take no place of updates.  What is applied goes the way of
`tsadmin configure`, one device after the other; meanwhile the portal is asked on.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from random import random
from typing import Any, ClassVar

from attrs import define, evolve, field
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, DeferredList, maybeDeferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from tscm.base.clock import wall_seconds
from tscm.base.schedule import PeriodicService, backoff
from tscm.base.threads import Threads
from tscm.errors import TscmError
from tscm.pairing.bonds import Bond, any_bonds, bonds, drop_bond, read_bond, write_bond
from tscm.pairing.client import PortalMistaken, exchange
from tscm.pairing.following import (
    LEAST_SECONDS,
    Heard,
    Place,
    failed,
    groups,
    question,
    taken,
)
from tscm.pairing.messages import FOLLOW, WAIT_SECONDS, MessageFaulty, News, Standing, read_news
from tscm.settings.layout import Layout

LOOK_SECONDS = 2.0
"""Between two looks at which devices are paired, and at what is to be applied again."""
EXCHANGE_SECONDS = WAIT_SECONDS + 20.0
BACKOFF_MOST = 120.0
_PORTALS = 4
"""Requests at a time; a manager has one portal, as a rule."""

Apply = Callable[[Bond], Awaitable[None]]
"""Puts a bond's document in force.  Raises `TscmError` where it cannot."""


@define(eq=False)
class Follower(Service):
    """
    Follows the portals of all devices that have a bond.

    *entries* gives the permanent id of each device in force, *standing* how one stands, *apply* puts a document in
    force, *changed* has lists fetched, *ended* notes that a device is followed no longer, and why.
    """

    _log: ClassVar[Logger] = Logger()

    _reactor: Any
    _files: Threads
    _layout: Layout
    _entries: Callable[[], Mapping[str, str | None]]
    _standing: Callable[[str], Standing]
    _apply: Apply
    _changed: Callable[[Sequence[str]], None]
    _ended: Callable[[Bond, str], None]
    _threads: Threads = field(init=False)
    _loop: PeriodicService = field(init=False)
    _bonds: dict[str, Bond] = field(factory=dict, init=False)
    _heard: dict[str, Heard] = field(factory=dict, init=False)
    _polls: dict[tuple[Place, int], Deferred[None]] = field(factory=dict, init=False)
    _applying: dict[str, Deferred[None]] = field(factory=dict, init=False)
    _said: dict[str, str] = field(factory=dict, init=False)
    _pooled: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._threads = Threads(self._reactor, _PORTALS, "tscm-portal", 5.0)
        self._loop = PeriodicService(
            self._reactor, LOOK_SECONDS, self.look, "check of paired devices"
        )

    def startService(self) -> None:
        """Begin to look; without a bond there is nothing else."""
        super().startService()
        self._loop.startService()

    def stopService(self) -> Deferred[None]:
        """Fires when no request and no change is in progress."""
        super().stopService()
        self._threads.hurry()
        stopped = [maybeDeferred(self._loop.stopService)] if self._loop.running else []
        for one in (*self._polls.values(), *self._applying.values()):
            one.cancel()
        if self._pooled:
            stopped.append(maybeDeferred(self._threads.stopService))
        ended: Deferred[None] = Deferred()
        DeferredList(stopped, consumeErrors=True).addCallback(lambda _: ended.callback(None))
        return ended

    def bonds(self) -> dict[str, tuple[Bond, Heard]]:
        """What is followed, by device."""
        return {name: (bond, self._heard.get(name, Heard())) for name, bond in self._bonds.items()}

    def forget(self, name: str) -> None:
        """A device has no bond any more."""
        self._bonds.pop(name, None)
        self._heard.pop(name, None)
        self._said.pop(name, None)

    async def look(self) -> None:
        """Which devices are paired by now; a poll for each portal, and what is to be applied again."""
        if not self._bonds and not any_bonds(self._layout):
            return
        found, faults = await self._files.run(bonds, self._layout)
        for fault in faults:
            self._say(str(fault), str(fault))
        by_entry = {one.entry: one for one in found}
        own = {
            name: evolve(by_entry[entry], name=name)
            for name, entry in self._entries().items()
            if entry in by_entry
        }
        for name in set(self._bonds) - set(own):
            self.forget(name)
        for name, one in own.items():
            present = self._bonds.get(name)
            if present is None or present.token != one.token:
                self._heard[name] = Heard(retry_at=0.0)
                self._bonds[name] = one
        if not self.running:
            return
        if own and not self._pooled:
            self._pooled = True
            self._threads.startService()
        for place, parts in groups(own.values()).items():
            for number in range(len(parts)):
                if (place, number) not in self._polls:
                    self._begin_poll(place, number)
        for name in own:
            self._apply_again(name)

    # -- asking -------------------------------------------------------------------

    def _begin_poll(self, place: Place, number: int) -> None:
        key = (place, number)
        poll = self._polls[key] = Deferred.fromCoroutine(self._poll(place, number))

        def over(result: Any) -> None:
            self._polls.pop(key, None)
            if hasattr(result, "check") and not result.check(CancelledError) and self.running:
                self._log.failure("following a portal failed; it begins again", result)

        poll.addBoth(over)

    async def _poll(self, place: Place, number: int) -> None:
        """Ask one portal about one part of its devices, until there are none."""
        failures = 0
        while self.running:
            now = self._reactor.seconds()
            parts = groups(self._bonds.values()).get(place, [])
            if number >= len(parts):
                return
            part = [one for one in parts[number] if self._heard[one.name].unknown_until <= now]
            if not part:
                await deferLater(self._reactor, LOOK_SECONDS)
                continue
            fault = await self._ask(place, part)
            failures = failures + 1 if fault else 0
            wait = LEAST_SECONDS
            if fault:
                wait = backoff(failures, random(), first=2.0, most=BACKOFF_MOST)  # noqa: S311
            await deferLater(self._reactor, wait)

    async def _ask(self, place: Place, part: Sequence[Bond]) -> str:
        """One request; gives why it failed."""
        asked = [(one, self._heard[one.name], self._told(one)) for one in part]
        body = question(asked)
        ask = partial(exchange, place.portal, place.fingerprint, FOLLOW, body, EXCHANGE_SECONDS)
        try:
            raw, _ = await self._threads.run(ask)
            news = read_news(raw)
        except (TscmError, MessageFaulty) as error:
            for one in part:
                if one.name in self._heard:
                    self._heard[one.name] = evolve(self._heard[one.name], fault=str(error))
            if self.running:
                self._say(place.portal, str(error), grave=isinstance(error, PortalMistaken))
            return str(error)
        self._say(place.portal, "")
        for one in part:
            await self._take(one, news.get(one.device_id))
        return ""

    def _told(self, bond: Bond) -> Standing:
        heard = self._heard[bond.name]
        fault = heard.fault if bond.received > bond.applied else ""
        return evolve(self._standing(bond.name), applied=bond.applied, fault=fault)

    async def _take(self, asked: Bond, news: News | None) -> None:
        bond = self._bonds.get(asked.name)
        if bond is None or bond.token != asked.token:
            return  # ended or paired again while the answer was in progress
        now, at = self._reactor.seconds(), wall_seconds(self._reactor)
        steps = taken(bond, self._heard[bond.name], news, now=now, at=at)
        if steps.ended:
            await self._files.run(drop_bond, self._layout, bond.entry)
            self.forget(bond.name)
            self._ended(bond, "unpaired at the portal")
            return
        self._heard[bond.name] = steps.heard
        if steps.bond != bond:
            await self._keep(steps.bond)
        if steps.changed:
            self._changed(steps.changed)
        self._say(bond.name, steps.heard.fault)
        self._apply_again(bond.name)

    async def _keep(self, bond: Bond) -> None:
        """Write a bond, unless it is gone or another one by now; on a full disk it holds until a restart asks again."""
        self._bonds[bond.name] = bond
        try:
            await self._files.run(_rewrite, self._layout, bond)
        except OSError as error:
            self._log.error(
                "{device}: what the portal said cannot be stored: {cause}; make room on the disk",
                device=bond.name,
                cause=error.strerror or "",
            )

    # -- applying -------------------------------------------------------------------

    def _apply_again(self, name: str) -> None:
        """Begin to apply what is due for a device, if nothing is in progress for it."""
        bond, heard = self._bonds.get(name), self._heard.get(name)
        if bond is None or heard is None or name in self._applying:
            return
        due = heard.retry_at is not None and heard.retry_at <= self._reactor.seconds()
        if bond.received <= bond.applied or not due:
            return
        work = self._applying[name] = Deferred.fromCoroutine(self._bring(bond))

        def over(result: Any) -> None:
            self._applying.pop(name, None)
            if hasattr(result, "check") and not result.check(CancelledError):
                self._log.failure("applying a portal's settings failed", result)
                self._failed(bond, "internal error; see the manager's log")

        work.addBoth(over)

    async def _bring(self, bond: Bond) -> None:
        try:
            await self._apply(bond)
        except TscmError as error:
            self._failed(bond, str(error))
            return
        present = self._bonds.get(bond.name)
        if present is None or present.token != bond.token:
            return
        # A newer document may have come meanwhile: what is in force is the one that was applied.
        await self._keep(evolve(present, applied=bond.received))
        heard = self._heard.get(bond.name)  # gone, if the device was renamed meanwhile
        if heard is not None and present.received == bond.received:
            self._heard[bond.name] = evolve(heard, fault="", failures=0, retry_at=None)
        self._say(bond.name, "")
        self._log.info(
            "{device}: settings version {version} of the portal are in force",
            device=bond.name,
            version=bond.received,
        )

    def _failed(self, bond: Bond, fault: str) -> None:
        heard = self._heard.get(bond.name)
        if heard is None:
            return
        now = self._reactor.seconds()
        told = f"settings version {bond.received} of the portal are not in force: {fault}"
        self._heard[bond.name] = failed(heard, told, now)
        self._say(bond.name, told)

    def _say(self, what: str, sentence: str, *, grave: bool = False) -> None:
        """Log a sentence once, until it is another one."""
        if self._said.get(what, "") != sentence:
            self._said[what] = sentence
            if sentence and grave:
                self._log.error("{sentence}", sentence=sentence)
            elif sentence:
                self._log.warn("{sentence}", sentence=sentence)


def _rewrite(layout: Layout, bond: Bond) -> None:
    present = read_bond(layout, bond.entry)
    if present is not None and present.token == bond.token:
        write_bond(layout, bond)
