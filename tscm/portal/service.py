"""
The publisher: policies composed and published whenever something of them changes, or time does; and
the feeds of their targets fetched when that is due.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from attrs import define, evolve, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from tscm.base.clock import wall_seconds
from tscm.base.schedule import PeriodicService
from tscm.base.server_addresses import PermittedServers
from tscm.base.threads import Threads
from tscm.errors import TscmError
from tscm.plural import many
from tscm.portal.items import Target, key_name
from tscm.portal.publishing import Published, publish
from tscm.portal.site import catalogue
from tscm.portal.sources import Sources
from tscm.retrieve.answers import Answers
from tscm.retrieve.feed_source import FeedSource
from tscm.retrieve.feeds import fetch_feed
from tscm.retrieve.sources import feed_source
from tscm.retrieve.stream import Limits
from tscm.settings.feed import Feed
from tscm.settings.layout import Layout
from tscm.store.user_lists import UserLists

_LIMITS = Limits(idle_seconds=20.0, whole_seconds=60.0)
"""Of one feed: a thread is shared with updates of firewalls."""
_END_SECONDS = 3600.0
"""An entry that ends later than this is looked at again before."""
LOOK_SECONDS = 30.0
"""Between two scheduled looks: feeds that are due, entries that expired."""


@define(eq=False)
class PolicyPublisher(Service):
    """
    Looks at once when it is told of a change, and every half a minute; one look at a time, in a thread.

    *told* takes the names of lists that were published again.
    """

    _log: ClassVar[Logger] = Logger()

    _clock: IReactorTime
    _threads: Threads
    _layout: Layout
    _told: Callable[[tuple[str, ...]], None]
    _ready: Callable[[], bool] = lambda: True
    """Whether the database may be used."""
    _permitted: PermittedServers = PermittedServers(setting="[portal] private_servers")
    """Which servers feeds may be fetched from."""
    state: Published = field(factory=Published, init=False)
    fault: str = field(default="", init=False)
    """Why the last look failed."""
    _sources: Sources = field(init=False)
    _loop: PeriodicService = field(init=False)
    _turn: Deferred[None] | None = field(default=None, init=False)
    """Fires when the present look is over."""
    _end: IDelayedCall | None = field(default=None, init=False)
    """When the next entry of a list ends, if that is soon."""
    _waiting: list[Deferred[None]] = field(factory=list, init=False)
    _fetching: bool = field(default=False, init=False)
    _confirmed: dict[str, str] = field(factory=dict, init=False)
    _said: dict[str, str] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self._sources = Sources(
            self._layout.portal / "targets",
            UserLists(self._layout.database),
            self._fetch,
            self._place,
        )
        self._loop = PeriodicService(
            self._clock, LOOK_SECONDS, self.refresh, label="publication of policies"
        )

    def startService(self) -> None:
        """Begin to look."""
        super().startService()
        self._loop.startService()

    def stopService(self) -> Deferred[None]:
        """Fires when no look is in progress."""
        super().stopService()
        self._wait_for(None)
        stopped = self._loop.stopService()
        if stopped is not None:
            stopped.addErrback(lambda _: None)
        idle: Deferred[None] = Deferred()
        if self._turn is None:
            idle.callback(None)
        else:
            self._turn.addBoth(lambda _: idle.callback(None))
        return idle

    async def refresh(self) -> None:
        """Look, fetch what is due, one target after the other, and look again where one changed."""
        await self.look()
        if self._fetching or self.fault:
            return
        self._fetching = True
        try:
            site = self.state.site
            wanted = {name: site.targets[name] for name in self.state.targets}
            for name in self._sources.due(wanted, wall_seconds(self._clock)):
                if not self.running:
                    return
                await self._fetch_target(name, wanted[name])
        finally:
            self._fetching = False

    async def _fetch_target(self, name: str, target: Target) -> None:
        try:
            await self._threads.run(self._sources.fetched, name, target, wall_seconds(self._clock))
        except OSError as error:
            self._say(f"target {name}", f"target {name!r} is not stored: {error.strerror}")
        except Exception:  # noqa: BLE001 - the other targets are fetched whatever one of them does
            self._log.failure("fetching target {name} failed", name=name)
        await self.look()

    async def look(self, confirmed: tuple[str, str] | None = None) -> None:
        """
        Returns after a look that began later than this call; *confirmed* names a policy that may shrink,
        and the mark of what it may shrink to.

        A failed look is logged and kept as `fault`.
        """
        if confirmed is not None:
            name, mark = confirmed
            self._confirmed[name] = mark
        turn: Deferred[None] = Deferred()
        self._waiting.append(turn)
        if self._turn is None:
            self._turn = Deferred.fromCoroutine(self._look_for_all())
            self._turn.addBoth(self._ended)
        await turn

    async def _look_for_all(self) -> None:
        while self._waiting:
            served, self._waiting = self._waiting, []
            confirmed, self._confirmed = self._confirmed, {}
            try:
                await self._once(confirmed)
            finally:
                for turn in served:
                    turn.callback(None)

    def _ended(self, result: object) -> None:
        self._turn = None
        if isinstance(result, Failure):
            self._log.failure("publication of policies ended", result)

    async def _once(self, confirmed: Mapping[str, str]) -> None:
        if not self._ready():
            return
        try:
            found: Published = await self._threads.run(
                publish,
                self._layout.database,
                self._layout.portal,
                self._sources,
                wall_seconds(self._clock),
                confirmed,
            )
        except (TscmError, OSError) as error:
            self.fault = str(error)
            self._say("", f"policies are not published: {error}")
            return
        except Exception:  # noqa: BLE001 - the next look must come whatever happened
            self.fault = "internal error"
            self._log.failure("publication of policies failed")
            return
        self.state, self.fault = found, ""
        self._wait_for(found.next_end)
        self._said.pop("", None)
        for name, one in found.targets.items():
            self._say(f"target {name}", one.fault)
        for name, policy in found.policies.items():
            # What has no entries yet is no fault: so is every policy of a new site.
            self._say(
                f"policy {name}", policy.fault or (policy.held if policy.block_entries else "")
            )
        if found.changed:
            self._log.info(
                "published {lists}: {names}",
                lists=many(len(found.changed), "list", "lists"),
                names=", ".join(found.changed),
            )
            self._told(found.changed)

    def _wait_for(self, end: float | None) -> None:
        """Look again when an entry ends, where the next look would come later."""
        timer, self._end = self._end, None
        if timer is not None and timer.active():
            timer.cancel()
        left = None if end is None else end - wall_seconds(self._clock)
        if left is not None and left < _END_SECONDS and self.running:
            self._end = self._clock.callLater(max(0.1, left), self._look_at_end)

    def _look_at_end(self) -> None:
        self._end = None
        Deferred.fromCoroutine(self.look())  # raises nothing: a failed look is logged

    def _say(self, what: str, sentence: str) -> None:
        """Log a sentence once, until it is another one."""
        if self._said.get(what, "") != sentence:
            self._said[what] = sentence
            if sentence:
                self._log.warn("{sentence}", sentence=sentence)

    # -- for the thread ----------------------------------------------------------

    def _fetch(self, source: FeedSource, known: Any, now: float) -> Any:
        answers = Answers(self._layout.feeds)
        return fetch_feed(source, known, now, answers=answers, layout=self._layout)

    def _place(self, name: str, target: Target, feed: Feed) -> FeedSource:
        source = evolve(
            feed_source(feed, _LIMITS), name=f"{name}/{feed.name}", permitted=self._permitted
        )
        if target.key_header is None and target.key_user is None:
            return source
        key = key_name(name, feed.url, shipped=name in catalogue().targets)
        return evolve(
            source,
            header=target.key_header,
            user=target.key_user,
            secret_file=str(self._layout.portal / "feed-keys" / key),
            secret_place=f"{name}/{target.feeds[0].name}",  # one file may be for several feeds
            key_setting=f"that the key for this server is in portal/feed-keys/{key}",
        )
