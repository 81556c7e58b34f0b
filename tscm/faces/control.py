"""
The control interface: HTTP and JSON over a UNIX socket (docs/develop/design.md, section 8).

Short calls answer with one JSON document.  Long ones are jobs and answer with JSON lines: any number of
`{"job": …}` when the job's state changes and `{"progress": …}`, then one `{"result": …}` or
`{"error": …}`.  When the client goes away, a job that has not begun is withdrawn; one in progress
goes on, for a push must end.  With `?detach=yes` the answer is the job itself, at once.
"""

import grp
import json
import os
from collections.abc import Callable, Collection, Coroutine
from typing import Any, ClassVar

import attrs
from attrs import define, field
from klein import Klein
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IReactorFromThreads, IReactorUNIX
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import http
from twisted.web.server import Request
from werkzeug.exceptions import MethodNotAllowed, NotFound

from tscm import __version__
from tscm.errors import ControlUnavailable, TscmError
from tscm.faces.answer_bytes import answer_bytes
from tscm.faces.backend import VERSION
from tscm.faces.control_site import USAGE, ControlSite
from tscm.faces.peer import actor_of
from tscm.kinds.faults import Untrusted
from tscm.model import Json, Progress
from tscm.operations.bodies import RequestFaulty, read_body
from tscm.operations.call import quiet
from tscm.operations.calls import Calls
from tscm.operations.operation import Operation, read_args, read_query
from tscm.operations.table.whole import TABLE
from tscm.settings.layout import Layout
from tscm.settings.values import shown
from tscm.update.outcome import UpdateFailed
from tscm.wire.writing import as_json

GROUP = "tscm"


def error_json(error: BaseException) -> Json:
    """An error as it travels: the sentence and the exit status; of an update how far it came."""
    if isinstance(error, UpdateFailed):
        told = {"sentence": str(error), "exit_status": error.exit_status}
        return {**told, "outcome": error.outcome.to_json()}
    if isinstance(error, Untrusted) and error.shown is not None:
        told = {"sentence": str(error), "exit_status": error.exit_status}
        return {**told, "certificate": error.shown}
    if isinstance(error, TscmError):
        told = {"sentence": str(error), "exit_status": error.exit_status}
        return {**told, "absent": True} if error.absent else told
    return {
        "sentence": f"internal error in the manager: {type(error).__name__}: {error}",
        "exit_status": 70,
    }


@define(eq=False)
class _Wire:
    """
    The answer to one long call: lines of JSON, as long as the client reads them.
    """

    _request: Request
    _reactor: IReactorFromThreads
    _gone: bool = field(default=False, init=False)
    _over: bool = field(default=False, init=False)
    _leaving: list[Callable[[], None]] = field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        self._request.notifyFinish().addErrback(self._left)

    def _left(self, _: object) -> None:
        self._gone = True
        for call in self._leaving:
            call()

    def when_gone(self, call: Callable[[], None]) -> None:
        """Call *call* when the client goes away before it was answered."""
        self._leaving.append(call)
        if self._gone:
            call()

    def send(self, line: Json) -> None:
        """In the reactor thread."""
        if not self._gone and not self._over:
            self._request.write(json.dumps(line).encode() + b"\n")

    def report(self, progress: Progress) -> None:
        """From any thread."""
        self._reactor.callFromThread(self.send, {"progress": attrs.asdict(progress)})

    def refuse(self, error: TscmError) -> None:
        """Status 400 for what lies in what was asked, where nothing was answered yet."""
        if error.exit_status == USAGE and not self._request.startedWriting and not self._gone:
            self._request.setResponseCode(400)

    async def end(self, last: bytes) -> None:
        """The last line; progress that was reported before stands in the same queue before it."""
        told: Deferred[None] = Deferred()
        self._reactor.callFromThread(told.callback, None)
        await told
        if not self._gone and not self._over:
            self._request.write(last + b"\n")
        self._over = True


