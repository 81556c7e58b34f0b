"""
One HTTPS session with a device's REST API agent: log in, ask, give the token back.

Blocking, one request in flight, every wait bounded.  What comes back becomes an `Answer` or a
`DeviceFault` (`tscm.kinds.asa.rest.answers`); nothing above this module sees requests.
"""

import contextlib
import json
from collections.abc import Iterable, Mapping

from attrs import define, evolve, field, frozen

from tscm.errors import DeviceFault
from tscm.kinds.asa.faults import highest_children
from tscm.kinds.asa.https import Asked
from tscm.kinds.asa.https_link import HttpsBounds, HttpsLink
from tscm.kinds.asa.rest.answers import TOKENS, Answer, Judge, shown_path
from tscm.kinds.asa.rest.content import Content
from tscm.kinds.asa.rest.picks import MOST_MEMBERS, NOTHING, Want
from tscm.kinds.asa.rest.reader import SMALL_BYTES, SMALL_COST, AnswerReader
from tscm.kinds.faults import Overloaded, SessionLost, SessionsUsedUp
from tscm.model import Json

USER_AGENT = "REST API Agent"
"""Any other is refused as if the password were wrong (docs/develop/asa.md, 1)."""


@frozen(kw_only=True)
class Bounds(HttpsBounds):
    """
    And how much it answers.  A write may take minutes on a small device (docs/develop/asa.md, section 4).
    """

    response_bytes: int = 64 << 20
    """What one answer, or all pages of one collection, may come to, gzip undone."""
    configuration_bytes: int = 16 << 20
    """What `show running-config` may answer: that of the largest takes a few MB."""
    parsing_seconds: float = 60.0
    """What reading a large answer may take beyond the time in which it comes, a turn to wait for included."""

    small_bytes: int = SMALL_BYTES
    """Up to this size an answer is read here; a larger one in a child process."""
    small_cost: int = SMALL_COST
    """Of memory, likewise."""
    most_members: int = MOST_MEMBERS
    """Of groups of ours."""

    def most(self, path: str, want: Want) -> int:
        """How many bytes the answer for *want* may have."""
        if want.kind == "configuration":
            return self.configuration_bytes
        return self.command_bytes if path == "cli" else self.response_bytes


@define(eq=False, kw_only=True)
class RestLink(HttpsLink):
    """
    The agent of one device; *root* is the API's root URL.
    """

    prefix: str
    token_auth: bool
    groups: tuple[str, ...] = ()
    """The highest children that the device was seen to have."""
    bounds: Bounds = field(factory=Bounds)
    token_died: bool = field(default=False, init=False)
    judge: Judge = field(init=False)
    _token: str | None = field(default=None, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        self.judge = Judge(
            name=self.name,
            root=self.root,
            prefix=self.prefix,
            username=self.username,
            groups=self.groups,
        )

    def know(self, groups: Iterable[str]) -> None:
        """The device has these *groups*."""
        self.groups = highest_children(self.prefix, groups)
        self.judge = evolve(self.judge, groups=self.groups)

    def call(
        self,
        method: str,
        path: str,
        body: Json | list[Json] | None = None,
        *,
        want: Want = NOTHING,
        write: bool = False,
    ) -> Answer:
        """
        Ask once, logging in first where that is due, and again once where the token had expired.

        Of the answer only what *want* names comes back (`tscm.kinds.asa.rest.picks`).
        Where a fresh token is refused too, the rest of the session goes without.  A write is not sent
        again: `SessionLost` asks for a new look first.
        """
        if self.token_auth and self._token is None:
            self._log_in()
        status, headers, content = self._send(method, path, body, want=want, write=write)
        if status == 401 and self._token is not None:
            self._token = None
            self._log_in()
            if write:
                self.token_died = True
                # A reload or a failover ends tokens too, and then the device may hold something else
                # than what this was planned for.
                raise SessionLost(self.name, "its login token expired during a change", retry=True)
            status, headers, content = self._send(method, path, body, want=want, write=write)
            if status == 401:
                # The account is right, for it just logged in: a token that is worth nothing.
                self.token_auth = False
                status, headers, content = self._send(
                    method, path, body, want=want, write=write, basic=True
                )
        return self.judge.judge(method, path, status, headers, content)

    def close(self) -> None:
        """
        Give the token back, whatever happened before: 25 lost ones shut everybody out.
        """
        token, self._token = self._token, None
        if not self._https.is_open:
            return
        if token is not None:
            with contextlib.suppress(DeviceFault):  # then it dies with its time limit
                self._send("DELETE", f"{TOKENS}/{token}", None, write=False, basic=True)
        self._https.close()

    def _log_in(self) -> None:
        status, headers, content = self._send("POST", TOKENS, None, write=False, basic=True)
        token = headers.get("X-Auth-Token")
        if status == 204 and token:
            self._token = token
            return
        if status == 503:
            raise SessionsUsedUp(
                self.name,
                "it issues no login token (503): all 25 tokens of its context are in use, "
                "or its agent is starting or overloaded",
                "wait until tokens expire, clear all of them with `no rest-api agent`, "
                "then `rest-api agent`, or set Token Auth to no",
                retry=True,
            )
        self.judge.judge("POST", TOKENS, status, headers, content)
        raise Overloaded(self.name, f"the login request returned {status} and no token")

    def _send(
        self,
        method: str,
        path: str,
        body: Json | list[Json] | None,
        *,
        want: Want = NOTHING,
        write: bool,
        basic: bool = False,
    ) -> tuple[int, Mapping[str, str], Content]:
        seconds = self.bounds.write_seconds if write else self.bounds.read_seconds
        data = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        headers = {
            "User-Agent": USER_AGENT,
            "Accept": "application/json",
            "Accept-Encoding": "identity",  # an answer that swells is not wanted
        }
        if data is not None:
            headers["Content-Type"] = "application/json"
        if self._token is not None and self.token_auth and not basic:
            headers["X-Auth-Token"] = self._token
        else:
            headers["Authorization"] = self._basic()
        self.traffic = self.traffic.plus(sent=len(data or b""))
        reader = AnswerReader(
            self.name,
            f"{method} {shown_path(path)}",
            want,
            2 * seconds + self.bounds.parsing_seconds,
            self.bounds.small_bytes,
            self.bounds.small_cost,
        )
        asked = Asked(
            method=method,
            url=f"{self.root}/{path}" if path else self.root,
            what=reader.what,
            seconds=seconds,
            most_bytes=self.bounds.most(path, want),
            headers=headers,
            body=data,
            remedy=self.judge.revival,
        )
        with reader:
            status, answered = self._https.exchange(asked, lambda *_: reader.take)
            self.traffic = self.traffic.plus(received=reader.size, requests=0)
            return status, answered, reader.content()
