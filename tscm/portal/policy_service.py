"""
The embedded policy service: lists as DNS zones, over TCP alone (RFC 7766), to registered addresses.

Answered are SOA, the list's own records where they fit one answer, AXFR and IXFR; what is asked from an
address that no entry registers is refused.
"""

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger

from tscm.listening import bind_all, places_of
from tscm.metrics import Counter
from tscm.model import Json
from tscm.policy.records import APL, IN, NS, SOA
from tscm.portal.policy_connection import PolicyConnection, PolicyFactory
from tscm.portal.registry import Registry
from tscm.portal.zone_files import ZoneFiles
from tscm.portal.zones import DIRECT_BYTES, TTL, Zone, differences, transfer
from tscm.settings.values import HostPort
from tscm.threads import Threads

MAX_CONNECTIONS = 512
MAX_PER_ADDRESS = 64
_ANY, _AXFR, _IXFR = 255, 252, 251
_HEADER_OCTETS = 12
_TOO_LARGE = "the list is larger than an answer can hold: transfer the zone (AXFR)"


@define(eq=False)
class PolicyService(Service):
    """
    Listens on every address of *listen*; entries and lists lie under *portal* (`Layout.portal`).

    *threads* is the caller's, and must outlive the service.
    """

    log: ClassVar[Logger] = Logger()

    _reactor: Any
    _threads: Threads
    _portal: Path
    _listen: Sequence[HostPort]
    registry: Registry = field(init=False)
    zones: ZoneFiles = field(init=False)
    answered: Counter = field(init=False)
    open: dict[str, int] = field(factory=dict, init=False)
    _ports: list[IListeningPort] = field(factory=list, init=False)
    _protocols: set[PolicyConnection] = field(factory=set, init=False)

    def __attrs_post_init__(self) -> None:
        self.registry = Registry(self._portal, self._reactor, self._threads)
        self.zones = ZoneFiles(self._portal, self._reactor, self._threads)
        self.answered = Counter("policy_service_answers", "Answers by kind.", ("kind",))

    def privilegedStartService(self) -> None:
        """Bind; raises `ListenerUnavailable`."""
        super().privilegedStartService()
        self._ports = bind_all(
            lambda port, host: self._reactor.listenTCP(port, PolicyFactory(self), interface=host),
            self._listen,
            "policy questions",
        )

    def addresses(self) -> list[str]:
        """The bound addresses, with the ports that the kernel chose."""
        return places_of(self._ports)

    def startService(self) -> None:
        """Begin to look at entries and lists; the first question waits for the first look."""
        super().startService()
        self.registry.startService()
        self.zones.startService()

    def stopService(self) -> Deferred[None]:
        """Stop listening and hang up; fires when all connections are gone."""
        super().stopService()
        stopped: list[Deferred[Any]] = [maybeDeferred(port.stopListening) for port in self._ports]
        stopped += [self.registry.stopService(), self.zones.stopService()]
        for protocol in list(self._protocols):
            stopped.append(protocol.gone)
            protocol.hang_up()
        ended: Deferred[None] = Deferred()
        DeferredList(stopped).addCallback(lambda _: ended.callback(None))
        return ended

    def connected(self, protocol: PolicyConnection) -> None:
        """A connection begins."""
        self._protocols.add(protocol)
        self.open[protocol.peer] = self.open.get(protocol.peer, 0) + 1

    def disconnected(self, protocol: PolicyConnection) -> None:
        """A connection has ended."""
        self._protocols.discard(protocol)
        left = self.open.get(protocol.peer, 1) - 1
        if left:
            self.open[protocol.peer] = left
        else:
            self.open.pop(protocol.peer, None)

    def has_room(self, peer: str) -> bool:
        """Whether *peer* may open one more; half of the places are kept for registered addresses."""
        taken = len(self._protocols)
        most = MAX_CONNECTIONS if self.registry.registers(peer) else MAX_CONNECTIONS // 2
        return taken < most and self.open.get(peer, 0) < MAX_PER_ADDRESS

    def figures(self) -> Json:
        """Answers by kind, and the lists."""
        answers = {labels[0]: count for labels, count in self.answered}
        return {"answers": answers, "lists": self.zones.figures()}

    async def respond(self, wire: bytes, peer: str) -> Iterator[bytes]:
        """
        The messages that answer *wire*, made as they are taken.
        """
        number, flags = struct.unpack_from(">HH", wire)
        if dns.opcode.from_flags(flags) != dns.opcode.QUERY:
            return self._plain(number, flags, dns.rcode.NOTIMP)
        try:
            query = dns.message.from_wire(wire)
        except dns.message.UnknownTSIGKey:
            # Addresses are what is registered here; there are no keys (RFC 8945, 5.2.1).
            return self._plain(number, flags, dns.rcode.NOTAUTH)
        except (dns.exception.DNSException, ValueError):
            return self._plain(number, flags, dns.rcode.FORMERR)
        if len(query.question) != 1:
            return self._plain(number, flags, dns.rcode.FORMERR)
        if not self.registry.registers(peer):
            await self.registry.look_again()
        if not self.registry.registers(peer) or query.question[0].rdclass != IN:
            return self._coded(query, dns.rcode.REFUSED)
        if query.edns > 0:
            return self._coded(query, dns.rcode.BADVERS)
        await self.zones.look_again()
        return self._about_zone(query, wire)

    def _about_zone(self, query: dns.message.Message, wire: bytes) -> Iterator[bytes]:
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        zone, kind = self.zones.zone(name), question.rdtype
        if kind in {_AXFR, _IXFR}:
            if zone is None:
                return self._coded(query, dns.rcode.NOTAUTH)
            asked = wire[_HEADER_OCTETS : _HEADER_OCTETS + len(question.name.to_wire() or b"") + 4]
            since = _known_serial(query) if kind == _IXFR else None
            if since is not None:
                found = differences(zone, since, query.id, asked)
                if found is not None:
                    self.answered.add("differences")
                    return found
            self.answered.add("transfer")
            return transfer(zone, query.id, asked)
        if zone is None and self.zones.is_faulty(name):
            return self._coded(query, dns.rcode.SERVFAIL)
        if zone is None:
            return self._coded(query, dns.rcode.NXDOMAIN, self.zones.holds(name))
        return self._direct(query, zone)

    def _direct(self, query: dns.message.Message, zone: Zone) -> Iterator[bytes]:
        kind = query.question[0].rdtype
        found: Sequence[bytes] = ()
        if kind in {SOA, NS, _ANY}:
            found = (zone.ns,) if kind == NS else (zone.soa,)
        response = _response(query)
        response.flags |= dns.flags.AA
        if kind == APL:
            found = zone.apl
            if zone.apl_bytes > DIRECT_BYTES:
                self.answered.add("too large")
                response.flags |= dns.flags.TC
                if query.edns >= 0:
                    hint = dns.edns.EDEOption(dns.edns.EDECode.OTHER, _TOO_LARGE)
                    response.use_edns(0, 0, 65535, options=[hint])
                return iter([response.to_wire(max_size=65535)])
        self.answered.add("answer")
        if found:
            _add(response.answer, query.question[0].name, SOA if kind == _ANY else kind, found)
        else:
            _add(response.authority, query.question[0].name, SOA, (zone.soa,))
        return iter([response.to_wire(max_size=65535)])

    def _coded(
        self, query: dns.message.Message, rcode: dns.rcode.Rcode, within: Zone | None = None
    ) -> Iterator[bytes]:
        self.answered.add(dns.rcode.to_text(rcode))
        response = _response(query)
        response.set_rcode(rcode)
        if within is not None:
            response.flags |= dns.flags.AA
            _add(response.authority, dns.name.from_text(within.name), SOA, (within.soa,))
        return iter([response.to_wire(max_size=65535)])

    def _plain(self, number: int, flags: int, rcode: dns.rcode.Rcode) -> Iterator[bytes]:
        """A bare header: for what could not be read."""
        self.answered.add(dns.rcode.to_text(rcode))
        kept = flags & 0x7900  # opcode and RD
        return iter([struct.pack(">HHHHHH", number, 0x8000 | kept | rcode, 0, 0, 0, 0)])


def _known_serial(query: dns.message.Message) -> int | None:
    """The serial that an IXFR question names (RFC 1995, 3)."""
    for rrset in query.authority:
        if rrset.rdtype == SOA and len(rrset):
            return int(rrset[0].serial)
    return None


def _response(query: dns.message.Message) -> dns.message.Message:
    return dns.message.make_response(query, our_payload=65535)


def _add(
    section: list[dns.rrset.RRset], name: dns.name.Name, kind: int, found: Sequence[bytes]
) -> None:
    # As plain octets: dnspython takes an APL record apart item by item, and puts it together again.
    rdtype = dns.rdatatype.RdataType(kind)
    rrset = dns.rrset.RRset(name, dns.rdataclass.IN, rdtype)
    for one in found:
        rrset.add(dns.rdata.GenericRdata(dns.rdataclass.IN, rdtype, one), TTL)
    section.append(rrset)
