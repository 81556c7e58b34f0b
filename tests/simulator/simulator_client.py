"""
A blocking client of the simulated firewall, each call in a thread.
"""

from typing import Any

import requests
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from tscm.simulator.service import SimulatedAsa

GROUPS = "/objects/networkobjectgroups"


def host(address: str) -> dict[str, str]:
    return {"kind": "IPv6Address" if ":" in address else "IPv4Address", "value": address}


def network(cidr: str) -> dict[str, str]:
    return {"kind": "IPv6Network" if ":" in cidr else "IPv4Network", "value": cidr}


def group(name: str, *members: dict[str, str]) -> dict[str, Any]:
    return {
        "kind": "object#NetworkObjGroup",
        "name": name,
        "objectId": name,
        "members": list(members),
    }


def child(name: str) -> dict[str, str]:
    return {"kind": "objectRef#NetworkObjGroup", "objectId": name}


@define(eq=False)
class Client:
    """
    Basic authentication and the agent's name on each request; headers can be changed.
    """

    asa: SimulatedAsa
    auth: tuple[str, str] | None = ("admin", "secret")
    headers: dict[str, str] = field(factory=lambda: {"User-Agent": "REST API Agent"})

    def call(self, method: str, path: str, body: Any = None) -> Deferred[requests.Response]:
        url, ca = self.asa.api_url + path, str(self.asa.certificate_path)

        def send() -> requests.Response:
            with requests.Session() as session:
                session.trust_env = False
                session.verify = ca
                session.headers.update(self.headers)
                return session.request(method, url, json=body, auth=self.auth, timeout=60)

        return deferToThread(send)

    def get(self, path: str) -> Deferred[requests.Response]:
        return self.call("GET", path)

    def post(self, path: str, body: Any = None) -> Deferred[requests.Response]:
        return self.call("POST", path, body)

    def patch(self, path: str, body: Any) -> Deferred[requests.Response]:
        return self.call("PATCH", path, body)

    async def type(self, *commands: str) -> list[str]:
        answer = await self.post("/cli", {"commands": list(commands)})
        assert answer.status_code == 200
        printed: list[str] = answer.json()["response"]
        return printed
