"""
One session with a device's HTTP interface: by Basic, or by the form that ASDM uses where that is refused.

Blocking, one request in flight, every wait bounded.
"""

import contextlib
from collections.abc import Mapping
from urllib.parse import quote, urlencode

from attrs import define, field, frozen

from tscm.errors import DeviceFault
from tscm.kinds.asa.http.answers import Judge, PageSieve
from tscm.kinds.asa.http.text_lines import LineTooLong
from tscm.kinds.asa.https import Asked, Take
from tscm.kinds.asa.https_link import HttpsBounds, HttpsLink
from tscm.kinds.faults import SessionLost

_FORM = "+webvpn+/index.html"
_LEAVE = "+webvpn+/webvpn_logout.html"
_FORM_AGENT = "ASDM/ Java/1.8.0_131"
_FORM_COOKIES = "tg=0RGVmYXVsdEFETUlOR3JvdXA=; webvpnlogin=1"
_FORM_GROUP = "DefaultADMINGroup"
_COOKIE = "webvpn"


@frozen(kw_only=True)
class Bounds(HttpsBounds):
    """
    And how much it answers.
    """

    configuration_bytes: int = 64 << 20
    answer_bytes: int = 8 << 20
    """To a POST: each of its lines may be refused."""


@define(eq=False, kw_only=True)
class HttpLink(HttpsLink):
    """
    The HTTP interface of one device.
    """

    user_agent: str
    by_form: bool = False
    """Log in by the form, as a session before found necessary."""
    bounds: Bounds = field(factory=Bounds)
    judge: Judge = field(init=False)
    _known: bool = field(default=False, init=False)
    """Has it answered as its HTTP interface does?"""

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        self.judge = Judge(
            name=self.name,
            root=self.root,
            username=self.username,
            user_agent=self.user_agent,
        )

    def execute(self, commands: tuple[str, ...], take: Take, most_bytes: int) -> int:
        """What *commands* print, one after another; the number of bytes."""
        path = "admin/exec/" + "/".join(quote(one, safe="") for one in commands)
        return self._call("GET", path, f"`{commands[0]}`", take, most_bytes)

    def configure(self, body: bytes, content_type: str, take: Take) -> int:
        """Merge what is posted; what the device says of it, and the number of its bytes."""
        return self._call(
            "POST",
            "admin/config",
            "POST /admin/config",
            take,
            self.bounds.answer_bytes,
            body=body,
            content_type=content_type,
        )

    def close(self) -> None:
        """Log out, where there is a session to end."""
        if self._https.cookie(_COOKIE):
            with contextlib.suppress(DeviceFault):
                self._exchange("GET", _LEAVE, "the logout", lambda _: None, 1 << 16)
        self._https.close()

    def _call(
        self,
        method: str,
        path: str,
        what: str,
        take: Take,
        most_bytes: int,
        *,
        body: bytes | None = None,
        content_type: str = "",
    ) -> int:
        """
        Ask once, logging in first where that is due, and again once where nothing was done for lack of a login.

        A write is not sent again where its session had ended: `SessionLost` asks for a new look first.
        """
        for again in (False, True):
            fresh = self.by_form and not self._https.cookie(_COOKIE)
            if fresh:
                self._log_in()
            status, sieve = self._exchange(
                method, path, what, take, most_bytes, body=body, content_type=content_type
            )
            if status == 200 and not sieve.is_page:
                self._known = True
                return sieve.size
            over = status == 401 or 300 <= status < 400 or (status == 200 and sieve.is_page)
            if self.by_form and not fresh and not again and over:
                self._https.forget_cookies()
                if body is not None:
                    raise SessionLost(self.name, "its session ended during a change", retry=True)
                continue
            if status == 400 and not (self.by_form or self._known or again):
                self.by_form = True
                continue
            break
        raise self.judge.fault(
            what, status, known=self._known or self.by_form, is_page=bool(sieve.is_page)
        )

    def _log_in(self) -> None:
        """By the form: what it gives where the account is right is a cookie."""
        form = {
            "username": self.username,
            "password": self.password.reveal(),
            "tgroup": _FORM_GROUP,
            "Login": "Login",
        }
        status, _ = self._exchange(
            "POST",
            _FORM,
            "the login form",
            lambda _: None,
            self.bounds.command_bytes,
            body=urlencode(form).encode(),
            content_type="application/x-www-form-urlencoded",
            form=True,
        )
        if self._https.cookie(_COOKIE):
            return
        self.by_form = False  # the next session tries Basic again
        if status == 200 or 300 <= status < 400:
            raise self.judge.form_refused()
        if status in {400, 403, 404, 405}:
            raise self.judge.agent_refused()
        raise self.judge.fault("the login form", status, known=True, is_page=False)

    def _exchange(
        self,
        method: str,
        path: str,
        what: str,
        take: Take,
        most_bytes: int,
        *,
        body: bytes | None = None,
        content_type: str = "",
        form: bool = False,
    ) -> tuple[int, PageSieve]:
        seconds = self.bounds.read_seconds if body is None else self.bounds.write_seconds
        page = PageSieve(lambda _: None)  # of any other status than 200
        good = PageSieve(take)
        sieves = [page]

        def head(status: int, headers: Mapping[str, str]) -> Take:
            del headers
            if status == 200:
                sieves[0] = good
            return sieves[0].feed

        self._https.patient = body is not None
        self.traffic = self.traffic.plus(sent=len(body or b""))
        asked = Asked(
            method=method,
            url=f"{self.root}/{path}",
            what=what,
            seconds=seconds,
            most_bytes=most_bytes,
            headers=self._headers(content_type, form=form),
            body=body,
            remedy="wait until the device is less busy, and check the way to it",
        )
        try:
            status, _ = self._https.exchange(asked, head)
            sieves[0].end()
        except LineTooLong as error:
            raise self.judge.unreadable(what, str(error)) from None
        finally:
            self.traffic = self.traffic.plus(received=sieves[0].size, requests=0)
        return status, sieves[0]

    def _headers(self, content_type: str, *, form: bool) -> dict[str, str]:
        headers = {"Accept-Encoding": "identity"}  # an answer that swells is not wanted
        if content_type:
            headers["Content-Type"] = content_type
        if form:
            return headers | {"User-Agent": _FORM_AGENT, "Cookie": _FORM_COOKIES}
        if self.by_form:
            return headers | {"User-Agent": _FORM_AGENT}
        return headers | {"User-Agent": self.user_agent, "Authorization": self._basic()}
