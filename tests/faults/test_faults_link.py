"""
A link that swallows packets, and a name that stops resolving: in a network namespace of its own.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from attrs import define, field

from tests.faults.fault_world import LISTEN, World
from tests.faults.probes import done, need_namespaces, thorough
from tests.manager.manager_process import Manager

PORT = 5514
NAME = "siem.faults.example"
NETWORKS = list(IPv4Network("10.213.0.0/16").subnets(new_prefix=29))


def free_network() -> IPv4Network:
    """One that no interface of this host has, beginning with that of our process id."""
    first = os.getpid() % len(NETWORKS)
    for network in NETWORKS[first:] + NETWORKS[:first]:
        taken = subprocess.run(
            ["ip", "-o", "-4", "address", "show", "to", str(network)],
            capture_output=True,
            check=True,
        )
        if not taken.stdout:
            return network
    pytest.fail("every network for tests is in use")


@define(eq=False)
class Link:
    """
    A pair of interfaces, one end in a namespace in which a SIEM listens.

    Names and addresses are this run's own: another may go on beside it.
    """

    folder: Path
    name: str = field(factory=lambda: f"tscm-{os.getpid()}")
    _network: IPv4Network = field(factory=free_network)
    _siem: "subprocess.Popen[bytes] | None" = None

    @property
    def here(self) -> str:
        return str(self._network[1])

    @property
    def there(self) -> str:
        return str(self._network[2])

    @property
    def nobody(self) -> str:
        """An address on the link that no host has."""
        return str(self._network[3])

    def up(self) -> None:
        pair = f"tf{os.getpid()}"  # 11 characters at most, and an interface may have 15
        for command in (
            f"ip netns add {self.name}",
            f"ip link add {pair}a type veth peer name {pair}b netns {self.name}",
            f"ip address add {self.here}/29 dev {pair}a",
            f"ip link set {pair}a up",
            f"ip -n {self.name} address add {self.there}/29 dev {pair}b",
            f"ip -n {self.name} link set {pair}b up",
            f"ip -n {self.name} link set lo up",
        ):
            assert done(*command.split()) == "", command
        self._siem = subprocess.Popen(
            [
                *("ip", "netns", "exec", self.name, sys.executable),
                str(Path(__file__).with_name("siem_process.py")),
                *(self.there, str(PORT), str(self.got)),
            ],
            stdout=subprocess.PIPE,
        )
        assert self._siem.stdout is not None
        assert self._siem.stdout.readline() == b"ready\n"

    def down(self) -> None:
        if self._siem is not None:
            self._siem.kill()
            self._siem.wait()
            assert self._siem.stdout is not None
            self._siem.stdout.close()
        done("ip", "netns", "del", self.name)  # takes the pair of interfaces with it

    def cut(self) -> None:
        """Packets vanish; nobody is told."""
        for rule in (
            "add table inet cut",
            "add chain inet cut in { type filter hook input priority 0 ; policy drop ; }",
            "add chain inet cut out { type filter hook output priority 0 ; policy drop ; }",
        ):
            assert done("ip", "netns", "exec", self.name, "nft", rule) == "", rule

    def heal(self) -> None:
        assert done("ip", "netns", "exec", self.name, "nft", "delete table inet cut") == ""

    @property
    def got(self) -> Path:
        return self.folder / "got"

    def lines(self) -> list[bytes]:
        with contextlib.suppress(FileNotFoundError):
            return [one.partition(b" ")[2] for one in self.got.read_bytes().splitlines()]
        return []

    def connections(self) -> int:
        return len({one.partition(b" ")[0] for one in self.got.read_bytes().splitlines()})


@pytest.fixture
def link(tmp_path: Path) -> Iterator[Link]:
    need_namespaces()
    one = Link(tmp_path)
    try:
        one.up()
        yield one
    finally:
        one.down()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    one = Manager(tmp_path / "node", LISTEN)
    yield one
    one.stop()


@thorough
def test_a_half_open_link_is_noticed_and_nothing_is_missing_after_it(
    link: Link, manager: Manager
) -> None:
    world = World(manager)
    world.add("fw-one", PORT, forward_address=link.there)
    manager.start()
    world.send("fw-one", 500)
    world.until(lambda: len(link.lines()) == 500)
    link.cut()
    world.send("fw-one", 500)
    world.until(lambda: "has accepted nothing for" in world.forward_of("fw-one")["sentence"])
    # 60 s without a word (TCP_USER_TIMEOUT) end the connection; the next is tried in vain.
    world.until(lambda: world.forward_of("fw-one")["state"] != "connected", 90)
    world.until(lambda: world.forward_of("fw-one")["last_error"] is not None)
    assert world.ledger()["devices"]["fw-one"]["readers"]["forward"]["waiting"] >= 500
    link.heal()
    world.send("fw-one", 100)
    world.settle()
    world.until(lambda: set(manager.lines("fw-one")) <= set(link.lines()))
    assert link.connections() == 2
    assert world.verdict(link.lines(), broken=1) == ()
    assert world.ledger()["balanced"]


@thorough
def test_a_name_that_stops_resolving_leaves_the_last_good_address_in_use(
    link: Link, manager: Manager
) -> None:
    """The manager has a hosts file and a resolv.conf of its own, which a namespace gives it."""
    hosts = Path("/etc/netns") / link.name
    made = not hosts.parent.exists()
    hosts.mkdir(parents=True)
    try:
        (hosts / "hosts").write_text(f"127.0.0.1 localhost\n{link.there} {NAME}\n")
        # Nobody answers there: every look-up that the hosts file does not end takes its time.
        (hosts / "resolv.conf").write_text(
            f"nameserver {link.nobody}\noptions timeout:2 attempts:2\n"
        )
        manager.prefix = ["ip", "netns", "exec", link.name]
        world = World(manager)
        world.add("fw-one", PORT, forward_address=NAME)
        manager.start()
        # The manager lives in the namespace: it is sent to from there.
        send(link, manager, world, 100)
        world.until(lambda: len(link.lines()) == 100)
        (hosts / "hosts").write_text("127.0.0.1 localhost\n")
        restart_siem(link)
        send(link, manager, world, 100)
        world.until(lambda: len(set(link.lines())) == 200)
        assert world.ledger()["balanced"]
    finally:
        for path in hosts.iterdir():
            path.unlink()
        hosts.rmdir()
        if made:
            with contextlib.suppress(OSError):  # another run has its own in there
                hosts.parent.rmdir()


def restart_siem(link: Link) -> None:
    """Every connection ends, so that the name is asked for again."""
    assert link._siem is not None
    link._siem.kill()
    link._siem.wait()
    assert link._siem.stdout is not None
    link._siem.stdout.close()
    link._siem = subprocess.Popen(link._siem.args, stdout=subprocess.PIPE)
    assert link._siem.stdout is not None
    assert link._siem.stdout.readline() == b"ready\n"


def send(link: Link, manager: Manager, world: World, count: int) -> None:
    from tests.soak.players import line

    first = len(world.issued["fw-one"])
    lines = [line("fw-one", first + n) for n in range(count)]
    world.issued["fw-one"] += lines
    port = manager.port("udp")
    code = (
        "import socket, sys\n"
        "out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "out.bind(('127.0.0.2', 0))\n"
        f"[out.sendto(one, ('127.0.0.1', {port})) for one in sys.stdin.buffer.read().splitlines()]\n"
    )
    subprocess.run(
        ["ip", "netns", "exec", link.name, sys.executable, "-c", code],
        input=b"\n".join(lines),
        check=True,
    )
