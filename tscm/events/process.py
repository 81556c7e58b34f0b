"""
The worker's process as the reactor sees it: one request at a time, started when it is needed.
"""

import json
import sys
from collections import deque
from pathlib import Path
from typing import Any, ClassVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from tscm.base.same_version import child_environment
from tscm.errors import TscmError
from tscm.model import Json

_MAX_ANSWER = 1 << 20
_ERRORS_TOLD = 2000


class WorkerFailed(TscmError):
    """
    The worker could not do what was asked, or ended before it did.
    """


class _Pipe(ProcessProtocol):
    def __init__(self, worker: "WorkerProcess") -> None:
        self._worker = worker
        self._answer = b""
        self._said = b""

    def outReceived(self, data: bytes) -> None:
        self._answer += data
        while b"\n" in self._answer:
            line, _, self._answer = self._answer.partition(b"\n")
            self._worker.answered(line)
        if len(self._answer) > _MAX_ANSWER:
            self.kill()

    def errReceived(self, data: bytes) -> None:
        self._said = (self._said + data)[-_ERRORS_TOLD:]

    def processEnded(self, reason: Failure) -> None:
        self._worker.ended(self._said.decode("utf-8", "replace").strip() or str(reason.value))

    def kill(self) -> None:
        if self.transport is not None:
            self.transport.signalProcess("KILL")


@define(eq=False)
class WorkerProcess:
    """
    Keeps the process, and the callers that wait for its answers in their order.
    """

    _log: ClassVar[Logger] = Logger()

    _reactor: Any
    _database: Path
    _pipe: _Pipe | None = field(default=None, init=False)
    _waiting: deque[Deferred[Json]] = field(factory=deque, init=False)
    _gone: Deferred[None] | None = field(default=None, init=False)

    def ask(self, request: Json, data: bytes = b"") -> Deferred[Json]:
        """
        Fires with the answer; fails with `WorkerFailed`.  The next call starts a new process.
        """
        if self._pipe is None:
            self._pipe = self._start()
        waiting: Deferred[Json] = Deferred()
        self._waiting.append(waiting)
        transport = self._pipe.transport
        assert transport is not None
        transport.write(json.dumps({**request, "size": len(data)}).encode() + b"\n" + data)
        return waiting

    def _start(self) -> _Pipe:
        pipe = _Pipe(self)
        arguments = [sys.executable, "-m", "tscm.events.worker", str(self._database.absolute())]
        # `-m` looks for modules in the working directory first, which may be another user's.
        self._reactor.spawnProcess(
            pipe, sys.executable, arguments, env=child_environment(), path="/"
        )
        return pipe

    def answered(self, line: bytes) -> None:
        """A line came out of the process."""
        found = json.loads(line)
        waiting = self._waiting.popleft()
        if "error" in found:
            waiting.errback(WorkerFailed(found["error"]))
        else:
            waiting.callback(found["answer"])

    def ended(self, why: str) -> None:
        """The process is gone; those who wait are told."""
        self._pipe = None
        waiting, self._waiting = self._waiting, deque()
        for one in waiting:
            one.errback(WorkerFailed(f"the event worker exited: {why}"))
        gone, self._gone = self._gone, None
        if gone is not None:
            gone.callback(None)

    def stop(self) -> Deferred[None] | None:
        """Close its input; fires when it is gone."""
        if self._pipe is None:
            return None
        self._gone = Deferred()
        transport = self._pipe.transport
        assert transport is not None
        transport.closeStdin()
        return self._gone
