"""
The whole product around one simulated firewall, in this process: what the doctor walks along.
"""

from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.internet import reactor as installed
from twisted.internet.defer import maybeDeferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from tscm.base.host_port import HostPort
from tscm.base.threads import Threads
from tscm.demo.proxy import ConnectProxy
from tscm.demo.siem import Siem
from tscm.doctor import examine_alone
from tscm.kinds.asa.lines import access_list_lines
from tscm.manager.service import NodeService
from tscm.model import Json, Progress
from tscm.operations.arguments import (
    Asked,
    ChangedDevice,
    Device,
    NewDevice,
    Nothing,
    Push,
)
from tscm.operations.call import Actor
from tscm.operations.operation import Operation
from tscm.operations.states import device_state
from tscm.operations.table.devices import ADD, CHANGE
from tscm.operations.table.doctor import DOCTOR, DOCTOR_DEVICE
from tscm.operations.table.events import REPORT
from tscm.operations.table.policies import UPDATE
from tscm.services.entries import PortalEntry, add_entry, list_file
from tscm.services.log_service import LogService
from tscm.services.policy_service import PolicyService
from tscm.settings.layout import Layout
from tscm.simulator.matching import Packet
from tscm.simulator.outlets import Target
from tscm.simulator.service import AsaOptions, SimulatedAsa
from tscm.wire.writing import as_json

reactor: Any = installed
HERE = "127.0.0.1"
PASSWORD = "s3cret"
LISTED = "20.9.9.9"


def quiet(_: Progress) -> None:
    pass