@define(eq=False)
class ControlInterface:
    """
    The routes, one for each row of the operation table.  Decides nothing: carries calls in and answers out.
    """

    _log: ClassVar[Logger] = Logger()

    _reactor: IReactorFromThreads
    _calls: Calls
    _delegates: Callable[[], Collection[int]] = tuple
    """Numbers of the users that may speak for others."""
    app: Klein = field(factory=Klein, init=False)

    def __attrs_post_init__(self) -> None:
        for operation in TABLE.values():
            route = self.app.route(
                operation.path, methods=[operation.verb], endpoint=operation.name
            )
            route(self._route(operation))
        told = self.app.handle_errors(NotFound, MethodNotAllowed)
        told(self._no_such_call)  # type: ignore[arg-type]  # klein takes a bound method too

    def _route(self, operation: Operation[Any, Any]) -> Callable[..., Any]:
        def short(request: Request, **parts: str) -> Deferred[bytes]:
            return Deferred.fromCoroutine(self._short(request, operation, parts))

        def long(request: Request, **parts: str) -> Deferred[None]:
            return self._long(request, operation, parts)

        return long if operation.long else short

    def _no_such_call(self, request: Request, _: Failure) -> bytes:
        request.setResponseCode(http.NOT_FOUND)
        _head(request, b"application/json")
        asked = (
            f"{request.method.decode('ascii', 'replace')} {request.path.decode('utf-8', 'replace')}"
        )
        told = RequestFaulty(
            f"the manager does not know {shown(asked)}; check that tsadmin and the manager "
            "are the same version"
        )
        return json.dumps({"error": error_json(told)}).encode()

    def _args(self, request: Request, operation: Operation[Any, Any], parts: Json) -> Any:
        query = _query_of(request)
        if operation.verb == "GET":
            return read_args(operation, parts, read_query(operation, query))
        assert request.content is not None
        return read_args(operation, parts, read_body(request.content.read()))

    async def _short(self, request: Request, operation: Operation[Any, Any], parts: Json) -> bytes:
        _head(request, b"application/json")
        try:
            args = self._args(request, operation, parts)
            actor = actor_of(request, self._delegates())
            answer = self._calls.answer_at_once(operation, args, actor)
            if isinstance(answer, Coroutine):  # in slices
                answer = await answer
            return await answer_bytes(self._reactor, answer)
        except TscmError as error:
            request.setResponseCode(400 if isinstance(error, RequestFaulty) else 409)
            return json.dumps({"error": error_json(error)}).encode()
        except CancelledError:  # who asked has gone
            raise
        except Exception as error:  # noqa: BLE001 - the end of a call: logged and told
            self._log.failure("control request failed")
            request.setResponseCode(http.INTERNAL_SERVER_ERROR)
            return json.dumps({"error": error_json(error)}).encode()

    def _long(
        self, request: Request, operation: Operation[Any, Any], parts: Json
    ) -> Deferred[None]:
        _head(request, b"application/x-ndjson")
        wire = _Wire(request, self._reactor)

        async def run() -> None:
            try:
                answer = await self._answer(wire, request, operation, parts)
                last = b'{"result": ' + await answer_bytes(self._reactor, answer) + b"}"
            except TscmError as error:
                wire.refuse(error)
                last = json.dumps({"error": error_json(error)}).encode()
            except Exception as error:  # noqa: BLE001 - the end of a call: logged and told
                self._log.failure("control request failed")
                last = json.dumps({"error": error_json(error)}).encode()
            await wire.end(last)

        # Klein cancels what it is given when the client goes away; the work itself goes on
        answered: Deferred[None] = Deferred()

        def ended(_: object) -> None:
            if not answered.called:
                answered.callback(None)

        Deferred.fromCoroutine(run()).addBoth(ended)
        return answered

    async def _answer(
        self, wire: _Wire, request: Request, operation: Operation[Any, Any], parts: Json
    ) -> Any:
        args = self._args(request, operation, parts)
        actor = actor_of(request, self._delegates())
        detached = request.args.get(b"detach") == [b"yes"]
        job, work = self._calls.start(
            operation, args, actor, quiet if detached else wire.report, attached=not detached
        )
        if detached:
            Deferred.fromCoroutine(work).addErrback(self._failed_detached, job.number)
            return {"job": as_json(job.figures())}
        job.watch(lambda one: wire.send({"job": as_json(one.figures())}))
        wire.when_gone(lambda: self._calls.node.jobs.client_gone(job))
        return await work

    def _failed_detached(self, failure: Failure, number: int) -> None:
        if failure.check(TscmError):
            self._log.warn("job {number}: {error}", number=number, error=str(failure.value))
        else:
            self._log.failure("job {number} failed", failure, number=number)


def _head(request: Request, kind: bytes) -> None:
    request.setHeader(b"content-type", kind)
    request.setHeader(VERSION.encode(), __version__.encode())


def _query_of(request: Request) -> dict[str, list[str]]:
    return {
        name.decode("utf-8", "replace"): [one.decode("utf-8", "replace") for one in values]
        for name, values in request.args.items()
    }


@define(eq=False)
class ControlService(Service):
    """
    The socket.  A user who may open it may command the manager: mode 0660, group `tscm`.

    The root's lock is held by then, so a socket that lies there was left by a killed manager.
    """

    _reactor: Any
    _layout: Layout
    _calls: Calls
    _delegates: Callable[[], Collection[int]] = tuple
    _port: IListeningPort | None = field(default=None, init=False)

    def privilegedStartService(self) -> None:
        """Bind, or raise `ControlUnavailable`."""
        super().privilegedStartService()
        path = self._layout.control_socket
        private = path.parent != self._layout.run
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700 if private else 0o750)
        fault = self._layout.control_folder_fault
        if fault:
            raise ControlUnavailable(str(path), fault)
        path.unlink(missing_ok=True)
        interface = ControlInterface(self._reactor, self._calls, self._delegates)
        site = ControlSite(interface.app.resource(), self._reactor)
        before = os.umask(0o117)
        try:
            unix: IReactorUNIX = self._reactor
            self._port = unix.listenUNIX(str(path), site, mode=0o660)  # type: ignore[arg-type]
        except CannotListenError as error:
            raise ControlUnavailable(str(path), str(error)) from None
        finally:
            os.umask(before)
        self._give_to_group(str(path))

    def _give_to_group(self, path: str) -> None:
        try:
            os.chown(path, -1, grp.getgrnam(GROUP).gr_gid)
        except (KeyError, PermissionError):
            return  # no such group, or no right to give: the owner alone may connect

    def stopService(self) -> Deferred[None] | None:
        """Fires when the socket is closed and its file gone."""
        super().stopService()
        port, self._port = self._port, None
        if port is None:
            return None
        return port.stopListening()
