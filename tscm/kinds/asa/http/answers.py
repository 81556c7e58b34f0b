"""
What the web server of an ASA says by its status and its pages (docs/develop/asa.md, section 4).  Pure.
"""

from collections.abc import Callable

from attrs import define, field

from tscm.errors import DeviceFault
from tscm.kinds.faults import Forbidden, InterfaceAbsent, Overloaded, Refused, Unauthorised
from tscm.printable import quoted

_LEAD = 16
_QUOTED = 200
_KEPT = 4096
_PAGE_STARTS = (b"<!doctype html", b"<html")
_NOT_THIS_FORM = frozenset({400, 405, 406, 415, 501})


class AgentRefused(Forbidden):
    """
    The device lets no such User-Agent log in by Basic.
    """


class FormRefused(Refused):
    """
    The device does not take what was posted in the form that it was posted in.
    """


@define(eq=False)
class PageSieve:
    """
    Hands a body on to *take*, unless it is a web page: that is kept, as far as a sentence may quote it.
    """

    take: Callable[[bytes], None]
    is_page: bool | None = field(default=None, init=False)
    size: int = field(default=0, init=False)
    _held: bytearray = field(factory=bytearray, init=False)

    def feed(self, piece: bytes) -> None:
        """The next bytes."""
        self.size += len(piece)
        if self.is_page is None:
            self._held += piece
            if len(self._held.lstrip()) >= _LEAD:
                self._decide()
        elif self.is_page:
            self._held += piece[: max(0, _KEPT - len(self._held))]
        else:
            self.take(piece)

    def end(self) -> None:
        """There is no more."""
        if self.is_page is None:
            self._decide()

    def _decide(self) -> None:
        lead = bytes(self._held.lstrip()[:_LEAD]).lower()
        self.is_page = lead.startswith(_PAGE_STARTS)
        if not self.is_page:
            held, self._held = bytes(self._held), bytearray()
            if held:
                self.take(held)


@define(frozen=True, kw_only=True)
class Judge:
    """
    Names the faults of one device; the fields are for their sentences.
    """

    name: str
    root: str
    username: str
    user_agent: str

    def fault(self, what: str, status: int, *, known: bool, is_page: bool) -> DeviceFault:
        """
        What is wrong with an answer of *status* to *what*; *known* tells that the device answered us before.
        """
        if status == 401:
            return Unauthorised(
                self.name,
                "wrong username or password (401)",
                f"check the account {self.username} and `aaa authentication http console LOCAL` on the device; "
                f"set another password with `tsadmin configure {self.name} --password -`",
            )
        if status == 400 and not known:
            return self.agent_refused()
        if status == 403:
            return Forbidden(
                self.name,
                f"account {self.username} lacks the privilege for {what} (403)",
                "enter its `username` line on the device again, with the password and privilege 15 at the end",
            )
        if status in _NOT_THIS_FORM:
            return FormRefused(
                self.name, f"{what} was rejected with {status}", status=status, may_be_size=False
            )
        if status == 413:
            return Refused(self.name, f"{what} was rejected with {status}", status=status)
        if status >= 500:
            return Overloaded(
                self.name,
                f"{what} returned {status}",
                "wait until the device is less busy; `show cpu usage` and `show asp drop` on it tell more",
            )
        shown = "a web page" if is_page else f"status {status}"
        return InterfaceAbsent(
            self.name,
            f"{what} was answered with {shown} by {self.root}, which is not its HTTP interface",
            "check the address and the port, and on the device `http server enable` and its `http` lines",
        )

    def agent_refused(self) -> AgentRefused:
        """That it takes this User-Agent for no client that may log in."""
        return AgentRefused(
            self.name,
            f"it does not accept Basic authentication from the User-Agent {self.user_agent} (400)",
            f"enter `http server basic-auth-client {self.user_agent}` on the device, or set one that it has in "
            f"its list with `tsadmin configure {self.name} --user_agent`",
        )

    def form_refused(self) -> Unauthorised:
        """That neither way to log in is open."""
        return Unauthorised(
            self.name,
            f"it does not accept Basic authentication from the User-Agent {self.user_agent} (400), and its "
            f"login form rejected {self.username}",
            f"enter `http server basic-auth-client {self.user_agent}` on the device; if it has that line, check "
            "the password",
        )

    def unreadable(self, what: str, cause: str) -> Overloaded:
        """An answer that nothing can be made of."""
        return Overloaded(
            self.name,
            f"the answer to {what} cannot be read: {quoted(cause, _QUOTED)}",
            f"enter the command on the device, or open {self.root}/admin/config, to see what it prints",
        )

    def incomplete(self, what: str) -> Overloaded:
        """An answer without its end."""
        return Overloaded(
            self.name,
            f"the answer to {what} ended too early",
            "the account must be allowed to enter `show curpriv`, which shows where the answer ends",
        )
