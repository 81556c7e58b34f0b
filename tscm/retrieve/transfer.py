"""
The rules of zone transfers (RFC 5936, RFC 1995): messages in, one generation out or nothing.

No sockets here: what is made is fed message by message and says when it is complete.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby

from attrs import define, field

from tscm.plural import many
from tscm.policy.collect import Collector, ListTooLong
from tscm.policy.names import MessageDamaged, Names
from tscm.policy.records import IN, NS, SOA, Record, Section, Table, soa_serial

NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, NOTAUTH = 0, 1, 2, 3, 4, 5, 9
RCODES = {
    FORMERR: "FORMERR",
    SERVFAIL: "SERVFAIL",
    NXDOMAIN: "NXDOMAIN",
    NOTIMP: "NOTIMP",
    REFUSED: "REFUSED",
    NOTAUTH: "NOTAUTH",
}
_QR = 0x8000

Part = tuple[bytes, bytes]
"""
A message, and rows of `Section`.  Nothing that the garbage collector looks at: a server may cut a zone into a million
messages, and a collection that walks through what is kept of them would stop every other thread for a second.
"""


@define(eq=False)
class TransferRefused(Exception):
    """
    The server answered, but gives no transfer; its *rcode* says how it said so.
    """

    rcode: int

    def __str__(self) -> str:
        return str(RCODES.get(self.rcode, f"response code {self.rcode}"))


def check_answer(table: Table, query_id: int) -> None:
    """Raise `MessageDamaged` unless *table* is an answer to the query with that id."""
    if not table.flags & _QR or table.flags >> 11 & 0x0F:
        raise MessageDamaged("the message is not an answer")
    if table.id != query_id:
        raise MessageDamaged("the answer has the ID of another query")


def servers_of(parts: Iterable[Part]) -> set[bytes]:
    """The names that NS records point to: their addresses are no entries of a list."""
    found = set()
    for message, records in _by_message(parts):
        names = Names(message)
        found |= {names.read(records[number].rdata_at) for number in records.where(NS)}
    return found


def add_parts(parts: Iterable[Part], servers: set[bytes], collector: Collector) -> None:
    """Hand all records to *collector*, addresses of *servers* as what they are."""
    for message, records in _by_message(parts):
        collector.add_records(message, records, servers)


def _by_message(parts: Iterable[Part]) -> Iterator[tuple[bytes, Section]]:
    """Each message once, whatever number of parts differences cut it into."""
    for _, group in groupby(parts, lambda part: id(part[0])):
        same = list(group)
        yield same[0][0], Section(b"".join(rows for _, rows in same))


@define(eq=False)
class TransferIn:
    """
    One AXFR or IXFR: SOA, everything else, the same SOA again.

    With *known*, the serial that an IXFR was asked for, the answer may be differences instead, or
    the SOA alone; which it was, `is_whole` tells once it is complete.  Messages are kept
    until the last has come, since which addresses belong to the zone's own name servers
    is known only then.  *max_records* bounds what is kept.
    """

    zone: bytes
    query_id: int
    max_records: int
    known: int | None = None
    serial: int | None = field(default=None, init=False)
    done: bool = field(default=False, init=False)
    is_whole: bool = field(default=True, init=False)
    added: list[Part] = field(factory=list, init=False)
    """All records of a whole zone; what differences put in."""
    removed: list[Part] = field(factory=list, init=False)
    _records: int = field(default=0, init=False)
    _version: int | None = field(default=None, init=False)
    _removing: bool = field(default=False, init=False)

    def feed(self, table: Table) -> bool:
        """
        Take the next message; true when it was the last.

        Raises `MessageDamaged`, `ListTooLong`, and `TransferRefused` for a first message that is no transfer.
        """
        check_answer(table, self.query_id)
        if table.rcode:
            if self.serial is None:
                raise TransferRefused(table.rcode)
            raise MessageDamaged(f"the server aborted with {RCODES.get(table.rcode, 'an error')}")
        records = table.answers
        if not len(records):
            if self.serial is None:
                raise TransferRefused(NOERROR)
            raise MessageDamaged("an empty message inside the transfer")
        begin, names = 0, Names(table.message)
        for number in records.where(SOA):
            self._keep(table, records.part(begin, number))
            begin = number + 1
            self._take_soa(self._soa(names, records[number]))
            self._count(1)
            if self.done and number != len(records) - 1:
                raise MessageDamaged("records after the closing SOA record")
        if self.serial is None:
            raise MessageDamaged("the transfer does not start with the zone's SOA record")
        self._keep(table, records.part(begin, len(records)))
        if self._records == 1 and self.serial == self.known:
            # RFC 1995, 2: the SOA alone says that there is nothing newer.
            self.done, self.is_whole = True, False
        return self.done

    def _count(self, more: int) -> None:
        self._records += more
        if self._records > self.max_records:
            raise ListTooLong(f"more than {many(self.max_records, 'record', 'records')}")

    def _soa(self, names: Names, record: Record) -> int | None:
        if record.cls != IN or names.read(record.owner_at) != self.zone:
            return None
        return soa_serial(names, record)

    def _take_soa(self, serial: int | None) -> None:
        if self._records == 0:
            if serial is None:
                raise MessageDamaged("the transfer does not start with the zone's SOA record")
            self.serial = serial
        elif self._records == 1 and self.known is not None and serial == self.known != self.serial:
            self.is_whole, self._removing, self._version = False, True, serial
        elif self.is_whole:
            if serial != self.serial:
                raise MessageDamaged("the zone changed during the transfer")
            self.done = True
        elif self._removing:
            self._removing, self._version = False, serial
        elif serial != self._version:
            raise MessageDamaged("the differences are not consecutive")
        elif serial == self.serial:
            self.done = True
        else:
            self._removing = True

    def _keep(self, table: Table, records: Section) -> None:
        if not len(records):
            return
        if self.serial is None:
            raise MessageDamaged("the transfer does not start with the zone's SOA record")
        self._count(len(records))
        (self.removed if self._removing else self.added).append(
            (table.message, bytes(records.rows))
        )
