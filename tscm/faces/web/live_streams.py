"""
Lines as they come, to many browsers: one question to the manager a filter, encoded once, and nothing piled up.

A browser that does not read is left out until it does: what it misses is counted and told, and costs no memory.
"""

import json
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from attrs import define, evolve, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IPushProducer
from twisted.logger import Logger
from zope.interface import implementer

from tscm.errors import TscmError
from tscm.events.answers import FoundLines, LogLine
from tscm.faces.web.accounts import Session
from tscm.faces.web.asking import Asking
from tscm.faces.web.views.lines import batch, batch_rows
from tscm.faces.web.visit import Sink
from tscm.operations.arguments import Following
from tscm.operations.table.lines import FOLLOW_LINES

POLL_SECONDS = 0.5
FEEDS_FREE = 8
"""With more filters than these each is asked about less often."""
SESSION_SECONDS = 5.0
"""How soon a stream ends with its session."""
MOST_STREAMS = 64
MOST_OF_SESSION = 3
"""A browser opens six connections to a site: some must be left for its pages."""
_LINES_A_BATCH = 100
_KEPT = 100
"""Of the latest lines, for who joins."""


class TooManyStreams(TscmError):
    """
    As many browsers follow lines as may.
    """

    def __str__(self) -> str:
        return f"{MOST_STREAMS} windows follow lines already; reload this page to see the latest"


def event(kind: str, data: Any) -> bytes:
    """One event of a stream (WHATWG HTML, 9.2): the data in one line, which JSON is."""
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode()


@implementer(IPushProducer)
@define(eq=False)
class LineStream:
    """
    One browser's window.  *over* fires when it has ended.
    """

    _sink: Sink
    session: Session
    over: Deferred[None] = field(factory=Deferred)
    missed: int = field(default=0, init=False)
    """Lines that came while the browser did not read, and that it was not told of yet."""
    _paused: bool = field(default=False, init=False)
    ended: bool = field(default=False, init=False)

    def begin(self) -> None:
        """Have the transport say when the browser does not read."""
        self._sink.registerProducer(self, streaming=True)

    def pauseProducing(self) -> None:
        """Nothing is written from now on."""
        self._paused = True

    def resumeProducing(self) -> None:
        """The browser reads again."""
        self._paused = False

    def stopProducing(self) -> None:
        """The browser is gone."""
        self.gone()

    def gone(self) -> None:
        """Likewise, as the request says it: there is nothing left to write to."""
        if not self.ended:
            self.ended = True
            self._finish()

    def offer(self, data: bytes, lines: int) -> None:
        """Send, or count what is left out."""
        if self.ended:
            return
        if self._paused:
            self.missed += lines
            return
        if self.missed:
            missed, self.missed = self.missed, 0
            self._sink.write(event("missed", missed))
        self._sink.write(data)

    def end(self, why: str = "") -> None:
        """No more; *why* is told to who still reads."""
        if self.ended:
            return
        self.ended = True
        if why and not self._paused:
            self._sink.write(event("over", why))
        self._sink.unregisterProducer()
        self._finish()

    def _finish(self) -> None:
        if not self.over.called:  # the browser's going away may have cancelled it
            self.over.callback(None)


@define(eq=False)
class _Feed:
    """One filter: its streams, and where the logs were read to."""

    asked: Following
    streams: list[LineStream] = field(factory=list)
    latest: deque[LogLine] = field(factory=lambda: deque(maxlen=_KEPT))
    call: IDelayedCall | None = None
    fault: str = ""
    begun: bool = False


