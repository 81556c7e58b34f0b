"""
The rules of a zone transfer (RFC 5936): messages in, one generation out or nothing.

No sockets here: `AxfrIn` is fed message by message and says when it is complete.
"""

from attrs import define, field

from tscm.policy.collect import Collector
from tscm.policy.records import (
    IN,
    NS,
    SOA,
    MessageDamaged,
    Record,
    Table,
    read_name,
    soa_serial,
)

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


class TransferRefused(Exception):
    """
    The server answered, but gives no transfer; its *rcode* says how it said so.
    """

    def __init__(self, rcode: int) -> None:
        self.rcode = rcode
        super().__init__(RCODES.get(rcode, f"response code {rcode}"))


def check_answer(table: Table, query_id: int) -> None:
    """Raise `MessageDamaged` unless *table* is an answer to the query with that id."""
    if not table.flags & _QR or table.flags >> 11 & 0x0F:
        raise MessageDamaged("the message is no answer")
    if table.id != query_id:
        raise MessageDamaged("the answer has another query's id")


@define(eq=False)
class AxfrIn:
    """
    One AXFR: SOA, everything else, the same SOA again.

    Messages are kept until the last has come, since which addresses belong to the
    zone's own name servers is known only then.  *max_records* bounds what is kept.
    """

    zone: bytes
    query_id: int
    max_records: int
    serial: int | None = field(default=None, init=False)
    done: bool = field(default=False, init=False)
    _parts: list[tuple[Table, list[Record]]] = field(factory=list, init=False)
    _kept: int = field(default=0, init=False)

    def feed(self, table: Table) -> bool:
        """
        Take the next message; true when it was the last.

        Raises `MessageDamaged`, and `TransferRefused` for a first message that is no transfer.
        """
        check_answer(table, self.query_id)
        if table.rcode:
            if self.serial is None:
                raise TransferRefused(table.rcode)
            raise MessageDamaged(f"the server broke off with {RCODES.get(table.rcode, 'an error')}")
        records = table.answers
        if self.serial is None:
            if not records:
                raise TransferRefused(NOERROR)
            self.serial = self._soa(table, records[0])
            if self.serial is None:
                raise MessageDamaged("the transfer does not begin with the zone's SOA record")
            records = records[1:]
        elif not records:
            raise MessageDamaged("an empty message inside the transfer")
        for number, record in enumerate(records):
            if record.type == SOA:
                if self._soa(table, record) != self.serial:
                    raise MessageDamaged("the zone changed in the middle of the transfer")
                if number != len(records) - 1:
                    raise MessageDamaged("records after the closing SOA record")
                self.done = True
                records = records[:-1]
        self._kept += len(records)
        if self._kept > self.max_records:
            raise MessageDamaged(f"the zone has more than {self.max_records:,} records")
        self._parts.append((table, records))
        return self.done

    def _soa(self, table: Table, record: Record) -> int | None:
        if record.type != SOA or record.cls != IN or table.owner(record) != self.zone:
            return None
        return soa_serial(table.message, record)

    def collect(self, collector: Collector) -> None:
        """Hand everything over; only once `done`.  Raises `MessageDamaged`, `ListTooLong`."""
        assert self.done
        servers = set()
        for table, records in self._parts:
            for record in records:
                if record.type == NS:
                    servers.add(read_name(table.message, record.rdata_at)[0])
        lengths = {len(name) for name in servers}
        for table, records in self._parts:
            collector.add_records(
                table.message,
                records,
                lambda record, table=table: (  # type: ignore[misc]
                    record.owner_octets in lengths and table.owner(record) in servers
                ),
            )
