"""
The REST agent over a real HTTPS connection.
"""

import pytest_twisted

from tests.simulator.simulator_client import GROUPS, Client, group, host, network


@pytest_twisted.ensureDeferred
async def test_a_group_is_created_read_changed_and_deleted(client: Client) -> None:
    made = await client.post(GROUPS, group("X-1", host("192.0.2.1"), network("198.51.100.0/24")))
    assert made.status_code == 201
    assert made.content == b""
    assert made.headers["Content-length"] == "0"
    assert made.headers["Location"] == f"{client.asa.api_url}{GROUPS}/X-1"

    changed = await client.patch(f"{GROUPS}/X-1", {"members.add": [host("2001:db8::1")]})
    assert changed.status_code == 204
    changed = await client.patch(f"{GROUPS}/X-1", {"members.remove": [host("192.0.2.1")]})
    assert changed.status_code == 204

    read = await client.get(f"{GROUPS}/X-1")
    assert read.json() == {
        "kind": "object#NetworkObjGroup",
        "selfLink": f"{client.asa.api_url}{GROUPS}/X-1",
        "name": "X-1",
        "members": [network("198.51.100.0/24"), host("2001:db8::1")],
        "description": "",
        "objectId": "X-1",
    }
    assert (await client.call("DELETE", f"{GROUPS}/X-1")).status_code == 204
    gone = await client.get(f"{GROUPS}/X-1")
    assert gone.status_code == 404
    assert gone.json()["messages"][0]["code"] == "RESOURCE-NOT-FOUND"
