"""
The control interface: HTTP and JSON over a UNIX socket (docs/design.md, section 8).

Short calls answer with one JSON document.  Long ones answer with JSON lines: any number of
`{"progress": …}`, then one `{"result": …}` or `{"error": …}`; they go on when the client
goes away, for a push that is under way must end.
"""

import grp
import json
import os
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ClassVar, Protocol

import attrs
from attrs import define, field
from klein import Klein
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IReactorFromThreads, IReactorUNIX
from twisted.logger import Logger
from twisted.web.server import Request

from tscm.control_body import consent_of, read_body, table_of, text_of
from tscm.errors import ControlUnavailable, TscmError
from tscm.http_site import BoundedSite, HttpBounds
from tscm.model import Json, Progress, Report
from tscm.risks import Consent
from tscm.settings.layout import Layout
from tscm.update.outcome import UpdateFailed

BOUNDS = HttpBounds(body_bytes=1 << 20, request_seconds=30.0, connections=128)
GROUP = "tscm"
_USAGE = 2
"""Exit status of errors that lie in what was asked, not in what became of it."""


class Operations(Protocol):
    """
    What can be asked of the manager.  Each raises `TscmError` for the operator to read.
    """

    def status(self) -> Json:
        """Version, process, listeners, intake figures."""

    def device_rows(self) -> list[Json]:
        """A row for each device, for `list`."""

    def device_view(self, name: str) -> Json:
        """Settings with secrets masked, and state."""

    async def add_device(self, table: Json, report: Report) -> Json:
        """Check and store a new device."""

    async def change_device(self, name: str, table: Json, report: Report) -> Json:
        """Check and store a changed device."""

    async def remove_device(self, name: str) -> Json:
        """Forget a device; gives the way back."""

    async def update_device(self, name: str, report: Report, *, consent: Consent) -> Json:
        """Fetch and push now."""

    async def plan_device(
        self, name: str, report: Report, *, consent: Consent, survey: bool
    ) -> Json:
        """What an update would do."""

    async def upload_logs(self, name: str, report: Report) -> Json:
        """Rotate and upload now."""

    async def batches_aside(self, name: str) -> Json:
        """Batches of a device that the log service refused for good: `{batches}`."""

    async def aside(self, name: str, what: str, key: str, report: Report) -> Json:
        """`send` or `drop` the batch with this key, or `all` of them."""

    async def drop_reader(self, name: str, reader: str) -> Json:
        """Forget a reader that nobody uses any more, with what waited for it."""

    def policy_history(self, name: str) -> Json:
        """Generations that are kept, and how the latest updates went."""

    async def policy(self, name: str, question: str, body: Json, report: Report) -> Json:
        """
        `why` {address}, `dropped` {search}, `diff` {older, newer}, `rollback` {generation},
        `pause`, `resume`.
        """

    async def purge_device(self, name: str, report: Report, *, consent: Consent) -> Json:
        """Take our groups off a device, as far as its access-lists let it."""

    async def rebuild_events(self, name: str, report: Report) -> Json:
        """Count anew what the log still tells."""

    async def report(self, name: str, options: Json) -> Json:
        """What the lists did on a device; the options are those of `tsadmin report`."""

    async def doctor(self, name: str | None, report: Report) -> Json:
        """What is good, doubtful or broken along a device's chain, or about the host and the manager."""

    def ledger(self, device: str | None) -> Json:
        """The balance, of one device or of all."""

    def senders(self) -> list[Json]:
        """Unknown senders."""

    async def adopt_sender(self, address: str, name: str) -> Json:
        """Take an unknown sender in as an additional source of a device."""

    def versions(self) -> list[Json]:
        """Modules and their versions."""


def error_json(error: BaseException) -> Json:
    """An error as it travels: the sentence and the exit status; of an update how far it came."""
    if isinstance(error, UpdateFailed):
        told = {"sentence": str(error), "exit_status": error.exit_status}
        return {**told, "outcome": error.outcome.to_json()}
    if isinstance(error, TscmError):
        return {"sentence": str(error), "exit_status": error.exit_status}
    return {"sentence": f"the manager failed: {type(error).__name__}: {error}", "exit_status": 70}


