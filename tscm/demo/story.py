"""
The story of the demonstration, chapter by chapter.  Every figure comes from the part that counted it.
"""

from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.internet.defer import CancelledError, gatherResults
from twisted.internet.threads import deferToThread

from tscm.demo.asking import Asking, OpenBackend
from tscm.demo.lists import ALLOW_LIST, BLOCK_LIST, allow_entries, block_entries, list_text
from tscm.demo.proxy import ConnectProxy
from tscm.demo.pulling import DENIED, PullingFirewall
from tscm.demo.screen import Screen
from tscm.demo.siem import Siem
from tscm.demo.stage import HOST, Firewall, Stage
from tscm.demo.ways import Way, ssh_lacks, ways
from tscm.errors import TscmError
from tscm.ledger.figures import Balance
from tscm.model import Json
from tscm.operations.arguments import NewDevice
from tscm.operations.table.devices import ADD
from tscm.services.entries import PortalEntry
from tscm.settings.files import write_private
from tscm.syslog.asa import REPORTED_IDS, is_policy_line, parse
from tscm.update.figures import PlanFigures

PREFIX = "Demo"
PACKETS = 4_000
BLOCK_SHARE = 0.2
ALLOW_SHARE = 0.05
DISTINCT = 60
ADDED, REMOVED = 40, 25
TOP = 10


