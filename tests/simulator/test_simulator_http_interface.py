"""
The HTTP interface of the simulated firewall, which needs no agent.
"""

from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

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
        ({"agent": "curl"}, "", 400),
        ({"agent": "curl", "auth": ("admin", "wrong")}, "", 400),
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


XML = (
    '<?xml version="1.0" encoding="ISO-8859-1"?>'
    '<config-data config-action="merge" errors="continue">{}</config-data>'
)


async def post_xml(client: Client, *lines: str) -> requests.Response:
    client.headers["Content-Type"] = "text/xml"
    commands = "".join(f'<cli id="{at}">{escape(line)}</cli>' for at, line in enumerate(lines))
    answer = await ask(client, "POST", "/admin/config", XML.format(commands))
    del client.headers["Content-Type"]
    return answer


@pytest_twisted.ensureDeferred
async def test_lines_in_xml_are_answered_by_what_each_of_them_printed(client: Client) -> None:
    lines = ["object-group network A", *["network-object host 192.0.2.1"] * 2, "nonsense & more"]
    answer = await post_xml(client, *lines, "show curpriv")
    assert answer.headers["Content-type"] == "text/xml"
    assert answer.text.startswith('<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n<!DOC')
    found = [
        (one.get("id"), one.get("type"), (one.text or "").splitlines()[0])
        for one in ET.fromstring(answer.content).iter("error-info")
    ]
    assert [one[:2] for one in found] == [("2", "error"), ("3", "error"), ("4", "info")]
    assert "object already exists" in found[0][2]
    assert found[2][2] == "Username : admin"
    assert len(client.asa.configuration.groups["A"].members) == 1
    silent = await post_xml(client, "object-group network A", "network-object host 192.0.2.2")
    assert (silent.status_code, silent.content) == (200, b"")
    assert (await post_xml(client)).content == b""


@pytest.mark.parametrize(("position", "status"), [("refused", 400), ("text", 200)])
@pytest_twisted.ensureDeferred
async def test_a_box_that_knows_no_xml_takes_none_of_it(
    client: Client, position: str, status: int
) -> None:
    client.asa.set_switches({"http_xml": position})
    answer = await post_xml(client, "object-group network A", "network-object host 192.0.2.1")
    assert answer.status_code == status
    assert "A" not in client.asa.configuration.groups
    assert (status == 400) or "% Invalid input" in answer.text


@pytest.mark.parametrize(("position", "wanted"), [("blank", True), ("plus", False)])
@pytest_twisted.ensureDeferred
async def test_what_a_plus_is(client: Client, position: str, wanted: bool) -> None:
    client.asa.set_switches({"http_plus": position})
    shown = await ask(client, "GET", "/admin/exec/show+version")
    assert ("Software Version" in shown.text) == wanted
    assert "UTC" in (await ask(client, "GET", "/admin/exec/show%20clock")).text


async def log_in(client: Client, **changes: str) -> requests.Response:
    client.auth = None
    client.headers |= {
        "User-Agent": "ASDM/ Java/1.8.0_131",
        "Cookie": "tg=0RGVmYXVsdEFETUlOR3JvdXA=; webvpnlogin=1",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    form = {"username": "admin", "password": "secret", "tgroup": "DefaultADMINGroup"}
    answer = await ask(
        client, "POST", "/+webvpn+/index.html", urlencode({**form, "Login": "Login", **changes})
    )
    client.headers["Cookie"] = f"webvpn={answer.cookies.get('webvpn')}"
    return answer


@pytest_twisted.ensureDeferred
async def test_the_form_gives_a_cookie_by_which_any_agent_may_ask(client: Client) -> None:
    wrong = await log_in(client, password="wrong")
    assert (wrong.status_code, "<form>" in wrong.text, len(wrong.cookies)) == (200, True, 0)
    await log_in(client)
    client.headers["User-Agent"] = "curl"
    assert "UTC" in (await ask(client, "GET", "/admin/exec/show%20clock")).text
    await ask(client, "GET", "/+webvpn+/webvpn_logout.html")
    assert "<form>" in (await ask(client, "GET", "/admin/exec/show%20clock")).text


@pytest.mark.parametrize(("position", "status"), [("login-page", 200), ("401", 401)])
@pytest_twisted.ensureDeferred
async def test_a_cookie_ends_with_its_time_and_with_a_reload(
    client: Client, position: str, status: int
) -> None:
    client.asa.set_switches({"http_form_over": position, "http_form_seconds": 0})
    await log_in(client)
    client.asa.device.save(0.0)
    client.asa.reload()
    assert (await ask(client, "GET", "/admin/config")).status_code == status
    client.asa.set_switches({"http_form_login": False})
    assert (await log_in(client)).status_code == 404


@pytest_twisted.ensureDeferred
async def test_a_post_that_takes_too_long_is_cut_off_and_what_it_did_stays(client: Client) -> None:
    client.asa.set_switches({"http_line_seconds": 0.01, "http_timeout_seconds": 0.3})
    lines = [f"network-object host 192.0.2.{n}" for n in range(60)]
    with pytest.raises(requests.exceptions.ConnectionError):
        await post_xml(client, "object-group network A", *lines)
    assert len(client.asa.configuration.groups["A"].members) == 29


@pytest.mark.parametrize(
    ("kind", "status", "body", "done"),
    [
        ("200-empty", 200, "", True),
        ("garbled", 200, "\x00<\x01>", True),
        ("half-body", 200, "<?xml", True),
        ("200-html", 200, "<html>", False),
        ("500", 500, "<html>", False),
        ("500-after", 500, "<html>", True),
    ],
)
@pytest_twisted.ensureDeferred
async def test_its_answers_can_be_spoilt(
    client: Client, kind: str, status: int, body: str, done: bool
) -> None:
    client.asa.agent.faults.arm(kind, only="POST /admin")
    answer = await post_xml(client, "object-group network A", "show clock")
    assert (answer.status_code, answer.text.startswith(body)) == (status, True)
    assert ("A" in client.asa.configuration.groups) == done
