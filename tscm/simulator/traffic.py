"""
What the firewall says of the packets that pass it: 106100, 106023, 302013 and their kin.

Pure: packets and the time go in, messages and counts come out (templates: docs/develop/asa.md, section 8).
An entry with `log` is reported by flow: the first hit at once, later ones by interval; an
entry that denies without `log`, and the implicit deny, give 106023.
"""

from collections import Counter
from collections.abc import Iterable
from zlib import crc32

from attrs import define, field

from tscm.simulator.access_list import Ace
from tscm.simulator.device import Device
from tscm.simulator.matching import Flow, Matcher, Packet, Verdict, number_of
from tscm.simulator.outcome import Connection, LoggedFlow, Outcome
from tscm.simulator.shuns import dropped
from tscm.simulator.syslog_form import Message

ALERT_INTERVAL = 300.0
SEARCH = "object-group-search access-control"
_MAX_CONNECTIONS = 500_000


@define(eq=False)
class Traffic:
    """
    Flow cache, connections and their numbers.
    """

    device: Device
    matcher: Matcher = field(init=False)
    _flows: dict[tuple[int, Flow], LoggedFlow] = field(factory=dict, init=False)
    _denied_flows: int = field(default=0, init=False)
    _alerted_at: float = field(default=float("-inf"), init=False)
    _connections: dict[Flow, Connection] = field(factory=dict, init=False)
    _number: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self.matcher = Matcher(self.device.configuration)

    def serve(self, device: Device) -> None:
        """Look packets up in another unit's configuration from now on."""
        self.device = device
        self.matcher = Matcher(device.configuration)

    def run(
        self,
        packets: Iterable[Packet],
        now: float,
        *,
        admit: bool = True,
        close: bool = True,
        why: str = "TCP FINs",
    ) -> Outcome:
        """
        Pass *packets*; *admit* False refuses new connections, *close* tears down at the end.

        *why* is the reason of teardowns of TCP.
        """
        outcome = Outcome()
        built: list[Flow] = []
        for packet in packets:
            outcome.packets += 1
            if packet.source in self.device.shuns:
                outcome.denied += 1
                text = (packet.source, packet.destination, packet.interface)
                outcome.messages.append(dropped(*text))
                continue
            key = packet.flow
            held = self._connections.get(key)
            if held is not None:
                held.bytes += packet.size
                outcome.permitted += 1
                continue
            verdict = self.matcher.find(packet)
            if verdict.ace is not None:
                self._count(outcome, verdict.ace, packet)
            self._log(outcome, verdict, packet, now)
            if not verdict.permitted:
                outcome.denied += 1
            elif not admit:
                outcome.refused += 1
                outcome.messages.append(Message("201008", 3, "Disallowing new connections."))
            else:
                outcome.permitted += 1
                if self._build(outcome, packet, now):
                    built.append(key)
        if close:
            for key in built:
                self._tear_down(outcome.messages, key, now, why)
        return outcome

    # -- counting ------------------------------------------------------------

    def _count(self, outcome: Outcome, ace: Ace, packet: Packet) -> None:
        outcome.entries[str(ace)] += 1
        self.device.hits[ace.hash] = self.device.hits.get(ace.hash, 0) + 1
        for end, address in ((ace.source, packet.source), (ace.destination, packet.destination)):
            if end.kind == "group":
                outcome.hits[end.value] += 1
                outcome.addresses.setdefault(end.value, Counter())[address] += 1

    # -- access-lists --------------------------------------------------------

    def _log(self, outcome: Outcome, verdict: Verdict, packet: Packet, now: float) -> None:
        ace = verdict.ace
        if ace is not None and ace.log:
            self._log_flow(outcome, ace, packet, now)
        elif not verdict.permitted and verdict.acl is not None:
            if ace is not None and ace.log_disabled:
                return
            outcome.messages.append(self._deny(verdict, packet))

    def _deny(self, verdict: Verdict, packet: Packet) -> Message:
        source, target = (
            f"{packet.interface}:{packet.source}",
            f"{packet.leaves_by}:{packet.destination}",
        )
        tail = ""
        if packet.protocol in ("icmp", "icmp6"):
            tail = f" (type {packet.sport}, code {packet.dport})"
        elif packet.protocol in ("tcp", "udp", "sctp"):
            source, target = f"{source}/{packet.sport}", f"{target}/{packet.dport}"
        text = f"Deny {packet.protocol} src {source} dst {target}{tail} by access-group "
        return Message("106023", 4, f'{text}"{verdict.acl}" {self._hashes(verdict.ace, packet)}')

    def _hashes(self, ace: Ace | None, packet: Packet) -> str:
        """The entry's hash, and that of the one that it was expanded to for this address."""
        if ace is None:
            return "[0x0, 0x0]"
        expanded = 0
        # With object-group-search entries are not expanded by member.
        if ace.groups and SEARCH not in self.device.configuration.plain:
            starts = []
            for end, address in (
                (ace.source, packet.source),
                (ace.destination, packet.destination),
            ):
                if end.kind == "group":
                    number, family = number_of(address)
                    starts.append(str(self.matcher.addresses(end).start_of(number, family)))
            expanded = crc32("/".join(starts).encode(), ace.hash)
        return f"[0x{ace.hash:08x}, 0x{expanded:x}]"

    def _log_flow(self, outcome: Outcome, ace: Ace, packet: Packet, now: float) -> None:
        flow = self._flows.get((ace.hash, packet.flow))
        if flow is not None:
            flow.hits += 1
            return
        denied = ace.action == "deny"
        if denied and self._cache_is_full():
            outcome.unlogged += 1
            if now - self._alerted_at >= ALERT_INTERVAL:
                self._alerted_at = now
                limit = self._deny_flow_max()
                text = f"Number of cached deny-flows for ACL log has reached limit ({limit})."
                outcome.messages.append(Message("106101", 1, text))
            return
        verb = "denied" if denied else "permitted"
        words = (
            f"access-list {ace.name} {verb} {packet.protocol} "
            f"{packet.interface}/{packet.source}({packet.sport}) -> "
            f"{packet.leaves_by}/{packet.destination}({packet.dport}) hit-cnt "
        )
        tail = self._hashes(ace, packet)
        first = 1 if self.device.switches.interval_counts_first else 0
        self._flows[(ace.hash, packet.flow)] = LoggedFlow(
            words, tail, denied, ace.level, ace.interval, now + ace.interval, first
        )
        self._denied_flows += denied
        outcome.messages.append(Message("106100", ace.level, f"{words}1 first hit {tail}"))

    def _deny_flow_max(self) -> int:
        for line in self.device.configuration.plain:
            if line.startswith("access-list deny-flow-max "):
                return int(line.split()[2])
        return int(self.device.switches.deny_flow_max)

    def _cache_is_full(self) -> bool:
        limit = self._deny_flow_max()
        return bool(limit) and self._denied_flows >= limit

    def tick(self, now: float) -> list[Message]:
        """Interval lines that are due; a flow without a hit in its interval is forgotten."""
        found: list[Message] = []
        for key, flow in list(self._flows.items()):
            if now < flow.due:
                continue
            if flow.hits:
                count = flow.hits + flow.again
                text = f"{flow.words}{count} {flow.interval}-second interval {flow.tail}"
                found.append(Message("106100", flow.level, text))
                flow.hits = flow.again = 0
                flow.due += flow.interval * (1 + int((now - flow.due) // flow.interval))
            else:
                del self._flows[key]
                self._denied_flows -= flow.denied
        return found

    def end_intervals(self, now: float) -> list[Message]:
        """Every interval line now, as if its time had come; the cache is empty afterwards."""
        for flow in self._flows.values():
            flow.due = now
        found = self.tick(now)
        self._flows.clear()
        self._denied_flows = 0
        return found

    @property
    def next_due(self) -> float | None:
        """When `tick` has something to do; None while the cache is empty."""
        return min((flow.due for flow in self._flows.values()), default=None)

    # -- connections ---------------------------------------------------------

    def _build(self, outcome: Outcome, packet: Packet, now: float) -> bool:
        if len(self._connections) >= _MAX_CONNECTIONS:
            return False
        inbound = packet.interface == "outside"
        near = (packet.interface, packet.source, packet.sport)
        far = (packet.leaves_by, packet.destination, packet.dport)
        first, second = (near, far) if inbound else (far, near)
        way = "inbound" if inbound else "outbound"
        self._number += 1
        if packet.protocol == "icmp":
            foreign, local = first[1], second[1]
            ends = f"faddr {foreign}/0 gaddr {local}/0 laddr {local}/0"
            outcome.messages.append(Message("302020", 6, f"Built {way} ICMP connection for {ends}"))
        elif packet.protocol in ("tcp", "udp"):
            ends = f"for {_end(first)} to {_end(second)}"
            spoken = f"for {_end(first)} ({_bare(first)}) to {_end(second)} ({_bare(second)})"
            number = "302013" if packet.protocol == "tcp" else "302015"
            text = f"Built {way} {packet.protocol.upper()} connection {self._number} {spoken}"
            outcome.messages.append(Message(number, 6, text))
        else:
            return False
        self._connections[packet.flow] = Connection(
            self._number, packet.protocol, ends, now, packet.size
        )
        return True

    def _tear_down(
        self, messages: list[Message], key: Flow, now: float, why: str = "TCP FINs"
    ) -> None:
        gone = self._connections.pop(key)
        seconds = int(now - gone.started)
        if gone.protocol == "icmp":
            messages.append(Message("302021", 6, f"Teardown ICMP connection for {gone.ends}"))
            return
        duration = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        tcp = gone.protocol == "tcp"
        text = (
            f"Teardown {gone.protocol.upper()} connection {gone.number} {gone.ends} "
            f"duration {duration} bytes {gone.bytes}"
        )
        messages.append(
            Message("302014" if tcp else "302016", 6, text + (f" {why}" if tcp else ""))
        )

    def tear_down_all(self, now: float) -> list[Message]:
        """End every connection that is still open."""
        messages: list[Message] = []
        for key in list(self._connections):
            self._tear_down(messages, key, now)
        return messages

    def forget(self) -> None:
        """What a reload does to flows and connections: they are gone, unsaid."""
        self._flows.clear()
        self._connections.clear()
        self._denied_flows = 0


def _end(end: tuple[str, str, int]) -> str:
    return f"{end[0]}:{end[1]}/{end[2]}"


def _bare(end: tuple[str, str, int]) -> str:
    return f"{end[1]}/{end[2]}"
