"""
One HTTPS session with a device's REST API agent: log in, ask, give the token back.

Blocking, one request in flight, every wait bounded.  What comes back is judged here and
becomes an `Answer` or a `DeviceFault`; nothing above this module sees requests.
"""

import base64
import contextlib
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import requests
import urllib3
from attrs import define, field, frozen

from tscm.asa import tls
from tscm.asa.faults import (
    AgentAbsent,
    AgentFailed,
    LoginRefused,
    PrivilegeTooLow,
    SessionLost,
    StepRefused,
    TokensUsedUp,
    UnitOnStandby,
    revive,
)
from tscm.errors import DeviceFault
from tscm.model import Json, Traffic
from tscm.secrets import Secret

USER_AGENT = "REST API Agent"  # any other is refused as if the password were wrong (asa.md, 1)
_TOKENS = "tokenservices"
_CHUNK = 65536
_QUOTED = 200
_STANDBY_TEXTS = (
    "Configuration Replication is NOT performed",
    "Configurations are no longer synchronized",
)
_BULK_SYNC_TEXT = "Beginning configuration replication"


@frozen(kw_only=True)
class Bounds:
    """
    How long and how much.  A write may take minutes on a small device (asa.md, section 4).
    """

    connect_seconds: float = 10.0
    read_seconds: float = 120.0
    write_seconds: float = 300.0
    response_bytes: int = 64 << 20


@frozen
class Answer:
    """A good answer: its status, and its JSON where it had any."""

    status: int
    json: Any