@define(eq=False, repr=False)  # a failed test would write the whole manager out
class World:
    """
    Manager, lists, log service, proxy, SIEM and firewall; `add`, `push` and `protect` bring them together.
    """

    folder: Path
    layout: Layout = field(init=False)
    threads: Threads = field(init=False)
    entry: PortalEntry = field(init=False)
    policy: PolicyService = field(init=False)
    logs: LogService = field(init=False)
    siem: Siem = field(init=False)
    proxy: ConnectProxy = field(init=False)
    node: NodeService = field(init=False)
    asa: SimulatedAsa = field(init=False)
    running: list[str] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.layout = Layout(self.folder / "root")
        self.threads = Threads(reactor, 4, "test")
        self.siem, self.proxy = Siem(reactor), ConnectProxy(reactor, "demo", "open sesame")

    async def start(self, protocol: str = "udp", profile: str = "ASAv10", intake: str = "") -> None:
        self.threads.startService()
        portal = self.folder / "portal"
        self.entry = add_entry(
            portal,
            nickname="fw",
            address=HERE,
            block_list="block.example",
            allow_list="allow.example",
        )
        self.publish(LISTED)
        list_file(portal, "allow.example").write_text("20.1.0.0/24\n")
        self.policy = PolicyService(reactor, self.threads, portal, [HostPort(HERE, 0)])
        self.logs = LogService(reactor, self.threads, portal, [HostPort(HERE, 0)])
        for service in (self.policy, self.logs):
            service.privilegedStartService()
            service.startService()
        self.siem.come_back()
        self.proxy.start()
        self.layout.settings_file.parent.mkdir(parents=True)
        self.layout.settings_file.write_text(
            f'address = "{HERE}"\n[listen]\nudp = ["{HERE}:0"]\ntcp = ["{HERE}:0"]\n[intake]\n{intake}\n'
            f'[policy]\nservers = ["{self.policy.addresses()[0]}"]\ntimeout_seconds = 5\n'
            f"allow_special = true\n[spool]\nmin_free_mb = 1\n"
            f'[upload]\nurl = "https://{self.logs.addresses()[0]}"\n'
            f'ca_file = "{self.logs.certificate}"\ntimeout_seconds = 5\n'
        )
        self.node = NodeService.from_files(self.layout, reactor)
        self.node.privilegedStartService()
        self.node.startService()
        port = int(self.node.intake.addresses()[protocol][0].rpartition(":")[2])
        options = AsaOptions(
            username="admin",
            password=PASSWORD,
            profile=profile,
            syslog=(Target(protocol, HERE, port),),
        )
        self.asa = SimulatedAsa(reactor, options)
        self.asa.switches.trace_logs = False  # the harder of the two: nothing comes by itself
        self.asa.startService()
        self.running = ["asa", "node", "policy", "logs"]

    def publish(self, *entries: str) -> None:
        """New content of the block list."""
        texts = "".join(f"{one}\n" for one in entries)
        list_file(self.folder / "portal", "block.example").write_text(texts)

    async def ask(self, operation: Operation[Any, Any], args: Any) -> Any:
        """As the control interface asks."""
        _, work = self.node.calls.start(operation, args, Actor(name="tester"))
        answer = await work
        return answer if isinstance(answer, dict) else as_json(answer)

    async def change(self, **settings: Any) -> None:
        """As `tsadmin configure`."""
        await self.ask(CHANGE, ChangedDevice(name="fw", settings=settings))

    @property
    def syslog_port(self) -> int:
        return self.asa.options.syslog[0].port

    async def add(self, **changes: Any) -> None:
        """As `tsadmin add`."""
        table: Json = {
            "name": "fw",
            "device_id": self.entry.device_id,
            "device": HERE,
            "rest_url": self.asa.api_url,
            "fingerprint": self.asa.fingerprint,
            "username": "admin",
            "password": PASSWORD,
            "block_list": "block.example",
            "allow_list": "allow.example",
            "prefix": "X",
            "policy_updates": True,
            "syslog_forward": True,
            "forward_address": HERE,
            "forward_port": self.siem.port,
            "forward_protocol": "TCP",
            "log_proxy": f"http://{HERE}:{self.proxy.port}",
            "log_proxy_user": "demo",
            "log_proxy_password": "open sesame",
            "upload_key": self.entry.device_key.reveal() if self.entry.device_key else None,
            **changes,
        }
        await self.ask(ADD, NewDevice(settings=table))

    async def push(self) -> None:
        """The groups, and the access-lists that `add` prints."""
        await self.ask(UPDATE, Push(name="fw"))
        self.type(
            *access_list_lines("X-Block", "X-Allow"),
            "access-list global_access extended permit ip any any",
            "access-group global_access global",
        )
        await self.ask(UPDATE, Push(name="fw"))  # it sees that they use the groups

    async def hit(self) -> None:
        """A packet to a listed address, and its line here and counted."""
        packet = Packet(source="10.0.0.7", destination=LISTED, interface="inside")
        self.asa.passage.send([packet])
        for _ in range(200):
            figures = device_state(self.node.parts, "fw")
            asked = await self.ask(REPORT, Asked(name="fw"))
            if (
                figures.log is not None
                and figures.log.last_received_at is not None
                and asked["hits"]
            ):
                return
            await deferLater(reactor, 0.05, lambda: None)
        raise AssertionError(f"no line of the hit arrived: {figures.log}")

    def type(self, *lines: str) -> None:
        """Lines that an operator types on the firewall; none may be refused."""
        printed = self.asa.type_lines(lines)
        assert not any("ERROR" in one or "not allowed" in one for one in printed), printed

    async def stop(self, name: str) -> None:
        """End one part of the world."""
        self.running.remove(name)
        await getattr(self, name).stopService()

    async def end(self) -> None:
        for name in list(self.running):
            await self.stop(name)
        await self.siem.go_away()
        await maybeDeferred(self.proxy.stop)
        await self.threads.stopService()

    # -- the doctor -----------------------------------------------------------

    async def doctor(self, name: str | None = "fw") -> dict[str, Json]:
        """Findings by link."""
        if name is None:
            return by_link(await self.ask(DOCTOR, Nothing()))
        found = await self.ask(DOCTOR_DEVICE, Device(name=name))
        return by_link(found)

    async def doctor_alone(self, name: str | None = "fw") -> dict[str, Json]:
        """Findings without a manager."""
        if name is None:
            found = await deferToThread(examine_alone.doctor_node, self.layout, quiet)
            return by_link(as_json(found))
        found = await deferToThread(examine_alone.doctor_device, self.layout, name, quiet)
        return by_link(as_json(found))


def by_link(found: Json) -> dict[str, Json]:
    links = [one["link"] for one in found["findings"]]
    assert len(set(links)) == len(links), links
    return {one["link"]: one for one in found["findings"]}


def not_good(found: dict[str, Json]) -> dict[str, str]:
    """Links that are not good, with their verdicts."""
    return {link: one["verdict"] for link, one in found.items() if one["verdict"] != "ok"}
