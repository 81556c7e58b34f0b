"""
The HTTP interface of the simulated firewall, which needs no agent.
"""

from typing import Any

import pytest
import pytest_twisted
import requests
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from tests.simulator.simulator_client import GROUPS, Client
from tscm.simulator.service import AsaOptions, SimulatedAsa


async def ask(client: Client, method: str, path: str, text: str = "") -> requests.Response:
    root = client.asa.api_url.removesuffix("/api")

    def send() -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            session.verify = str(client.asa.certificate_path)
            return session.request(
                method,
                root + path,
                data=text.encode(),
                auth=client.auth,
                headers=client.headers,
                timeout=60,
            )

    answer: requests.Response = await deferToThread(send)
    return answer


@pytest_twisted.ensureDeferred
async def test_a_platform_without_an_agent_takes_commands_in_the_path_and_lines_in_a_post() -> None:
    asa = SimulatedAsa(reactor, AsaOptions(password="secret", profile="FPR-1010"))
    asa.startService()
    client = Client(asa)
    assert (await client.get(GROUPS)).status_code == 404
    shown = await ask(client, "GET", "/admin/exec/show%20version/show%20clock")
    assert shown.headers["Content-type"] == "text/plain"
    assert "Software Version 9.18(2)" in shown.text

    lines = [f" network-object host 11.0.{n >> 8}.{n & 255}" for n in range(2000)]
    done = await ask(client, "POST", "/admin/config", "\n".join(["object-group network G", *lines]))
    assert done.status_code == 200
    assert done.text.startswith("Cryptochecksum (changed): ")
    assert done.text.endswith("\nConfig OK\n")
    assert len(asa.configuration.groups["G"].members) == 2000
    assert (await ask(client, "GET", "/admin/config")).text == asa.device.running_config()
    await asa.stopService()


@pytest_twisted.ensureDeferred
async def test_a_wrong_line_prints_its_error_and_the_others_are_taken(client: Client) -> None:
    text = (
        "object-group network A\n network-object host 192.0.2.1\n network-object host 192.0.2.1\n"
    )
    done = await ask(client, "POST", "/admin/config", text)
    assert "object already exists" in done.text
    assert len(client.asa.configuration.groups["A"].members) == 1
    again = await ask(client, "POST", "/admin/config", "object-group network A\n")
    assert again.text.startswith("Cryptochecksum (unchanged): ")
    refused = await ask(client, "GET", "/admin/exec/no%20object-group%20network%20A")
    assert "% Invalid input" in refused.text
    assert "A" in client.asa.configuration.groups


@pytest_twisted.ensureDeferred
async def test_it_answers_whatever_ails_the_agent_which_reads_anew_afterwards(
    client: Client,
) -> None:
    client.asa.kill_agent()
    assert (await client.get(GROUPS)).status_code == 500
    text = "object-group network A\n network-object host 192.0.2.1\n"
    assert (await ask(client, "POST", "/admin/config", text)).status_code == 200
    assert client.asa.device.outside_changes == 1
    client.asa.revive_agent()
    assert [one["name"] for one in (await client.get(GROUPS)).json()["items"]] == ["A"]
    assert client.asa.device.outside_changes == 0


@pytest.mark.parametrize(
    ("changes", "line", "status"),
    [
        ({}, "", 200),
        ({"agent": "ASDM"}, "", 200),
        ({"agent": "curl"}, "", 401),
        ({"agent": "curl"}, "http server basic-auth-client curl", 200),
        ({"auth": ("admin", "wrong")}, "", 401),
        ({"auth": None}, "", 401),
        ({"auth": ("low", "secret")}, "username low password secret privilege 5", 403),
    ],
    ids=str,
)
@pytest_twisted.ensureDeferred
async def test_who_may_ask(client: Client, changes: dict[str, Any], line: str, status: int) -> None:
    if line:
        client.asa.type_lines([line])
    client.auth = changes.get("auth", client.auth)
    client.headers["User-Agent"] = changes.get("agent", "REST API Agent")
    assert (await ask(client, "GET", "/admin/exec/show%20clock")).status_code == status
    assert (await ask(client, "GET", "/admin/config")).status_code == status


@pytest_twisted.ensureDeferred
async def test_nothing_else_is_there(client: Client) -> None:
    for method, path in (("GET", "/admin"), ("GET", "/admin/exec"), ("POST", "/admin/exec/x")):
        assert (await ask(client, method, path)).status_code == 404


@pytest_twisted.ensureDeferred
async def test_the_commands_of_one_path_are_one_session_and_a_plus_is_a_blank(
    client: Client,
) -> None:
    shown = await ask(client, "GET", "/admin/exec/show+version")
    assert "Software Version" in shown.text
    path = "/admin/exec/conf+t/logging%20host%20management%20127.0.0.1%20udp%2f9/end/sh+run+logging"
    done = await ask(client, "GET", path)
    assert "logging host management 127.0.0.1 17/9\n" in done.text
    assert client.asa.device.outside_changes == 1
    assert "% Invalid input" in (await ask(client, "GET", "/admin/exec/hostname+other")).text
    assert client.asa.device.hostname == "ciscoasa"


@pytest_twisted.ensureDeferred
async def test_a_request_line_without_end_ends_the_connection(client: Client) -> None:
    with pytest.raises(requests.exceptions.ConnectionError):
        await ask(client, "GET", "/admin/exec/" + "a" * 20_000)
    assert "UTC" in (await ask(client, "GET", "/admin/exec/show+clock")).text


@pytest_twisted.ensureDeferred
async def test_a_body_of_brackets_is_no_json(client: Client) -> None:
    url, ca = client.asa.api_url + "/cli", str(client.asa.certificate_path)

    def send() -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            return session.post(
                url,
                data=b"[" * 100_000,
                auth=client.auth,
                headers=client.headers,
                verify=ca,
                timeout=60,
            )

    assert (await deferToThread(send)).status_code == 400
