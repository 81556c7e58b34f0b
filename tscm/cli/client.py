"""
The commands by way of the running manager: HTTP and JSON over its UNIX socket.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import httpx
from attrs import define, field

from tscm.cli.backend import ManagerSaid
from tscm.errors import ControlUnavailable, TscmError
from tscm.model import Json, Progress, Report
from tscm.risks import Consent


class WaitInterrupted(TscmError):
    """
    ^C while the manager works on a long call.
    """

    exit_status = 130

    def __str__(self) -> str:
        return "interrupted; the manager has begun and goes on with it: `tsadmin show NAME` tells how it ends"


_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 30.0
_LONG_SECONDS = 3600.0
"""How long a long call may be silent: a firewall's answer to a large write can take minutes."""


@define(eq=False)
class ManagerBackend:
    """
    A `Backend` that asks the manager.  *transport* is another in tests.
    """

    _socket: Path
    _transport: httpx.BaseTransport | None = None
    running: bool = field(default=True, init=False)

    def rows(self) -> list[Json]:
        """See `Backend`."""
        found: list[Json] = self._short("GET", "/v1/devices")
        return found

    def view(self, name: str) -> Json:
        """See `Backend`."""
        return self._object("GET", _device(name))

    def add(self, table: Json, report: Report) -> Json:
        """See `Backend`."""
        return self._long("POST", "/v1/devices", report, {"settings": table})

    def change(self, name: str, table: Json, report: Report) -> Json:
        """See `Backend`."""
        return self._long("PUT", _device(name), report, {"settings": table})

    def remove(self, name: str, report: Report) -> Json:
        """See `Backend`."""
        return self._long("DELETE", _device(name), report)

    def update(self, name: str, report: Report, *, consent: Consent) -> Json:
        """See `Backend`."""
        return self._long(
            "POST", f"{_device(name)}/update", report, {"accept": list(consent.words)}
        )

    def plan(self, name: str, report: Report, *, consent: Consent, survey: bool) -> Json:
        """See `Backend`."""
        asked = [("accept", word) for word in consent.words] + [("force", "yes")] * survey
        query = f"?{urlencode(asked)}" if asked else ""
        return self._long("GET", f"{_device(name)}/plan{query}", report)

    def logs(self, name: str, report: Report) -> Json:
        """See `Backend`."""
        return self._long("POST", f"{_device(name)}/logs", report)

    def batches_aside(self, name: str) -> Json:
        """See `Backend`."""
        return self._long("GET", f"{_device(name)}/aside", lambda _: None)

    def aside(self, name: str, what: str, key: str, report: Report) -> Json:
        """See `Backend`."""
        return self._long("POST", f"{_device(name)}/aside/{what}", report, {"key": key})

    def drop_reader(self, name: str, reader: str) -> Json:
        """See `Backend`."""
        path = f"{_device(name)}/readers/{quote(reader, safe='')}"
        return self._long("DELETE", path, lambda _: None)

    def ledger(self, name: str | None) -> Json:
        """See `Backend`."""
        asked = "" if name is None else f"?device={quote(name, safe='')}"
        return self._object("GET", f"/v1/ledger{asked}")

    def senders(self) -> list[Json]:
        """See `Backend`."""
        found: list[Json] = self._short("GET", "/v1/senders")
        return found

    def adopt(self, address: str, name: str, report: Report) -> Json:
        """See `Backend`."""
        path = f"/v1/senders/{quote(address, safe='')}/adopt"
        return self._long("POST", path, report, {"name": name})

    def purge(self, name: str, report: Report, *, consent: Consent) -> Json:
        """See `Backend`."""
        return self._long("POST", f"{_device(name)}/purge", report, {"accept": list(consent.words)})

    def policy(self, name: str, question: str, table: Json, report: Report) -> Json:
        """See `Backend`."""
        return self._long("POST", f"{_device(name)}/policy/{question}", report, table)

    def rebuild_events(self, name: str, report: Report) -> Json:
        """See `Backend`."""
        return self._long("POST", f"{_device(name)}/events/rebuild", report)

    def report(self, name: str, options: Json, report: Report) -> Json:
        """See `Backend`."""
        return self._long("POST", f"{_device(name)}/report", report, options)

    def doctor(self, name: str | None, report: Report) -> Json:
        """See `Backend`."""
        path = "/v1" if name is None else _device(name)
        return self._long("POST", f"{path}/doctor", report)

    def history(self, name: str) -> Json:
        """See `Backend`."""
        return self._object("GET", f"{_device(name)}/policy/history")

    def versions(self) -> list[Json]:
        """See `Backend`."""
        found: list[Json] = self._short("GET", "/v1/versions")
        return found

    def status(self) -> Json:
        """See `Backend`."""
        return self._object("GET", "/v1/status")

    def _object(self, method: str, path: str) -> Json:
        found: Json = self._short(method, path)
        return found

    def _short(self, method: str, path: str) -> Any:
        with self._client(_ANSWER_SECONDS) as client:
            answer = client.request(method, path)
            return self._checked(answer.status_code, answer.content)

    def _long(self, method: str, path: str, report: Report, body: Json | None = None) -> Json:
        with (
            self._client(_LONG_SECONDS) as client,
            client.stream(method, path, json=body) as answer,
            _told_when_interrupted(),
        ):
            if answer.status_code != httpx.codes.OK:
                self._checked(answer.status_code, answer.read())
            for text in answer.iter_lines():
                line = self._json(text.encode()) if text.strip() else {}
                if "progress" in line:
                    report(Progress(**line["progress"]))
                elif "error" in line:
                    raise _said(line["error"])
                elif "result" in line:
                    result: Json = line["result"] or {}
                    return result
        raise _broken_off(self._socket)

    def _checked(self, status: int, content: bytes) -> Any:
        found = self._json(content)
        if isinstance(found, dict) and isinstance(found.get("error"), dict):
            raise _said(found["error"])
        if status != httpx.codes.OK:
            raise ControlUnavailable(str(self._socket), f"the manager answers with status {status}")
        return found

    def _json(self, content: bytes) -> Any:
        try:
            return json.loads(content)
        except ValueError:
            raise ControlUnavailable(
                str(self._socket), "the manager's answer is no JSON; is it of another version?"
            ) from None

    @contextmanager
    def _client(self, read_seconds: float) -> Iterator[httpx.Client]:
        transport = self._transport or httpx.HTTPTransport(uds=str(self._socket))
        timeout = httpx.Timeout(_CONNECT_SECONDS, read=read_seconds)
        try:
            with httpx.Client(
                transport=transport, base_url="http://manager", timeout=timeout, trust_env=False
            ) as client:
                yield client
        except httpx.TimeoutException:
            raise ControlUnavailable(
                str(self._socket), "the manager does not answer in time; see its log"
            ) from None
        except httpx.RemoteProtocolError:  # the manager ended in the midst of its answer
            raise _broken_off(self._socket) from None
        except httpx.TransportError as error:
            raise ControlUnavailable(
                str(self._socket), f"the connection to the manager broke: {error}"
            ) from None


@contextmanager
def _told_when_interrupted() -> Iterator[None]:
    """^C ends the wait for the manager, not what it is doing."""
    try:
        yield
    except KeyboardInterrupt:
        raise WaitInterrupted from None


def _broken_off(path: Path) -> ControlUnavailable:
    return ControlUnavailable(
        str(path),
        "the manager's answer broke off; see whether it runs with `tsadmin show`, and what became "
        "of what was asked for with `tsadmin show NAME`; the same command again does what is left",
    )


def _device(name: str) -> str:
    return f"/v1/devices/{quote(name, safe='')}"


def _said(error: Json) -> ManagerSaid:
    sentence, status = str(error.get("sentence", "it failed")), int(error.get("exit_status", 1))
    return ManagerSaid(sentence, status, error.get("outcome"))