@define(eq=False)
class ControlInterface:
    """
    The routes.  Decides nothing: each calls one operation and carries the answer out.
    """

    _log: ClassVar[Logger] = Logger()
    app: ClassVar[Klein] = Klein()

    _reactor: IReactorFromThreads
    _operations: Operations

    @app.route("/v1/status", methods=["GET"])
    def status(self, request: Request) -> bytes:
        """`GET /v1/status`."""
        return self._short(request, self._operations.status)

    @app.route("/v1/versions", methods=["GET"])
    def versions(self, request: Request) -> bytes:
        """`GET /v1/versions`."""
        return self._short(request, self._operations.versions)

    @app.route("/v1/ledger", methods=["GET"])
    def ledger(self, request: Request) -> bytes:
        """`GET /v1/ledger?device=NAME`."""
        names = request.args.get(b"device", [])
        device = names[0].decode("utf-8", "replace") if names else None
        return self._short(request, lambda: self._operations.ledger(device))

    @app.route("/v1/senders", methods=["GET"])
    def senders(self, request: Request) -> bytes:
        """`GET /v1/senders`."""
        return self._short(request, self._operations.senders)

    @app.route("/v1/senders/<address>/adopt", methods=["POST"])
    def adopt(self, request: Request, address: str) -> Deferred[None]:
        """`POST /v1/senders/ADDRESS/adopt`."""
        return self._long(
            request,
            lambda body, _: self._operations.adopt_sender(address, text_of(body, "name")),
        )

    @app.route("/v1/devices", methods=["GET"])
    def devices(self, request: Request) -> bytes:
        """`GET /v1/devices`."""
        return self._short(request, self._operations.device_rows)

    @app.route("/v1/devices", methods=["POST"])
    def add(self, request: Request) -> Deferred[None]:
        """`POST /v1/devices`."""
        return self._long(
            request,
            lambda body, report: self._operations.add_device(table_of(body, "settings"), report),
        )

    @app.route("/v1/devices/<name>", methods=["GET"])
    def view(self, request: Request, name: str) -> bytes:
        """`GET /v1/devices/NAME`."""
        return self._short(request, lambda: self._operations.device_view(name))

    @app.route("/v1/devices/<name>", methods=["PUT"])
    def change(self, request: Request, name: str) -> Deferred[None]:
        """`PUT /v1/devices/NAME`."""
        return self._long(
            request,
            lambda body, report: self._operations.change_device(
                name, table_of(body, "settings"), report
            ),
        )

    @app.route("/v1/devices/<name>", methods=["DELETE"])
    def remove(self, request: Request, name: str) -> Deferred[None]:
        """`DELETE /v1/devices/NAME`."""
        return self._long(request, lambda _, __: self._operations.remove_device(name))

    @app.route("/v1/devices/<name>/update", methods=["POST"])
    def update(self, request: Request, name: str) -> Deferred[None]:
        """`POST /v1/devices/NAME/update`."""
        return self._long(
            request,
            lambda body, report: self._operations.update_device(
                name, report, consent=consent_of(body)
            ),
        )

    @app.route("/v1/devices/<name>/plan", methods=["GET"])
    def plan(self, request: Request, name: str) -> Deferred[None]:
        """`GET /v1/devices/NAME/plan?force=yes&accept=WORD…`."""
        survey = request.args.get(b"force") == [b"yes"]
        words = [one.decode("utf-8", "replace") for one in request.args.get(b"accept", ())]
        return self._long(
            request,
            lambda _, report: self._operations.plan_device(
                name, report, consent=Consent.of_words(words), survey=survey
            ),
        )

    @app.route("/v1/devices/<name>/logs", methods=["POST"])
    def logs(self, request: Request, name: str) -> Deferred[None]:
        """`POST /v1/devices/NAME/logs`."""
        return self._long(request, lambda _, report: self._operations.upload_logs(name, report))

    @app.route("/v1/devices/<name>/aside", methods=["GET"])
    def batches_aside(self, request: Request, name: str) -> Deferred[None]:
        """`GET /v1/devices/NAME/aside`."""
        return self._long(request, lambda _, __: self._operations.batches_aside(name))

    @app.route("/v1/devices/<name>/aside/<what>", methods=["POST"])
    def aside(self, request: Request, name: str, what: str) -> Deferred[None]:
        """`POST /v1/devices/NAME/aside/send` and `/drop`."""
        return self._long(
            request,
            lambda body, report: self._operations.aside(name, what, text_of(body, "key"), report),
        )

    @app.route("/v1/devices/<name>/readers/<reader>", methods=["DELETE"])
    def drop_reader(self, request: Request, name: str, reader: str) -> Deferred[None]:
        """`DELETE /v1/devices/NAME/readers/READER`."""
        return self._long(request, lambda _, __: self._operations.drop_reader(name, reader))

    @app.route("/v1/devices/<name>/purge", methods=["POST"])
    def purge(self, request: Request, name: str) -> Deferred[None]:
        """`POST /v1/devices/NAME/purge`."""
        return self._long(
            request,
            lambda body, report: self._operations.purge_device(
                name, report, consent=consent_of(body)
            ),
        )

    @app.route("/v1/devices/<name>/policy/history", methods=["GET"])
    def history(self, request: Request, name: str) -> bytes:
        """`GET /v1/devices/NAME/policy/history`."""
        return self._short(request, lambda: self._operations.policy_history(name))

    @app.route("/v1/devices/<name>/policy/<question>", methods=["POST"])
    def policy(self, request: Request, name: str, question: str) -> Deferred[None]:
        """`POST /v1/devices/NAME/policy/QUESTION`."""
        return self._long(
            request, lambda body, report: self._operations.policy(name, question, body, report)
        )

    @app.route("/v1/devices/<name>/report", methods=["POST"])
    def report(self, request: Request, name: str) -> Deferred[None]:
        """`POST /v1/devices/NAME/report`."""
        return self._long(request, lambda body, _: self._operations.report(name, body))

    @app.route("/v1/devices/<name>/events/rebuild", methods=["POST"])
    def rebuild(self, request: Request, name: str) -> Deferred[None]:
        """`POST /v1/devices/NAME/events/rebuild`."""
        return self._long(request, lambda _, report: self._operations.rebuild_events(name, report))

    @app.route("/v1/doctor", methods=["POST"])
    def doctor(self, request: Request) -> Deferred[None]:
        """`POST /v1/doctor`."""
        return self._long(request, lambda _, report: self._operations.doctor(None, report))

    @app.route("/v1/devices/<name>/doctor", methods=["POST"])
    def doctor_device(self, request: Request, name: str) -> Deferred[None]:
        """`POST /v1/devices/NAME/doctor`."""
        return self._long(request, lambda _, report: self._operations.doctor(name, report))

    def _short(self, request: Request, call: Callable[[], Any]) -> bytes:
        request.setHeader(b"content-type", b"application/json")
        try:
            return json.dumps(call()).encode()
        except TscmError as error:
            request.setResponseCode(409)
            return json.dumps({"error": error_json(error)}).encode()

    def _long(
        self,
        request: Request,
        call: Callable[[Json, Report], Coroutine[Any, Any, Any] | Awaitable[Any]],
    ) -> Deferred[None]:
        request.setHeader(b"content-type", b"application/x-ndjson")
        gone: list[object] = []
        request.notifyFinish().addErrback(gone.append)

        def send(line: bytes) -> None:
            if not gone:
                request.write(line + b"\n")

        def report(progress: Progress) -> None:
            line = json.dumps({"progress": attrs.asdict(progress)}).encode()
            self._reactor.callFromThread(send, line)

        def failed(error: TscmError) -> str:
            if error.exit_status == _USAGE and not request.startedWriting and not gone:
                request.setResponseCode(400)
            return json.dumps({"error": error_json(error)})

        async def run() -> None:
            try:
                assert request.content is not None
                work = call(read_body(request.content.read()), report)
                last = json.dumps({"result": await work})
            except TscmError as error:
                last = failed(error)
            except Exception as error:  # noqa: BLE001 - the end of a call: logged and told
                self._log.failure("a control call failed")
                last = json.dumps({"error": error_json(error)})
            told: Deferred[None] = Deferred()
            self._reactor.callFromThread(told.callback, None)
            await told  # progress that was reported before stands in the same queue before this
            send(last.encode())
            gone.append(None)  # what is reported from now on has no reader

        # Klein cancels what it is given when the client goes away; the work itself goes on
        answered: Deferred[None] = Deferred()

        def ended(_: object) -> None:
            if not answered.called:
                answered.callback(None)

        Deferred.fromCoroutine(run()).addBoth(ended)
        return answered


def _refusal_body(sentence: str) -> tuple[bytes, bytes]:
    """A refusal of the listener's in the form of an error of a call."""
    told = {"error": {"sentence": f"control call: {sentence}", "exit_status": _USAGE}}
    return b"application/json", json.dumps(told).encode()


@define(eq=False)
class ControlService(Service):
    """
    The socket.  Whoever may open it may command the manager: mode 0660, group `tscm`.

    The root's lock is held by then, so a socket that lies there was left by a killed manager.
    """

    _reactor: Any
    _layout: Layout
    _operations: Operations
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
        interface = ControlInterface(self._reactor, self._operations)
        site = BoundedSite(
            interface.app.resource(),
            BOUNDS,
            self._reactor,
            purpose="control interface",
            refusal_body=_refusal_body,
        )
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
