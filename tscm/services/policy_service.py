"""
The embedded policy service: lists as DNS zones, over TCP alone (RFC 7766), to registered addresses.

Answered are SOA, the list's own records where they fit one answer, AXFR and IXFR.  By its address an asker
has the lists of all entries that register it, by a TSIG key (RFC 8945) those of the key's entry, from wherever
it asks; everything else is refused.  The node itself, by a loopback address that is registered, has every list.
"""

from collections.abc import Collection, Iterator, Sequence
from ipaddress import ip_address
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
    Signature,
    opcode_of,
    read_question,
)
from tscm.services.entries import PortalEntry
from tscm.services.notifier import Notifier
from tscm.services.places import Place, PlaceBounds, Places, network_of
from tscm.services.policy_connection import PolicyConnection, PolicyFactory
from tscm.services.registry import Registry
from tscm.services.tsig_door import BADTIME, Refused, Verified, check, told_late
from tscm.services.zone_files import ZoneFiles
from tscm.services.zones import DIRECT_BYTES, TTL, Zone, differences, record, transfer

BOUNDS = PlaceBounds(most=512, by_address=64, strangers=64, by_stranger=8)
"""A stranger is told REFUSED and nothing else, for which few places will do."""
_ADDITIONALS, _NONE = slice(10, 12), b"\0\0"
"""Where a header counts the records behind its question."""
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
    notifier: Notifier = field(init=False)
    places: Places = field(init=False)
    _ports: list[IListeningPort] = field(factory=list, init=False)
    _protocols: dict[PolicyConnection, None] = field(factory=dict, init=False)
    """In the order in which they came."""

    def __attrs_post_init__(self) -> None:
        self.registry = Registry(self._portal, self._reactor, self._threads)
        self.answered = Counter("policy_service_answers", "Answers by kind.", ("kind",))
        self.notifier = Notifier(self._reactor, self.registry.listeners_of, self.answered)
        self.zones = ZoneFiles(
            self._portal, self._reactor, self._threads, on_changed=self.notifier.changed
        )
        self.places = Places(BOUNDS)

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
        stopped += self.notifier.stop()
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

        The address comes first: of a stranger's message without a record behind its question, where a
        signature would stand, nothing is read but what its refusal repeats.
        """
        known = self.registry.registers(peer)
        if not known:
            await self.registry.look_for_stranger()
            known = self.registry.registers(peer)
        if not known and message[_ADDITIONALS] == _NONE:
            return self._bare(message, dns_answer.REFUSED)
        if opcode_of(int.from_bytes(message[2:4], "big")) != QUERY:
            return self._bare(message, dns_answer.NOTIMP if known else dns_answer.REFUSED)
        try:
            question = read_question(message)
        except QuestionDamaged:
            return self._bare(message, dns_answer.FORMERR if known else dns_answer.REFUSED)
        if question.signature is not None:
            return await self._signed(message, question, question.signature)
        if not known:
            return self._bare(message, dns_answer.REFUSED)
        lists = None if ip_address(peer).is_loopback else self.registry.lists_of(peer)
        return await self._asked(question, lists)

    async def _signed(
        self, message: bytes, question: Question, signature: Signature
    ) -> Iterator[bytes]:
        """Answer by the key of an entry: its own lists, and no others."""
        entry, checked = self._checked(message, signature)
        if isinstance(checked, Refused) and checked.error != BADTIME:
            # Its key may have been handed out just now, or rotated.
            await self.registry.look_for_stranger()
            entry, checked = self._checked(message, signature)
        if isinstance(checked, Verified) and entry is not None:
            return checked.signed(await self._asked(question, entry.lists))
        self.answered.add(RCODES[dns_answer.NOTAUTH])
        assert isinstance(checked, Refused)
        if checked.error == BADTIME:
            return iter([told_late(answer(question, dns_answer.NOTAUTH), checked)])
        return iter([answer(question, dns_answer.NOTAUTH, tsig_error=checked.error)])

    def _checked(
        self, message: bytes, signature: Signature
    ) -> tuple[PortalEntry | None, Verified | Refused]:
        entry = self.registry.entry_of_key(_text_of(signature.key))
        return entry, check(message, signature, None if entry is None else entry.tsig_secret)

    async def _asked(self, question: Question, lists: Collection[str] | None) -> Iterator[bytes]:
        """Answer who may have *lists*; None stands for all."""
        if question.cls != IN:
            return self._coded(question, dns_answer.REFUSED)
        if question.edns is not None and question.edns.version > 0:
            return self._coded(question, dns_answer.BADVERS)
        await self.zones.look_again()
        name = question.text
        within = self.zones.holds(
            name
        )  # or a name below another entry's list, whose SOA would be told
        there = name if self.zones.is_faulty(name) else within and within.name
        if lists is not None and there and there not in lists:
            return self._coded(question, dns_answer.REFUSED)
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


def _text_of(name: bytes) -> str:
    """A name on the wire as it is written; what no key is called comes out as no name at all."""
    labels, at = [], 0
    while length := name[at]:
        labels.append(name[at + 1 : at + 1 + length])
        at += 1 + length
    return b".".join(labels).decode("ascii", "replace")
