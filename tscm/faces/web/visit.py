"""
One request as handlers see it, and what they answer.  Values.
"""

from collections.abc import Callable, Mapping
from typing import ClassVar, Protocol
from urllib.parse import urlencode

from attrs import field, frozen
from twisted.internet.defer import Deferred

from tscm.errors import TscmError
from tscm.faces.web.accounts import Session
from tscm.faces.web.roles import Role

Fields = Mapping[str, tuple[str, ...]]


@frozen(kw_only=True)
class Visit:
    """
    Who asks for what.  *fields* come from the query of a GET and from the body of a POST.
    """

    method: str
    path: str
    """Without the query."""
    parts: Mapping[str, str] = field(factory=dict)
    fields: Fields = field(factory=dict)
    session: Session | None = None
    attempt: str | None = None
    """A login in progress at the provider, sealed."""
    address: str = ""
    agent: str = ""
    live: bool = False
    """Asked by a page that refreshes itself, so that it keeps no session alive."""
    now: float = 0.0

    def text(self, name: str, default: str = "") -> str:
        """The first value of a field, without blanks around it."""
        values = self.fields.get(name)
        return values[0].strip() if values else default

    def secret(self, name: str) -> str:
        """The first value of a field as it was typed."""
        values = self.fields.get(name)
        return values[0] if values else ""

    def some(self, name: str) -> tuple[str, ...]:
        """All values of a field that are not empty."""
        return tuple(one.strip() for one in self.fields.get(name, ()) if one.strip())

    @property
    def role(self) -> Role:
        """Of who asks."""
        return Role.NOBODY if self.session is None else self.session.role

    @property
    def user(self) -> str:
        """The name of who asks; empty for a visitor who is not signed in."""
        return "" if self.session is None else self.session.user

    def at(self, **changes: str | None) -> str:
        """The address of this page with other fields: None takes one away."""
        kept = {name: values for name, values in self.fields.items() if name not in changes}
        kept |= {name: (value,) for name, value in changes.items() if value}
        query = urlencode({name: list(values) for name, values in kept.items()}, doseq=True)
        return f"{self.path}?{query}" if query else self.path


class View(Protocol):
    """What a page shows: a frozen value, and the template that shows it."""

    TEMPLATE: ClassVar[str]


@frozen(kw_only=True)
class Page:
    """A page."""

    view: View
    title: str
    status: int = 200
    cookie: str | None = None
    """A new session's key; empty takes the cookie away."""
    attempt: str | None = None
    """A login that begins at the provider, sealed; empty takes its cookie away."""
    retry_after: int | None = None


@frozen(kw_only=True)
class Redirect:
    """Go there; *notice* is told on the page after, once."""

    to: str
    notice: str = ""
    cookie: str | None = None
    attempt: str | None = None
    """As of a page."""


@frozen(kw_only=True)
class Download:
    """A file."""

    name: str
    content_type: str
    content: bytes


class Sink(Protocol):
    """A response that stays open."""

    def write(self, data: bytes) -> object:
        """Send."""

    def registerProducer(self, producer: object, streaming: bool) -> object:
        """Whom to tell when the browser does not read."""

    def unregisterProducer(self) -> object:
        """Not signed in any more."""


class Running(Protocol):
    """A stream that is open; *over* fires when it has ended."""

    over: Deferred[None]

    def gone(self) -> None:
        """The browser went away."""


@frozen(kw_only=True)
class Stream:
    """Events without end: *begin* has them written to the response that it is given."""

    begin: Callable[[Sink], Running]


Answer = Page | Redirect | Download | Stream


class NotHere(TscmError):
    """
    There is no such page.
    """

    def __str__(self) -> str:
        return "there is no page at this address"


class Faulty(TscmError):
    """
    What was typed cannot be meant; its sentence says why.
    """

    exit_status = 2


class Forbidden(TscmError):
    """
    The request claims what it may not; its sentence says what.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence

    def __str__(self) -> str:
        return self.sentence
