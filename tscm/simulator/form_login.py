"""
Logging in to the HTTP interface as ASDM does: by a form, and with a cookie from then on.

Time comes in as a parameter.
"""

from collections.abc import Mapping
from secrets import token_hex
from urllib.parse import parse_qs

from attrs import define, field

PATH = ("+webvpn+", "index.html")
LOGOUT = ("+webvpn+", "webvpn_logout.html")
COOKIE = "webvpn"
_FIRST = {"webvpnlogin": "1"}
"""A cookie without which the form is not looked at."""
_FIELDS = ("username", "password", "tgroup", "Login")


def cookies_of(headers: Mapping[str, str]) -> dict[str, str]:
    """The cookies of a request, by their names."""
    pairs = (one.strip().partition("=") for one in headers.get("cookie", "").split(";"))
    return {name: value for name, _, value in pairs if name}


def read_form(body: bytes, headers: Mapping[str, str]) -> tuple[str, str] | None:
    """Name and password of a form that is complete; None otherwise."""
    sent = cookies_of(headers)
    if any(sent.get(name) != value for name, value in _FIRST.items()):
        return None
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=20)
    except ValueError:
        return None
    if any(name not in fields for name in _FIELDS):
        return None
    return fields["username"][0], fields["password"][0]


@define(eq=False)
class FormSessions:
    """
    Who is logged in by a cookie.
    """

    lifetime: float = 1800.0
    """Seconds without use; 0 for no end."""
    _users: dict[str, tuple[str, float]] = field(factory=dict, repr=False)

    def begin(self, user: str, now: float) -> str:
        """A new session's cookie."""
        made = token_hex(16)
        self._users[made] = (user, now)
        return made

    def user_of(self, cookie: str, now: float) -> str | None:
        """Whose session it is, which is used by that."""
        user, used = self._users.get(cookie, (None, 0.0))
        if user is None or (self.lifetime and now - used > self.lifetime):
            self._users.pop(cookie, None)
            return None
        self._users[cookie] = (user, now)
        return user

    def end(self, cookie: str) -> None:
        """The session is over."""
        self._users.pop(cookie, None)

    def end_all(self) -> None:
        """All sessions are over."""
        self._users.clear()

    def __len__(self) -> int:
        return len(self._users)
