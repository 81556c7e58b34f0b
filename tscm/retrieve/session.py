"""
Questions about one name to one server, over a connection that is opened again when the server
closes it between two of them (RFC 7766, 6.2.3).
"""

from collections.abc import Callable
from types import TracebackType
from typing import Self

from attrs import define, field

from tscm.policy.names import MessageDamaged
from tscm.policy.records import IN, Table, read_table
from tscm.retrieve.stream import DnsStream, Limits, Unanswered
from tscm.retrieve.transfer import check_answer
from tscm.retrieve.tsig import Signed, TsigKey


@define(eq=False)
class Session:
    """
    Made for one list; dnspython makes the questions, `tscm.policy.records` reads the answers.
    """

    host: str
    port: int
    name: str
    limits: Limits
    tsig: TsigKey | None
    clock: Callable[[], float]
    owner: bytes = field(init=False)
    """The name as `tscm.policy.names.read_name` gives it."""
    _deadline: float = field(init=False)
    _stream: DnsStream | None = field(default=None, init=False)
    _fresh: bool = field(default=True, init=False)
    _signed: Signed | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        import dns.name

        self.owner = dns.name.from_text(self.name).canonicalize().to_digestable()
        self._deadline = self.clock() + self.limits.whole_seconds

    def __enter__(self) -> Self:
        self.reopen()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._stream is not None:
            self._stream.__exit__(kind, error, trace)

    @property
    def out_of_time(self) -> bool:
        """Has the whole of one list taken too long?"""
        return self.clock() >= self._deadline

    def reopen(self) -> None:
        """A new connection instead of the one there is, which may still bring an unwanted answer."""
        received = 0
        if self._stream is not None:
            received = self._stream.received
            self._stream.__exit__(None, None, None)
            self._stream = None
        stream = DnsStream(self.host, self.port, self.limits, self._deadline, self.clock)
        stream.received = received
        self._stream = stream.__enter__()
        self._fresh = True

    def ask(self, kind: int, known: int | None = None) -> int:
        """
        Send a question for records of type *kind*; gives the query's id.

        *known* is the serial from which differences are wanted (RFC 1995, 3).
        """
        import dns.message
        import dns.rdatatype
        import dns.rrset

        query = dns.message.make_query(self.name, dns.rdatatype.RdataType.make(kind))
        if known is not None:
            text = f". . {known} 0 0 0 0"
            query.authority.append(dns.rrset.from_text(f"{self.name}.", 0, "IN", "SOA", text))
        wire = query.to_wire()
        self._signed = None
        if self.tsig is not None:
            self._signed = Signed.of(self.tsig, query)
            wire = self._signed.query
        assert self._stream is not None
        self._stream.send(wire)
        return query.id

    def receive(self) -> Table:
        """The next message of the answer; its signature, where there must be one, was checked."""
        assert self._stream is not None
        message = self._stream.receive()
        self._fresh = False
        table = read_table(message)
        if self._signed is not None:
            self._signed.check(table)
        return table

    def check_signed(self) -> None:
        """Raise `TsigFailed` unless the last message of an answer was signed."""
        if self._signed is not None:
            self._signed.check_closed()

    def question(self, kind: int) -> Table:
        """One question, one answer."""
        try:
            number = self.ask(kind)
            table = self.receive()
        except Unanswered as error:
            if self._fresh or error.begun:
                raise
            self.reopen()
            number = self.ask(kind)
            table = self.receive()
        self.check_signed()
        check_answer(table, number)
        if table.question not in {None, (self.owner, kind, IN)}:
            raise MessageDamaged("the answer belongs to another query")
        return table