@define(eq=False)
class RestLink:
    """
    The agent of one device, as *username* sees it.

    *name* is the device's nickname, for errors; *root* the API's root URL.
    """

    name: str
    root: str
    prefix: str
    username: str
    password: Secret
    token_auth: bool
    trust: tls.Trust
    bounds: Bounds = field(factory=Bounds)
    monotonic: Callable[[], float] = time.monotonic
    fingerprint: str | None = field(default=None, init=False)
    token_died: bool = field(default=False, init=False)
    traffic: Traffic = field(factory=Traffic, init=False)
    _session: requests.Session | None = field(default=None, init=False)
    _token: str | None = field(default=None, init=False, repr=False)

    def call(
        self, method: str, path: str, body: Json | list[Json] | None = None, *, write: bool = False
    ) -> Answer:
        """
        Ask once, logging in first where that is due, and again once where the token had expired.

        Where a fresh token is refused too, the rest of the session goes without.  A write is not sent
        again: `SessionLost` asks for a new look first.
        """
        if self.token_auth and self._token is None:
            self._log_in()
        status, headers, content = self._send(method, path, body, write=write)
        if status == 401 and self._token is not None:
            self._token = None
            self._log_in()
            if write:
                self.token_died = True
                # A reload or a failover ends tokens too, and then the device may hold something else
                # than what this was planned for.
                raise SessionLost(
                    self.name, "its login token died in the middle of a change", retry=True
                )
            status, headers, content = self._send(method, path, body, write=write)
            if status == 401:
                # The account is right, for it just logged in: a token that is worth nothing.
                self.token_auth = False
                status, headers, content = self._send(method, path, body, write=write, basic=True)
        return self._judge(method, path, status, headers, content)

    def close(self) -> None:
        """
        Give the token back, whatever happened before: 25 lost ones shut everybody out.
        """
        session, token = self._session, self._token
        self._token = None
        if session is None:
            return
        if token is not None:
            with contextlib.suppress(DeviceFault):  # then it dies with its time limit
                self._send("DELETE", f"{_TOKENS}/{token}", None, write=False, basic=True)
        session.close()
        self._session = None

    def _log_in(self) -> None:
        status, headers, content = self._send("POST", _TOKENS, None, write=False, basic=True)
        token = headers.get("X-Auth-Token")
        if status == 204 and token:
            self._token = token
            return
        if status == 503:
            raise TokensUsedUp(
                self.name,
                "it gives out no login token (503): all 25 of its context are in use, or its agent is "
                "starting or overloaded",
                "tokens expire by themselves; `no rest-api agent`, then `rest-api agent` drops them all; "
                "or set Token Auth to no",
                retry=True,
            )
        self._judge("POST", _TOKENS, status, headers, content)
        raise AgentFailed(self.name, f"login was answered with {status} and no token")

    def _send(
        self,
        method: str,
        path: str,
        body: Json | list[Json] | None,
        *,
        write: bool,
        basic: bool = False,
    ) -> tuple[int, Mapping[str, str], bytes]:
        session = self._open()
        data = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        headers = {"User-Agent": USER_AGENT, "Accept": "application/json"}
        if data is not None:
            headers["Content-Type"] = "application/json"
        if self._token is not None and self.token_auth and not basic:
            headers["X-Auth-Token"] = self._token
        else:
            account = f"{self.username}:{self.password.reveal()}".encode()
            headers["Authorization"] = "Basic " + base64.b64encode(account).decode()
        seconds = self.bounds.write_seconds if write else self.bounds.read_seconds
        self.traffic = self.traffic.plus(sent=len(data or b""))
        try:
            with session.request(
                method,
                f"{self.root}/{path}" if path else self.root,
                data=data,
                headers=headers,
                timeout=(self.bounds.connect_seconds, seconds),
                allow_redirects=False,
                stream=True,
            ) as response:
                content = self._body(response, self.monotonic() + 2 * seconds)
                return response.status_code, response.headers, content
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise self._fault(method, path, error) from None

    def _open(self) -> requests.Session:
        if self._session is None:
            session = requests.Session()
            session.trust_env = False
            try:
                self.fingerprint = tls.prepare(
                    session,
                    self.trust,
                    device=self.name,
                    root=self.root,
                    connect_seconds=self.bounds.connect_seconds,
                )
            except BaseException:
                session.close()
                raise
            self._session = session
        return self._session

    def _body(self, response: requests.Response, deadline: float) -> bytes:
        content = bytearray()
        for chunk in response.iter_content(_CHUNK):
            content += chunk
            if len(content) > self.bounds.response_bytes:
                raise AgentFailed(
                    self.name, f"an answer is longer than {self.bounds.response_bytes:,} bytes"
                )
            if self.monotonic() > deadline:
                raise AgentFailed(self.name, "an answer did not come to its end in time")
        self.traffic = self.traffic.plus(received=len(content), requests=0)
        return bytes(content)

    def _fault(self, method: str, path: str, error: BaseException) -> DeviceFault:
        if isinstance(error, requests.exceptions.SSLError) or tls.is_no_connection(error):
            return tls.connection_fault(self.name, self.root, error)
        what = f"{method} {_shown_path(path)}"
        if isinstance(error, requests.exceptions.Timeout):
            cause = f"no answer to {what} within the time limit"
        else:
            cause = f"the connection broke at {what}"
        return AgentFailed(self.name, cause, revive(self.name, self.prefix))

    def _judge(
        self, method: str, path: str, status: int, headers: Mapping[str, str], content: bytes
    ) -> Answer:
        answer = _json(content)
        what = f"{method} {_shown_path(path)}"
        text = content.decode("utf-8", "replace")
        if path != "cli" and any(standby in text for standby in _STANDBY_TEXTS):
            raise UnitOnStandby(
                self.name,
                "it is a standby unit: what is changed there reaches nobody",
                "set the device's address to that of the active unit",
            )
        if _BULK_SYNC_TEXT in text and method != "GET" and path != "cli":
            raise AgentFailed(self.name, "it is replicating its configuration to its mate")
        if status in {200, 201, 202, 204}:
            if content.strip() and answer is None:
                raise AgentFailed(
                    self.name,
                    f"{what} was answered with {status} and no JSON",
                    revive(self.name, self.prefix),
                )
            code, details = _error_of(answer)
            if details:
                raise StepRefused(
                    self.name, f"{what} was refused: {details}", status=status, code=code
                )
            return Answer(status, answer)
        if status == 401:
            raise LoginRefused(
                self.name,
                "wrong user name or password (401)",
                f"check the account on the device (`username {self.username} … privilege 15`, "
                f"`aaa authentication http console LOCAL`), then `tsadmin configure {self.name}`",
            )
        if status == 403:
            raise PrivilegeTooLow(
                self.name,
                f"the account {self.username} has too little privilege for {what} (403)",
                f"`username {self.username} password … privilege 15` on the device",
            )
        if (status in {404, 405} and answer is None) or 300 <= status < 400:
            raise AgentAbsent(
                self.name,
                f"no REST API agent answers at {self.root} ({status}, "
                f"{headers.get('Content-Type', 'no content type')})",
                "`rest-api image boot:/FILE` and `rest-api agent` on the device; Firepower models and "
                "releases after 9.16 have no agent",
            )
        if status >= 500:
            raise AgentFailed(
                self.name, f"{what} was answered with {status}", revive(self.name, self.prefix)
            )
        code, details = _error_of(answer)
        raise StepRefused(
            self.name,
            f"{what} was refused with {status}: {details or 'without a reason'}",
            status=status,
            code=code,
        )


def _json(content: bytes) -> Any:
    try:
        return json.loads(content) if content.strip() else None
    except (ValueError, RecursionError):
        return None


def _error_of(answer: Any) -> tuple[str, str]:
    """Code and text of the first error in a reply; empty where it holds none."""
    messages = answer.get("messages") if isinstance(answer, Mapping) else None
    if isinstance(messages, Mapping):
        messages = [messages]
    for one in messages if isinstance(messages, list) else ():
        if isinstance(one, Mapping) and str(one.get("level", "")).lower() == "error":
            code = str(one.get("code", ""))
            details = str(one.get("details", "")) or code or "without a reason"
            return code, f"{details} ({code})"[:_QUOTED] if code else details[:_QUOTED]
    return "", ""


def _shown_path(path: str) -> str:
    return "tokenservices/…" if path.startswith(_TOKENS + "/") else f"/{path}"
