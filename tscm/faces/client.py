"""
The commands by way of the running manager: HTTP and JSON over its UNIX socket.

On the standard library's HTTP client: a question to a local socket must not wait for TLS libraries.
"""

import http.client
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from attrs import define, field

from tscm import __version__
from tscm.errors import ControlUnavailable, TscmError
from tscm.faces.backend import ON_BEHALF_OF, VERSION, ManagerError, Told, silent
from tscm.model import Json, Progress, Report
from tscm.operations.arguments import JobNumber
from tscm.operations.call import quiet
from tscm.operations.job_figures import JobFigures, JobState
from tscm.operations.operation import Operation, request_of
from tscm.operations.table.jobs import WITHDRAW
from tscm.wire.reading import read, read_value

Args = TypeVar("Args")
Answer = TypeVar("Answer")


@define(eq=False)
class WaitInterrupted(TscmError):
    """
    ^C while the manager works on a long call.
    """

    exit_status = 130

    job: int | None
    withdrawn: bool = field(kw_only=True)

    def __str__(self) -> str:
        if self.withdrawn:
            return "interrupted; the call had not started and is withdrawn, nothing was changed"
        look = "`tsadmin jobs`" if self.job is None else f"`tsadmin jobs {self.job}`"
        return (
            f"interrupted; the call has started and continues in the manager: {look} shows "
            "its outcome"
        )


_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 30.0
_LONG_SECONDS = 3600.0
"""How long a long call may be silent: a firewall's answer to a large write can take minutes."""
_LINE_BYTES = 64 << 20


def _unheard(_: str) -> None:
    """A version that is not compared."""


class _UnixConnection(http.client.HTTPConnection):
    """
    An HTTP connection to a UNIX socket.
    """

    def __init__(self, path: Path, read_seconds: float) -> None:
        super().__init__("localhost", timeout=_CONNECT_SECONDS)
        self._path = path
        self._read_seconds = read_seconds

    def connect(self) -> None:
        """Connect to the socket's file instead of a host."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
        self.sock.settimeout(self._read_seconds)


@define(eq=False)
class ManagerBackend:
    """
    A `Backend` that asks the manager; with *on_behalf_of* for a user of the page, which the manager must allow.

    *differs* is called once with the version of a manager that is not of this one.
    """

    _socket: Path
    _on_behalf_of: str | None = None
    _differs: Callable[[str], None] = _unheard
    running: bool = field(default=True, init=False)
    _compared: bool = field(default=False, init=False)

    def call(
        self,
        operation: Operation[Args, Answer],
        args: Args,
        report: Report = quiet,
        told: Told = silent,
    ) -> Answer:
        """See `Backend`."""
        path, body = request_of(operation, args)
        if operation.long:
            answer = self._long(operation.verb, path, report, told, body)
        else:
            answer = self._short(operation.verb, path, body)
        return read_value(operation.answer, answer)

    def detach(self, operation: Operation[Args, Any], args: Args) -> JobFigures:
        """See `Backend`."""
        path, body = request_of(operation, args)
        path += ("&" if "?" in path else "?") + "detach=yes"
        job = self._long(operation.verb, path, quiet, silent, body)["job"]
        return read(JobFigures, job)

    def _short(self, verb: str, path: str, body: Json | None) -> Any:
        with self._asked(verb, path, body, _ANSWER_SECONDS) as answer:
            with self._faults_told():
                content = answer.read()
            return self._checked(answer.status, content)

    def _long(self, verb: str, path: str, report: Report, told: Told, body: Json | None) -> Any:
        job: JobFigures | None = None
        with self._asked(verb, path, body, _LONG_SECONDS) as answer:
            try:
                for line in self._lines(answer):
                    if "progress" in line:
                        report(Progress(**line["progress"]))
                    elif "job" in line:
                        job = read(JobFigures, line["job"])
                        told(job)
                    elif "error" in line:
                        raise said(line["error"])
                    elif "result" in line:
                        return line["result"]
            except KeyboardInterrupt:
                raise self._interrupted(job) from None
        raise _broken_off(self._socket)

    def _lines(self, answer: http.client.HTTPResponse) -> Iterator[Json]:
        if answer.status != http.client.OK:
            with self._faults_told():
                content = answer.read()
            self._checked(answer.status, content)
        while True:
            with self._faults_told():
                text = answer.readline(_LINE_BYTES)
            if not text:
                return
            if text.strip():
                yield self._json(text)

    def _interrupted(self, job: JobFigures | None) -> WaitInterrupted:
        """^C ends a call that has not begun; one in progress goes on in the manager."""
        withdrawn = False
        if job is not None and job.state is JobState.QUEUED:
            try:
                self.call(WITHDRAW, JobNumber(id=job.number))
                withdrawn = True
            except TscmError:  # it began at this very moment, or the manager is gone
                pass
        return WaitInterrupted(None if job is None else job.number, withdrawn=withdrawn)

    def _checked(self, status: int, content: bytes) -> Any:
        found = self._json(content)
        if isinstance(found, dict) and isinstance(found.get("error"), dict):
            raise said(found["error"])
        if status != http.client.OK:
            raise ControlUnavailable(str(self._socket), f"the manager returned status {status}")
        return found

    def _json(self, content: bytes) -> Any:
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            raise ControlUnavailable(
                str(self._socket),
                (
                    "the manager's response is not JSON; check that tsadmin and the manager "
                    "are the same version"
                ),
            ) from None

    @contextmanager
    def _asked(
        self, verb: str, path: str, body: Json | None, read_seconds: float
    ) -> Iterator[http.client.HTTPResponse]:
        connection = _UnixConnection(self._socket, read_seconds)
        content = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        if self._on_behalf_of is not None:
            headers[ON_BEHALF_OF] = self._on_behalf_of
        try:
            with self._faults_told():
                connection.request(verb, path, content, headers)
                answer = connection.getresponse()
            self._compare(answer.getheader(VERSION))
            yield answer
        finally:
            connection.close()

    def _compare(self, version: str | None) -> None:
        if self._compared or version is None:
            return
        self._compared = True
        if version != __version__:
            self._differs(version)

    @contextmanager
    def _faults_told(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError:
            raise ControlUnavailable(
                str(self._socket), "the manager did not respond in time; see its log"
            ) from None
        except (http.client.HTTPException, BrokenPipeError):  # it ended in the midst of its answer
            raise _broken_off(self._socket) from None
        except OSError as error:
            raise ControlUnavailable(
                str(self._socket), f"lost the connection to the manager: {error}"
            ) from None


def _broken_off(path: Path) -> ControlUnavailable:
    return ControlUnavailable(
        str(path),
        "the manager's response is incomplete; `tsadmin show` tells whether it is "
        "running, and `tsadmin audit` the outcome of the call; run the command again to "
        "complete it",
    )


def said(error: Json) -> ManagerError:
    """The error that a manager told."""
    sentence, status = str(error.get("sentence", "it failed")), int(error.get("exit_status", 1))
    from tscm.update.figures import UpdateRecord  # few errors are of an update

    outcome = error.get("outcome")
    told = None if outcome is None else read(UpdateRecord, outcome)
    absent = error.get("absent") is True
    return ManagerError(sentence, status, told, error.get("certificate"), absent=absent)
