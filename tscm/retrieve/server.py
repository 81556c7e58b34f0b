"""
One policy server asked for one list: serial first, then differences, a transfer, or direct questions.
"""

from collections.abc import Callable

from attrs import define, evolve, field

from tscm.base.host_port import HostPort
from tscm.policy.collect import Collector, ListTooLong, ReadingTooLong, is_rpz_trigger
from tscm.policy.lists import PolicyList
from tscm.policy.names import MessageDamaged, Names
from tscm.policy.records import (
    AAAA,
    APL,
    CNAME,
    IN,
    NS,
    SOA,
    TXT,
    A,
    Section,
    Table,
    soa_serial,
)
from tscm.retrieve.delta import DeltaUnfit, changed
from tscm.retrieve.session import Session
from tscm.retrieve.stream import Limits, Unanswered
from tscm.retrieve.transfer import (
    FORMERR,
    NOERROR,
    NOTAUTH,
    NOTIMP,
    NXDOMAIN,
    RCODES,
    REFUSED,
    SERVFAIL,
    TransferIn,
    TransferRefused,
    add_parts,
    servers_of,
)
from tscm.retrieve.tsig import TsigFailed, TsigKey

IXFR, AXFR = 251, 252
WHOLE, PART = "axfr://", "dns://"
"""How a list's source begins: a transfer of which every entry was taken, or anything else."""
_OTHER_RECORDS = 1000
_TYPES = (A, AAAA, APL, TXT)
_RPZ_TYPES = (CNAME, A, AAAA, TXT)
"""What a policy's trigger is asked for: nearly all have an alias, which tells the action and leads nowhere."""
_NO_TRANSFER = {NOERROR, FORMERR, NOTIMP, REFUSED, NOTAUTH}
"""Answers to AXFR that mean: ask for the name's own records instead."""
_UNKNOWN_QUESTION = {FORMERR, NOTIMP}
"""Answers of a server that knows a transfer and little else."""
_TRIES = 3
_ALIASES = 8
_HALF = 1 << 31

WAIT = "if the device or policy is new, wait 15 minutes"
ALG = (
    "if a DNS ALG interferes, enter `no ip nat service alg tcp dns` and `no ip nat "
    "service alg udp dns`"
)


class ServerFault(Exception):
    """
    Why this server did not give the list, and what the operator may try.
    """

    def __init__(self, cause: str, *remedies: str) -> None:
        self.remedies = remedies
        super().__init__(cause)


class Behind(Exception):
    """
    The server's serial is older than the known one.
    """


def is_newer(serial: int, than: int) -> bool:
    """Serial number arithmetic (RFC 1982, 3.2)."""
    return serial != than and (serial - than) % (1 << 32) < _HALF


def ask_server(
    name: str,
    server: HostPort,
    port: int,
    *,
    tsig: TsigKey | None,
    limits: Limits,
    known: PolicyList | None,
    now: float,
    clock: Callable[[], float],
    take_older: bool,
) -> PolicyList | None:
    """
    The list from this server; None when it is unchanged.  Raises `ServerFault`, `Behind`.

    With *take_older* a serial that went back is no obstacle here.
    """
    at = str(HostPort(server.host, port))
    try:
        with Session(server.host, port, name, limits, tsig, clock) as session:
            asking = _Asking(session, name, at, limits, known, now, take_older)
            return asking.run()
    except ServerFault as error:
        fault = error
    except Unanswered as error:
        other = 53 if port == 5353 else 5353
        hint = "check the port in [policy] servers" if server.port else f"try `--dns_port {other}`"
        if error.stopped:
            hint = "no action is needed"
        fault = ServerFault(str(error), hint, *([ALG] if error.middlebox else []))
    except MessageDamaged as error:
        fault = ServerFault(f"{at} sent a malformed answer: {error}", ALG)
    except ListTooLong as error:
        fault = ServerFault(
            f"the list has {error}", "if it is correct, raise [policy] max_list_entries"
        )
    except ReadingTooLong:
        fault = ServerFault(
            f"{at} sent a list that takes longer than {limits.whole_seconds:g} s to read",
            "publish it in larger messages",
        )
    except TsigFailed as error:
        fault = ServerFault(
            f"{at}: {error}", "check the TSIG key's name and value, and both clocks"
        )
    # Out here, and without its way: on that hangs all that was received, and a thread of the pool
    # keeps its last failure until it has something else to do.
    fault.__context__ = None
    raise fault.with_traceback(None)


