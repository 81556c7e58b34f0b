"""
The embedded policy service: lists as DNS zones, over TCP alone (RFC 7766), to registered addresses.

Answered are SOA, the list's own records where they fit one answer, AXFR and IXFR; what is asked from an
address that no entry registers is refused.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger

from tscm.base.host_port import HostPort
from tscm.base.http_places import Held, room_for
from tscm.base.listening import bind_all, places_of
from tscm.base.threads import Threads
from tscm.model import Json
from tscm.policy.records import APL, IN, NS, SOA
from tscm.services import dns_answer
from tscm.services.counter import Counter
from tscm.services.dns_answer import RCODES, answer, bare_answer
from tscm.services.dns_question import (
    ANY,
    AXFR,
    IXFR,
    QUERY,
    Question,
    QuestionDamaged,
    opcode_of,
    read_question,
)
from tscm.services.places import Place, PlaceBounds, Places, network_of
from tscm.services.policy_connection import PolicyConnection, PolicyFactory
from tscm.services.registry import Registry
from tscm.services.zone_files import ZoneFiles
from tscm.services.zones import DIRECT_BYTES, TTL, Zone, differences, record, transfer

BOUNDS = PlaceBounds(most=512, by_address=64, strangers=64, by_stranger=8)
"""A stranger is told REFUSED and nothing else, for which few places will do."""
_TOO_LARGE = "the list does not fit into an answer; transfer the zone (AXFR)"


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
    places: Places = field(init=False)
    _ports: list[IListeningPort] = field(factory=list, init=False)
    _protocols: dict[PolicyConnection, None] = field(factory=dict, init=False)
    """In the order in which they came."""

    def __attrs_post_init__(self) -> None:
        self.registry = Registry(self._portal, self._reactor, self._threads)
        self.zones = ZoneFiles(self._portal, self._reactor, self._threads)
        self.places = Places(BOUNDS)
        self.answered = Counter("policy_service_answers", "Answers by kind.", ("kind",))

    def privilegedStartService(self) -> None:
        """Bind; raises `ListenerUnavailable`."""
        super().privilegedStartService()
        self._ports = bind_all(
            lambda port, host: self._reactor.listenTCP(port, PolicyFactory(self), interface=host),
            self._listen,
            "policy queries",
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

    def place(self, peer: str) -> Place | None:
        """A place for one more connection of *peer*, if there is room; one that asks nothing may have to go."""
        known = self.registry.registers(peer)
        place = self.places.take(peer, known=known)
        if place is None and self._one_leaves(peer, known=known):
            place = self.places.take(peer, known=known)
        return place

    def _one_leaves(self, peer: str, *, known: bool) -> bool:
        """End the oldest connection that is not answered just now, of those that take the place of *peer*'s."""
        rivals = [
            Held(one, network_of(one.place.address, known=one.place.known), one.answering)
            for one in self._protocols
            if known or not one.place.known
        ]
        room = room_for(network_of(peer, known=known), rivals, *self.places.bounds.of(known=known))
        if room.leaves is not None:
            self.answered.add("made room")
            self.places.leave(room.leaves.place)
            del self._protocols[room.leaves]
            room.leaves.hang_up()
        return room.free

    def connected(self, protocol: PolicyConnection) -> None:
        """A connection begins."""
        self._protocols[protocol] = None

    def disconnected(self, protocol: PolicyConnection) -> None:
        """A connection has ended."""
        self._protocols.pop(protocol, None)
        self.places.leave(protocol.place)

    def figures(self) -> Json:
        """Answers by kind, and the lists."""
        answers = {labels[0]: count for labels, count in self.answered}
        return {"answers": answers, "lists": self.zones.figures()}

    async def respond(self, message: bytes, peer: str) -> Iterator[bytes]:
        """
        The messages that answer *message*, of at least a header's length, made as they are taken.

        The address comes first: of a stranger's message nothing is read but what its refusal repeats.
        """
        if not self.registry.registers(peer):
            await self.registry.look_for_stranger()
            if not self.registry.registers(peer):
                return self._bare(message, dns_answer.REFUSED)
        if opcode_of(int.from_bytes(message[2:4], "big")) != QUERY:
            return self._bare(message, dns_answer.NOTIMP)
        try:
            question = read_question(message)
        except QuestionDamaged:
            return self._bare(message, dns_answer.FORMERR)
        if question.signature is not None:
            # Addresses are what is registered here; there are no keys.
            return self._coded(question, dns_answer.NOTAUTH)
        if question.cls != IN:
            return self._coded(question, dns_answer.REFUSED)
        if question.edns is not None and question.edns.version > 0:
            return self._coded(question, dns_answer.BADVERS)
        await self.zones.look_again()
        return self._about_zone(question)

    def _about_zone(self, question: Question) -> Iterator[bytes]:
        name = question.text
        zone, kind = self.zones.zone(name), question.kind
        if kind in {AXFR, IXFR}:
            if zone is None:
                return self._coded(question, dns_answer.NOTAUTH)
            since = question.known_serial
            if since is not None:
                found = differences(zone, since, question.id, question.asked)
                if found is not None:
                    self.answered.add("differences")
                    return found
            self.answered.add("transfer")
            return transfer(zone, question.id, question.asked)
        if zone is None and self.zones.is_faulty(name):
            return self._coded(question, dns_answer.SERVFAIL)
        if zone is None:
            return self._coded(question, dns_answer.NXDOMAIN, self.zones.holds(name))
        return self._direct(question, zone)

    def _direct(self, question: Question, zone: Zone) -> Iterator[bytes]:
        if question.kind == APL and zone.apl_bytes > DIRECT_BYTES:
            self.answered.add("too large")
            return iter([answer(question, authoritative=True, truncated=True, hint=_TOO_LARGE)])
        self.answered.add("answer")
        found: list[bytes] = []
        if question.kind in {SOA, ANY}:
            found = [record(SOA, zone.soa)]
        elif question.kind == NS:
            found = [record(NS, zone.ns)]
        elif question.kind == APL:
            found = [record(APL, one) for one in zone.apl]
        without = () if found else (record(SOA, zone.soa),)
        return iter([answer(question, authoritative=True, answers=found, authorities=without)])

    def _coded(self, question: Question, rcode: int, within: Zone | None = None) -> Iterator[bytes]:
        self.answered.add(RCODES[rcode])
        told: tuple[bytes, ...] = ()
        if within is not None:
            told = (dns_answer.record(within.owner, SOA, TTL, within.soa),)
        return iter([answer(question, rcode, authoritative=within is not None, authorities=told)])

    def _bare(self, message: bytes, rcode: int) -> Iterator[bytes]:
        self.answered.add(RCODES[rcode])
        return iter([bare_answer(message, rcode)])
