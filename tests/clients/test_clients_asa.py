"""
Clients that nobody here wrote, on the simulated firewall: they know ASAs, and find one.

They come from the dependency groups `clients` and `clients-more`, which no part of the product needs.
"""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor as global_reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from tests.faults.probes import thorough
from tscm.simulator.service import AsaOptions, SimulatedAsa

reactor: Any = global_reactor
quiet = pytest.mark.filterwarnings("ignore")  # what others warn of is not ours
MEMBERS = [f"network-object 10.0.{number}.0 255.255.255.0" for number in range(40)]
HERE = "127.0.0.1"


def client(name: str, group: str = "clients") -> Any:
    return pytest.importorskip(name, reason=f"needs {name} - the dependency group {group}")


@pytest_twisted.async_yield_fixture()
async def asa() -> AsyncIterator[SimulatedAsa]:
    options = AsaOptions(password="secret", ssh=(HERE, 0))
    service = SimulatedAsa(reactor, options)
    service.startService()
    service.type_lines(["banner motd ciscoasa# is watched >"])
    yield service
    await service.stopService()


def beside(work: Callable[[], None]) -> "Deferred[None]":
    return deferToThread(work)


@quiet
@pytest.mark.parametrize("unasked", ["nothing", "syslog"])
@pytest_twisted.ensureDeferred
async def test_netmiko_configures_a_group_reads_it_and_saves(
    asa: SimulatedAsa, unasked: str
) -> None:
    netmiko = client("netmiko")
    asa.set_switches({"ssh_unasked": unasked, "ssh_algorithms": "9.16"})

    def work() -> None:
        session = netmiko.ConnectHandler(
            device_type="cisco_asa",
            host=HERE,
            port=asa.ssh_port,
            username="admin",
            password="secret",
            secret="secret",
        )
        assert session.find_prompt() == "ciscoasa#"
        session.send_config_set(["object-group network G", *MEMBERS])
        shown = session.send_command("show running-config object-group")
        assert all(f" {line}" in shown for line in MEMBERS)
        assert "[OK]" in session.save_config()
        session.disconnect()

    await beside(work)
    assert list(asa.configuration.groups["G"].members) == MEMBERS
    assert not asa.device.unsaved


@quiet
@pytest.mark.parametrize("release", ["modern", "8.4", "9.4", "9.12", "9.16"])
@pytest_twisted.ensureDeferred
async def test_asyncssh_logs_in_by_the_algorithms_of_each_release(
    asa: SimulatedAsa, release: str
) -> None:
    asyncssh = client("asyncssh")
    import asyncio

    asa.set_switches({"ssh_algorithms": release})
    old = {
        "kex_algs": "+diffie-hellman-group1-sha1,diffie-hellman-group14-sha1",
        "encryption_algs": "+aes256-cbc,aes128-cbc,3des-cbc",
        "server_host_key_algs": "+ssh-rsa",
    }

    async def said(out: Any, end: str) -> str:
        text = ""
        while not text.endswith(end):
            more = await asyncio.wait_for(out.read(4096), 60)
            assert more, text
            text += more
        return text

    async def talk() -> str:
        way = {"username": "admin", "password": "secret", "known_hosts": None, **old}
        async with asyncssh.connect(HERE, asa.ssh_port, config=None, **way) as connection:
            process = await connection.create_process(term_type="vt100")
            await said(process.stdout, "ciscoasa> ")
            process.stdin.write("enable\n")
            await said(process.stdout, "Password: ")
            process.stdin.write("secret\n")
            await said(process.stdout, "ciscoasa# ")
            process.stdin.write("show mode\n")
            return await said(process.stdout, "ciscoasa# ")

    def work() -> None:
        assert "Security context mode: single" in asyncio.run(talk())

    await beside(work)


@quiet
@thorough
@pytest_twisted.ensureDeferred
async def test_napalm_finds_an_asa_behind_the_agent(asa: SimulatedAsa) -> None:
    napalm = client("napalm", "clients-more")
    client("napalm_asa", "clients-more")
    asa.set_switches({"user_agent_gate": "off"})  # as on the releases that it was written for

    def work() -> None:
        options = {"port": asa.port}
        device = napalm.get_network_driver("asa")(HERE, "admin", "secret", optional_args=options)
        device.open()
        facts = device.get_facts()
        assert (facts["vendor"], facts["hostname"]) == ("Cisco Systems", "ciscoasa")
        assert "hostname ciscoasa" in device.get_config()["running"]
        assert device.get_interfaces_ip()["GigabitEthernet0/1"]["ipv4"]
        device.close()
        assert asa.device.tokens.issued == 1
        assert len(asa.device.tokens) == 0

    await beside(work)