@define(eq=False)
class LiveStreams:
    """
    All streams of the page.  *lasts* says whether a session still does.
    """

    _log: ClassVar[Logger] = Logger()

    _clock: Any
    _asking: Asking
    _lasts: Callable[[Session], bool]
    _feeds: dict[str, _Feed] = field(factory=dict, init=False)
    _checking: IDelayedCall | None = field(default=None, init=False)

    def streams(self) -> list[LineStream]:
        """Those that are open, the oldest first."""
        return [one for feed in self._feeds.values() for one in feed.streams]

    def refuse_full(self) -> None:
        """Raise `TooManyStreams` where there is no room for one more."""
        if len(self.streams()) >= MOST_STREAMS:
            raise TooManyStreams

    def join(self, asked: Following, session: Session, sink: Sink) -> LineStream:
        """Follow from now on; the oldest of the session's windows ends where it has too many."""
        mine = [one for one in self.streams() if one.session.number == session.number]
        for one in mine[: max(0, len(mine) - MOST_OF_SESSION + 1)]:
            one.end("another window of yours follows lines now; reload this page to follow here")
        key = json.dumps([asked.devices, asked.options], sort_keys=True)
        feed = self._feeds.setdefault(key, _Feed(evolve(asked, top=_LINES_A_BATCH)))
        stream = LineStream(sink, session)
        feed.streams.append(stream)
        stream.over.addBoth(lambda _: self._left(key, stream))
        stream.begin()
        if feed.begun:
            stream.offer(event("begin", {"rows": batch_rows(tuple(feed.latest))}), 0)
        if feed.call is None:
            feed.call = self._clock.callLater(0, self._poll, key)
        if self._checking is None:
            self._checking = self._clock.callLater(SESSION_SECONDS, self._check)
        return stream

    def _left(self, key: str, stream: LineStream) -> None:
        stream.ended = True
        feed = self._feeds.get(key)
        if feed is None or stream not in feed.streams:
            return
        feed.streams.remove(stream)
        if not feed.streams:
            del self._feeds[key]
            if feed.call is not None and feed.call.active():
                feed.call.cancel()
        if not self._feeds and self._checking is not None:
            self._checking.cancel()
            self._checking = None

    def stop(self) -> None:
        """End all."""
        for one in self.streams():
            one.end("the page is being stopped")

    def _check(self) -> None:
        self._checking = self._clock.callLater(SESSION_SECONDS, self._check)
        for one in self.streams():
            if not self._lasts(one.session):
                one.end("the session has ended; sign in again")

    def _poll(self, key: str) -> None:
        feed = self._feeds.get(key)
        if feed is not None:
            Deferred.fromCoroutine(self._ask(feed)).addBoth(self._again, key, feed)

    def _again(self, _: object, key: str, feed: _Feed) -> None:
        if self._feeds.get(key) is feed:
            pause = POLL_SECONDS * max(1.0, len(self._feeds) / FEEDS_FREE)
            feed.call = self._clock.callLater(pause, self._poll, key)

    async def _ask(self, feed: _Feed) -> None:
        try:
            found = await self._asking.ask(FOLLOW_LINES, feed.asked)
        except TscmError as error:
            if str(error) != feed.fault:
                feed.fault = str(error)
                _offer(feed.streams, event("fault", feed.fault), 0)
            return
        except Exception:  # noqa: BLE001 - one bad answer must not end the streams
            self._log.failure("lines could not be followed")
            return
        self._give(feed, found)

    def _give(self, feed: _Feed, found: FoundLines) -> None:
        feed.asked = evolve(feed.asked, positions=dict(found.positions))
        feed.latest.extend(found.lines)
        if feed.fault:
            feed.fault = ""
            _offer(feed.streams, event("fault", ""), 0)
        if not feed.begun:
            feed.begun = True
            _offer(feed.streams, event("begin", {"rows": batch_rows(found.lines)}), 0)
        elif found.lines or found.left_out or found.unread_bytes:
            _offer(feed.streams, event("lines", batch(found)), len(found.lines) + found.left_out)
        else:
            _offer(feed.streams, b": still here\n\n", 0)


def _offer(streams: Sequence[LineStream], data: bytes, lines: int) -> None:
    for one in tuple(streams):
        one.offer(data, lines)
