"""
Who gets in: Basic, tokens, the User-Agent rule, privileges, lock-out.
"""

from typing import Any

import pytest
import pytest_twisted
import requests
from twisted.internet import reactor

from tests.simulator.simulator_client import GROUPS, Client, group, host
from tscm.simulator.accounts import Accounts, Tokens
from tscm.simulator.service import AsaOptions, SimulatedAsa

TOKENS = "/tokenservices"


async def token_of(client: Client) -> str:
    answer = await client.post(TOKENS)
    assert answer.status_code == 204
    token: str = answer.headers["X-Auth-Token"]
    return token


def with_token(client: Client, token: str) -> Client:
    headers = {"User-Agent": "REST API Agent", "X-Auth-Token": token}
    return Client(client.asa, auth=None, headers=headers)


@pytest_twisted.ensureDeferred
async def test_a_token_works_until_it_is_given_back_by_basic(client: Client) -> None:
    token = await token_of(client)
    holder = with_token(client, token)
    assert (await holder.post(GROUPS, group("X", host("192.0.2.1")))).status_code == 201
    assert (await holder.call("DELETE", f"{TOKENS}/{token}")).status_code == 401
    assert (await client.call("DELETE", f"{TOKENS}/{token}")).status_code == 204
    assert (await holder.get(GROUPS)).status_code == 401
    assert (await client.call("DELETE", f"{TOKENS}/{token}")).status_code == 401


@pytest_twisted.ensureDeferred
async def test_the_26th_token_is_refused_with_503(client: Client) -> None:
    tokens = [await token_of(client) for _ in range(25)]
    assert (await client.post(TOKENS)).status_code == 503
    await client.call("DELETE", f"{TOKENS}/{tokens[7]}")
    assert (await client.post(TOKENS)).status_code == 204


@pytest_twisted.ensureDeferred
async def test_a_bad_token_does_not_fall_back_to_basic(client: Client) -> None:
    client.headers["X-Auth-Token"] = "NONE"
    assert (await client.get(GROUPS)).status_code == 401


@pytest_twisted.ensureDeferred
async def test_wrong_passwords_and_no_password_are_401(client: Client) -> None:
    for auth in (("admin", "wrong"), ("nobody", "secret"), None):
        stranger = Client(client.asa, auth=auth)
        assert (await stranger.get(GROUPS)).status_code == 401
        assert (await stranger.post(TOKENS)).status_code == 401
    garbled = Client(client.asa, auth=None)
    garbled.headers["Authorization"] = "Basic !!!"
    assert (await garbled.get(GROUPS)).status_code == 400


@pytest.mark.parametrize(
    ("gate", "basic", "token"), [("basic", 401, 200), ("all", 401, 401), ("off", 200, 200)]
)
@pytest_twisted.ensureDeferred
async def test_the_user_agent_rule(client: Client, gate: str, basic: int, token: int) -> None:
    held = await token_of(client)
    client.asa.set_switches({"user_agent_gate": gate})
    browser = Client(client.asa, headers={"User-Agent": "python-requests/2"})
    assert (await browser.get(GROUPS)).status_code == basic
    holder = Client(client.asa, auth=None, headers={"User-Agent": "browser", "X-Auth-Token": held})
    assert (await holder.get(GROUPS)).status_code == token
    client.asa.set_switches({"user_agent_status": 403})
    expected = 403 if basic == 401 else 200
    assert (await browser.get(GROUPS)).status_code == expected


@pytest.mark.parametrize(
    ("privilege", "monitoring", "reading", "writing"),
    [(2, 403, 403, 403), (3, 200, 403, 403), (5, 200, 200, 403), (15, 200, 200, 201)],
)
@pytest_twisted.ensureDeferred
async def test_privileges(
    client: Client, privilege: int, monitoring: int, reading: int, writing: int
) -> None:
    client.asa.type_lines([f"username low password pw privilege {privilege}"])
    low = Client(client.asa, auth=("low", "pw"))
    assert (await low.get("/monitoring/serialnumber")).status_code == monitoring
    assert (await low.get(GROUPS)).status_code == reading
    assert (await low.post(GROUPS, group("X", host("192.0.2.1")))).status_code == writing
    assert ("X" in client.asa.configuration.groups) == (writing == 201)


@pytest_twisted.ensureDeferred
async def test_an_account_is_locked_after_so_many_wrong_passwords(client: Client) -> None:
    client.asa.set_switches({"lockout_after": 3})
    for _ in range(3):
        assert (await Client(client.asa, auth=("admin", "x")).get(GROUPS)).status_code == 401
    assert (await client.get(GROUPS)).status_code == 401
    client.asa.set_switches({"lockout_after": 0})
    assert (await client.get(GROUPS)).status_code == 200


@pytest_twisted.ensureDeferred
async def test_the_certificate_is_the_one_whose_fingerprint_is_told(client: Client) -> None:
    import hashlib
    import ssl

    from twisted.internet.threads import deferToThread

    def fetch() -> bytes:
        pem = ssl.get_server_certificate(("127.0.0.1", client.asa.port), timeout=60)
        return ssl.PEM_cert_to_DER_cert(pem)

    served: bytes = await deferToThread(fetch)
    assert hashlib.sha256(served).hexdigest() == client.asa.fingerprint

    def untrusted() -> Any:
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(client.asa.api_url, timeout=60)

    await deferToThread(untrusted)


@pytest_twisted.ensureDeferred
async def test_a_renewed_certificate_is_another_one(client: Client) -> None:
    before, old = client.asa.fingerprint, client.asa.certificate_path.read_bytes()
    client.asa.renew_certificate()
    assert client.asa.fingerprint != before
    assert client.asa.certificate_path.read_bytes() != old
    assert (await client.get(GROUPS)).status_code == 200


@pytest_twisted.ensureDeferred
async def test_the_agent_answers_on_ipv6_too() -> None:
    asa = SimulatedAsa(reactor, AsaOptions(password="secret", https=("::1", 0)))
    asa.startService()
    assert asa.api_url.startswith("https://[::1]:")
    assert (await Client(asa).get(GROUPS)).status_code == 200
    await asa.stopService()


def test_a_token_ends_when_it_was_not_used_for_its_lifetime() -> None:
    tokens = Tokens(lifetime=100.0, maximum=2)
    first = tokens.issue("u", 0.0)
    assert first is not None
    assert tokens.user_of(first, 99.0) == "u"
    assert tokens.user_of(first, 198.0) == "u"
    assert tokens.user_of(first, 298.0) is None
    assert len(tokens) == 0
    tokens.lifetime = 0
    eternal = tokens.issue("u", 0.0)
    assert eternal is not None
    assert tokens.user_of(eternal, 1e9) == "u"


def test_passwords_are_not_kept_in_the_clear() -> None:
    accounts = Accounts()
    accounts.add("u", "secret")
    assert "secret" not in accounts.users["u"].line()
    assert "secret" not in repr(accounts)
    assert accounts.check("u", "secret") is not None
    assert accounts.check("u", "Secret") is None