@define(eq=False)
class _Asking:
    _session: Session
    _name: str
    _at: str
    _limits: Limits
    _known: PolicyList | None
    _now: float
    _take_older: bool
    _zone: bytes = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._zone = self._session.owner

    def run(self) -> PolicyList | None:
        serial, is_zone = self._serial()
        known = self._known
        if serial is not None and known is not None and known.serial is not None:
            if serial == known.serial:
                return None
            if is_newer(serial, known.serial):
                if is_zone and known.source.startswith(WHOLE):
                    try:
                        return self._differences(known, known.serial)
                    except (TransferRefused, DeltaUnfit, MessageDamaged, Unanswered):
                        self._session.reopen()
            elif not self._take_older:
                raise Behind
        if is_zone:
            try:
                return self._whole()
            except TransferRefused as refusal:
                if refusal.rcode not in _NO_TRANSFER:
                    raise ServerFault(
                        f"{self._at} could not transfer the zone ({refusal})", "try again later"
                    ) from None
                return self._direct(f" and {self._at} refuses to transfer it ({refusal})")
        return self._direct(" and is not a zone that can be transferred")

    def _serial(self) -> tuple[int | None, bool]:
        table = self._session.question(SOA)
        if table.rcode in _UNKNOWN_QUESTION:  # a transfer tells the serial by itself
            return None, True
        self._check(table)
        names = Names(table.message)
        for record in table.answers:
            if (
                record.type == SOA
                and record.cls == IN
                and names.read(record.owner_at) == self._zone
            ):
                return soa_serial(names, record), True
        for record in table.authorities:
            if record.type == SOA and record.cls == IN:
                return soa_serial(names, record), False
        return None, False

    def _differences(self, known: PolicyList, serial: int) -> PolicyList | None:
        """
        By IXFR (RFC 1995).  Raises `TransferRefused` and `DeltaUnfit` where only all of it will do.
        """
        table = self._session.question(NS)
        if table.rcode:  # the whole zone tells its name servers by itself
            raise TransferRefused(table.rcode)
        servers = servers_of([(table.message, bytes(table.answers.rows))])
        try:
            transfer = self._transferred(IXFR, serial)
        except ListTooLong:
            raise DeltaUnfit("the differences are more than the list may be") from None
        if transfer.serial == serial:
            return None
        if transfer.is_whole:
            return self._made_whole(transfer)
        if servers_of([*transfer.removed, *transfer.added]):
            raise DeltaUnfit("the zone's name servers have changed")
        added, removed = (self._collector() for _ in range(2))
        add_parts(transfer.added, servers, added)
        add_parts(transfer.removed, servers, removed)
        if removed.refused_count or added.refused_count:
            raise DeltaUnfit("excluded entries must be listed, so all entries must be read")
        if removed.excepted or added.excepted:
            raise DeltaUnfit("exceptions apply to the whole list, so all entries must be read")
        plus, minus = (self._made(one, transfer.serial, WHOLE) for one in (added, removed))
        if plus.normalised or minus.normalised:
            raise DeltaUnfit("entries with host bits must be counted, so all entries must be read")
        entries = changed(known.entries, minus.entries, plus.entries)
        if len(entries) > self._limits.max_entries:
            raise ListTooLong(f"more than {self._limits.max_entries:,} entries")
        others = known.other_records + plus.other_records - minus.other_records
        return evolve(plus, entries=entries, other_records=max(0, others))

    def _whole(self) -> PolicyList:
        return self._made_whole(self._transferred(AXFR, None))

    def _made_whole(self, transfer: TransferIn) -> PolicyList:
        collector = self._collector()
        add_parts(transfer.added, servers_of(transfer.added), collector)
        found = self._made(collector, transfer.serial, WHOLE)
        # Only a list of which nothing was left out can be brought forward by differences: else
        # what is left out would no longer be told, and what is excepted no longer be taken out.
        clean = not found.refused_count and not found.normalised and not found.excepted
        return found if clean else evolve(found, source=found.source.replace(WHOLE, PART))

    def _transferred(self, kind: int, known: int | None) -> TransferIn:
        number = self._session.ask(kind, known)
        most = self._limits.max_entries + _OTHER_RECORDS
        transfer = TransferIn(self._zone, number, most, known)
        try:
            table = self._session.receive()
        except Unanswered as error:
            if error.begun:
                raise
            # Some servers give a transfer only as the first question of a connection.  Hanging up is
            # no refusal: what a gateway cut off must not be taken for a name with few records.
            self._session.reopen()
            transfer.query_id = self._session.ask(kind, known)
            table = self._session.receive()
        while not transfer.feed(table):
            table = self._session.receive()
        self._session.check_signed()
        return transfer

    def _direct(self, why_no_transfer: str) -> PolicyList:
        trigger = is_rpz_trigger(self._zone)
        for _ in range(_TRIES):
            before, _is_zone = self._serial()
            collector = self._collector()
            for kind in _RPZ_TYPES if trigger else _TYPES:
                table = self._session.question(kind)
                # TC says nothing new over TCP; Knot answers SERVFAIL instead.
                if table.truncated or (before is not None and table.rcode == SERVFAIL):
                    raise ServerFault(
                        f"the list does not fit into one answer (64 KB){why_no_transfer}",
                        "allow zone transfers for this manager's address",
                    )
                self._check(table)
                own = self._action(table) if trigger else self._own(table)
                collector.add_records(table.message, own)
                if trigger and len(own):
                    break  # its name tells the network, and would tell it again
            if self._serial()[0] == before:
                return self._made(collector, before)
        raise ServerFault(f"{self._at} changed the list {_TRIES} times during the read")

    def _own(self, table: Table) -> Section:
        """Answers about the name itself or what it is an alias of."""
        own, names = {self._zone}, Names(table.message)
        for _ in range(_ALIASES):
            for record in table.answers:
                if record.type == CNAME and names.read(record.owner_at) in own:
                    own.add(names.read(record.rdata_at))
        return table.answers.pick(
            number
            for number, record in enumerate(table.answers)
            if record.type in _TYPES and names.read(record.owner_at) in own
        )

    def _action(self, table: Table) -> Section:
        """What a response policy says of the trigger that is asked for."""
        names = Names(table.message)
        return table.answers.pick(
            number
            for number, record in enumerate(table.answers)
            if record.type in _RPZ_TYPES and names.read(record.owner_at) == self._zone
        ).part(0, 1)

    def _check(self, table: Table) -> None:
        if table.rcode == REFUSED:
            raise ServerFault(
                f"{self._at} refused the query (REFUSED): it does not serve this address",
                "enter this network's public address in the device's entry of the portal",
                WAIT,
            )
        if table.rcode == NXDOMAIN:
            raise ServerFault(
                f"{self._at} has no such name (NXDOMAIN)", "check the list name", WAIT
            )
        if table.rcode:
            word = RCODES.get(table.rcode, f"response code {table.rcode}")
            raise ServerFault(f"{self._at} failed to answer ({word})", "try again later")

    def _collector(self) -> Collector:
        return Collector(self._limits.max_entries, lambda: self._session.out_of_time)

    def _made(self, collector: Collector, serial: int | None, how: str = PART) -> PolicyList:
        return collector.to_list(
            self._name, serial=serial, fetched_at=self._now, source=f"{how}{self._at}"
        )