@define(eq=False)
class Story:
    """
    Plays on a stage; what blocks goes into threads, what serves lives in the reactor.
    """

    _reactor: Any
    stage: Stage
    screen: Screen
    open_backend: OpenBackend
    ask: Asking = field(init=False)
    siem: Siem = field(init=False)
    proxy: ConnectProxy = field(init=False)
    hits: Counter[str] = field(factory=Counter, init=False)
    list_folder: Path = field(init=False)
    ways: dict[str, Way] = field(factory=dict, init=False)
    """By the names of the firewalls."""
    puller: PullingFirewall = field(init=False)
    blocked: list[str] = field(factory=list, init=False)
    """What the block list holds now."""
    _places: Mapping[str, str] = field(factory=dict, init=False)
    """Where the manager takes lines and serves lists."""
    _seed: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self.siem = Siem(self._reactor)
        self.proxy = ConnectProxy(self._reactor, "demo", "open sesame")
        self.list_folder = self.stage.layout.portal / "lists"
        self.puller = PullingFirewall(self.stage)
        self.ask = Asking(self._reactor, self.stage, self.screen, self.open_backend)

    async def play(self) -> None:
        """All chapters; raises what goes wrong."""
        await self._set_up()
        await self._add_devices()
        await self._push("The lists are pushed", first=True)
        await self._configure_firewalls()
        await self._traffic("Traffic")
        await self._change_lists()
        await self._trouble()
        await self._upload()
        await self._balance()

    # -- chapters ---------------------------------------------------------------

    async def _set_up(self) -> None:
        self.screen.chapter("Services, a SIEM, a proxy and firewalls on loopback")
        self.blocked = block_entries()
        self._write_list(BLOCK_LIST, self.blocked)
        self._write_list(ALLOW_LIST, allow_entries())
        self.siem.come_back()
        self.proxy.start()
        stage = self.stage
        for number, way in enumerate(ways(), 1):
            self.ways[way.name] = way
            stage.register(way.name, way.address, number)
        self.puller.register()
        logs = deferToThread(stage.start_logs)
        try:
            servers = await deferToThread(stage.start_policy)
        except (CancelledError, TscmError):
            logs.addErrback(
                lambda _: None
            )  # told to end, or not needed: it is reported nowhere else
            raise
        url, ca_file = await logs
        await deferToThread(stage.start_manager, servers, url, ca_file)
        status = await self.ask.when_manager_is_up()
        places = {"udp": status.listeners["udp"][0], "tcp": status.listeners["tcp"][0]}
        self._places = {**places, "lists": status.lists[0]}
        await gatherResults(
            [
                deferToThread(self._start, one, self.ways[one.name], places)
                for one in stage.firewalls
            ],
            consumeErrors=True,
        )
        self.screen.note(f"policy service on {servers} (DNS over TCP), log service at {url}")
        self.screen.note(
            f"SIEM on TCP {HOST}:{self.siem.port}, CONNECT proxy on {HOST}:{self.proxy.port}"
        )
        self.screen.note(
            f"manager takes syslog on UDP {places['udp']} and TCP {places['tcp']}; UDP is read by: "
            f"{status.intake.udp_path}"
        )
        for firewall in stage.firewalls:
            shown = self.ways[firewall.name].shown(firewall)
            self.screen.note(f"{firewall.name}: {shown}, logs to {firewall.syslog}")
        self.screen.note(
            f"{self.puller.name}: pulls its list from {self._places['lists']}, logs to udp://{places['udp']}"
        )
        lacks = ssh_lacks()
        if lacks is not None:
            self.screen.note(f"no firewall is reached by SSH, which needs {lacks}")

    def _start(self, firewall: Firewall, way: Way, places: Mapping[str, str]) -> None:
        syslog = f"{way.protocol}://{places[way.protocol]}"
        self.stage.start_firewall(firewall, syslog, way.header, ssh=way.type == "asa")

    async def _add_devices(self) -> None:
        self.screen.chapter("The devices are added, as with `tsadmin add`")
        for firewall in self.stage.firewalls:
            await self._add(
                {
                    "name": firewall.name,
                    "type": self.ways[firewall.name].type,
                    "device": firewall.address,
                    **self.ways[firewall.name].options(firewall),
                    "prefix": PREFIX,
                    "username": "admin",
                    "password": firewall.password,
                    "object_group_size": 5_000,
                },
                firewall.entry,
            )
        await self._add(self.puller.options(), self.puller.register())

    async def _add(self, own: Json, entry: PortalEntry) -> None:
        options = {
            **own,
            "device_id": entry.device_id,
            "block_list": BLOCK_LIST,
            "allow_list": ALLOW_LIST,
            "max_policy_size": 20_000,
            "log_rotate_size": 100,
            "syslog_forward": True,
            "forward_address": HOST,
            "forward_port": self.siem.port,
            "forward_protocol": "TCP",
            "log_proxy": f"http://{HOST}:{self.proxy.port}",
            "log_proxy_user": self.proxy.user,
            "log_proxy_password": self.proxy.password,
            "upload_key": entry.device_key.reveal() if entry.device_key else "",
        }
        asked = NewDevice(settings=options)
        added = await deferToThread(
            partial(self.ask.backend().call, ADD, asked, self.screen.progress)
        )
        check, who = added.check, added.check.identity
        shown = f"{who.model} {who.version}" if who.model else "a firewall that pulls"
        self.screen.note(
            f"{own['name']}: {shown}, block list {check.block_entries:,} entries, allow list "
            f"{check.allow_entries:,}"
        )

    async def _push(self, title: str, *, first: bool) -> None:
        self.screen.chapter(title)
        outcomes = await gatherResults(
            [deferToThread(self.ask.update, one) for one in self.stage.firewalls],
            consumeErrors=True,
        )
        for firewall, outcome in zip(self.stage.firewalls, outcomes, strict=True):
            said = outcome.traffic
            self.screen.note(
                f"{outcome.sentence}; {said.requests:,} requests or lines, {said.sent:,} bytes sent"
            )
            plan = outcome.plan or PlanFigures()
            lists = [one for one in (outcome.block, outcome.allow) if one is not None]
            if first:
                self.screen.check(
                    f"{firewall.name}: entries fetched and pushed",
                    ("fetched", sum(one.published for one in lists)),
                    ("pushed", plan.added),
                )
            else:
                self.screen.check(
                    f"{firewall.name}: entries added",
                    ("in the list", ADDED),
                    ("sent", plan.added),
                )
                self.screen.check(
                    f"{firewall.name}: entries removed",
                    ("in the list", REMOVED),
                    ("sent", plan.removed),
                )
            held = await deferToThread(self.ask.held, firewall)
            self.screen.check(
                f"{firewall.name}: entries in its groups",
                ("desired", sum(one.desired for one in lists)),
                ("in the running configuration", held),
            )

        await self._pull()

    async def _pull(self) -> None:
        """What is published for the firewall that pulls is what lies in the list, and it is known who took it."""
        outcome = await deferToThread(self.ask.update, self.puller)
        self.screen.note(outcome.sentence)
        pulled = await deferToThread(self.puller.pull, self._places["lists"])
        self.screen.check(
            f"{self.puller.name}: entries",
            ("in the list", len(self.blocked)),
            ("pulled", len(pulled)),
            ("pulled and in the list", len(set(pulled) & set(self.blocked))),
        )

    async def _configure_firewalls(self) -> None:
        self.screen.chapter("The access-lists that `add` printed are entered on the firewalls")
        lines = [
            f"access-list global_access extended permit ip object-group {PREFIX}-Allow any log",
            f"access-list global_access extended permit ip any object-group {PREFIX}-Allow log",
            f"access-list global_access extended deny ip object-group {PREFIX}-Block any log",
            f"access-list global_access extended deny ip any object-group {PREFIX}-Block log",
            "access-list global_access extended permit ip any any",
            "access-group global_access global",
            "logging permit-hostdown",
            "logging queue 0",
        ]
        for firewall in self.stage.firewalls:
            said = [
                text for text in await deferToThread(firewall.type_lines, lines) if text.strip()
            ]
            self.screen.expect(
                f"{firewall.name}: access-lists in place",
                holds=not said,
                told=said[0].strip() if said else f"{len(lines)} lines",
            )

    async def _traffic(self, title: str) -> None:
        self.screen.chapter(title)
        for firewall in self.stage.firewalls:
            self._seed += 1
            body = {
                "generate": {
                    "seed": self._seed,
                    "count": PACKETS,
                    "block": [f"group:{PREFIX}-Block"],
                    "allow": [f"group:{PREFIX}-Allow"],
                    "block_share": BLOCK_SHARE,
                    "allow_share": ALLOW_SHARE,
                    "distinct": DISTINCT,
                }
            }
            told = await deferToThread(firewall.control, "POST", "traffic", body)
            hits = told["hits"]
            self.hits.update(hits)
            for address, count in told["addresses"].get(f"{PREFIX}-Block", {}).items():
                self.hits[f"address {address}"] += count
            self.screen.note(
                f"{firewall.name}: {told['packets']:,} packets, {hits.get(f'{PREFIX}-Block', 0):,} blocked and "
                f"{hits.get(f'{PREFIX}-Allow', 0):,} allowed by the lists, {told['lines']:,} lines sent"
            )

        lines = await deferToThread(self.puller.send, self._places["udp"], self.blocked, self._seed)
        self.screen.note(
            f"{self.puller.name}: {DENIED:,} packets blocked by the list, {lines:,} lines sent"
        )

    async def _change_lists(self) -> None:
        blocked = block_entries()
        kept = blocked[REMOVED:]
        fresh = [f"89.{n}.7.1" for n in range(ADDED)]
        self.blocked = [*kept, *fresh]
        self._write_list(BLOCK_LIST, self.blocked)
        await self._push(
            (
                f"The block list changes: {ADDED} entries added, {REMOVED} removed; only the "
                "difference is sent"
            ),
            first=False,
        )

    async def _trouble(self) -> None:
        self.screen.chapter("SIEM and log service stop; traffic continues; both return")
        await self.siem.go_away()
        await deferToThread(self.stage.logs.stop)
        await self._traffic_quietly()
        waiting = await self.ask.poll(self.ask.waiting, lambda found: found > 0)
        self.screen.expect(
            "backlog on disk for the SIEM", holds=waiting > 0, told=f"{waiting:,} lines"
        )
        failed = await deferToThread(self.ask.upload_fails)
        self.screen.expect(
            "an upload without a log service reports the cause", holds=bool(failed), told=failed
        )
        self.siem.come_back()
        await deferToThread(self.stage.start_logs)
        waiting = await self.ask.poll(self.ask.waiting, lambda found: found == 0)
        self.screen.expect(
            "the SIEM has caught up", holds=waiting == 0, told=f"backlog of {waiting:,} lines"
        )

    async def _traffic_quietly(self) -> None:
        await self._traffic("… traffic meanwhile")

    async def _upload(self) -> None:
        self.screen.chapter(
            "Logs are rotated and uploaded through the proxy, as with `tsadmin logs`"
        )
        for firewall in self.stage.firewalls:
            outcome = await deferToThread(self.ask.logs, firewall)
            self.screen.note(f"{firewall.name}: {outcome.sentence}")
        outcome = await deferToThread(self.ask.logs, self.puller)
        self.screen.note(f"{self.puller.name}: {outcome.sentence}")
        self.screen.expect(
            "uploads went through the proxy with its password",
            holds=self.proxy.tunnels > 0,
            told=f"{self.proxy.tunnels} tunnels",
        )

    async def _balance(self) -> None:
        self.screen.chapter("The ledger")
        ledger = await deferToThread(self.ask.ledger)
        forwarded = Counter(self.siem.lines)
        uploaded = 0
        for firewall in self.stage.firewalls:
            counts = await self.ask.counts(firewall)
            row = ledger.devices[firewall.name]
            stored = await deferToThread(self.ask.stored_lines, firewall)
            here = sum((Counter(stored) & forwarded).values())
            self.screen.check(
                f"{firewall.name}: lines",
                ("sent by the firewall", counts["lines_sent"]),
                ("stored", row.stored),
                ("forwarded", row.readers["forward"].sent),
                ("found at the SIEM", here),
            )
            policy = [line for line in stored if is_policy_line(line)]
            there = await deferToThread(self.stage.uploaded_lines, firewall.entry)
            sent = sum(count for one, count in counts["lines_by_id"].items() if one in REPORTED_IDS)
            self.screen.check(
                f"{firewall.name}: policy lines",
                ("sent by the firewall", sent),
                ("stored", len(policy)),
                ("uploaded", row.readers["upload"].sent),
                ("on the log service's disk", len(there)),
            )
            self.screen.expect(
                f"{firewall.name}: uploaded lines are the stored ones",
                holds=Counter(there) == Counter(policy),
                told="byte for byte",
            )
            uploaded += _hits_in(there)
        await self._balance_puller(ledger, forwarded)
        self.screen.check(
            "all lines at the SIEM",
            ("received", len(self.siem.lines)),
            ("stored", sum(row.stored for row in ledger.devices.values())),
        )
        self.screen.expect(
            "the manager's own ledger",
            holds=ledger.balanced,
            told=f"{ledger.received:,} received = {ledger.stored_since_start:,} stored + {ledger.dropped:,} dropped",
        )
        await self._top(uploaded)

    async def _balance_puller(self, ledger: Balance, forwarded: "Counter[bytes]") -> None:
        puller, row = self.puller, ledger.devices[self.puller.name]
        stored = await deferToThread(self.ask.stored_lines, puller)
        self.screen.check(
            f"{puller.name}: lines",
            ("sent by the firewall", puller.sent),
            ("stored", row.stored),
            ("forwarded", row.readers["forward"].sent),
            ("found at the SIEM", sum((Counter(stored) & forwarded).values())),
        )
        there = await deferToThread(self.stage.uploaded_lines, puller.register())

        async def counted() -> int:
            return (await self.ask.report(puller, action="blocked")).hits

        self.screen.check(
            f"{puller.name}: denied by the list",
            ("by the firewall", puller.denied),
            ("uploaded", row.readers["upload"].sent),
            ("on the log service's disk", len(there)),
            ("counted by the manager", await self.ask.poll(counted, lambda n: n >= puller.denied)),
        )

    async def _top(self, hits: int) -> None:
        seen = self.hits[f"{PREFIX}-Block"] + self.hits[f"{PREFIX}-Allow"]
        counted = await self.ask.poll(self.ask.counted, lambda found: found >= seen)
        self.screen.check(
            "policy hits",
            ("seen in traffic", seen),
            ("in uploaded lines", hits),
            ("counted by the manager", counted),
        )
        self.screen.chapter("Top blocked addresses, as with `tsadmin report`")
        blocked: Counter[str] = Counter()
        for firewall in self.stage.firewalls:
            for row in (await self.ask.report(firewall, action="blocked")).rows:
                blocked[row["outside"]] += row["hits"]
        rows = [
            (address, count, self.hits[f"address {address}"])
            for address, count in blocked.most_common(TOP)
        ]
        self.screen.table(("address", "blocked", "(as the firewalls counted)"), rows)
        self.screen.check(
            "hits of the top ten",
            ("from the logs", sum(row[1] for row in rows)),
            ("from the firewalls", sum(row[2] for row in rows)),
        )

    def _write_list(self, name: str, entries: list[str]) -> None:
        write_private(self.list_folder / f"{name}.txt", list_text(entries))


def _hits_in(lines: list[bytes]) -> int:
    """What the lines of one firewall come to: the first interval line of a flow says its first hit again."""
    hits, begun = 0, set[str]()
    for line in lines:
        event = parse(line)
        assert event is not None
        hits += event.hit_count or 1
        if event.flow and event.interval_seconds is None:
            begun.add(event.flow)
        elif event.flow in begun:
            begun.remove(event.flow)
            hits -= 1
    return hits
