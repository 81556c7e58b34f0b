"""
`/api/objects/networkobjects` and `/api/objects/localusers`.
"""

import json
from typing import Any

from attrs import evolve, frozen

from tscm.simulator.device import Device
from tscm.simulator.group_resource import Resource, page_of
from tscm.simulator.http_values import Reply, Request
from tscm.simulator.member_json import compact, object_from_json, object_to_json
from tscm.simulator.refusal import Cause, Refused


@frozen
class Objects:
    """
    Named network objects.
    """

    def page(self, device: Device, request: Request) -> Reply:
        """A page of them."""
        held = device.configuration.objects
        items = (object_to_json(one, request.root) for one in held.values())
        return page_of(device, request, "NetworkObj", list(held), items)

    def one(self, device: Device, name: str, root: str) -> str:
        """One of them."""
        held = device.configuration.objects.get(name)
        if held is None:
            raise Refused(Cause.ABSENT, f"object {name} does not exist")
        return object_to_json(held, root)

    def create(self, device: Device, body: dict[str, Any]) -> str:
        """POST."""
        made = object_from_json(body)
        if made.name in device.configuration.objects:
            raise Refused(Cause.DUPLICATE, f"object {made.name} exists")
        device.configuration.put_object(made)
        return made.name

    def replace(self, device: Device, name: str, body: dict[str, Any]) -> None:
        """PUT never creates."""
        if name not in device.configuration.objects:
            raise Refused(Cause.ABSENT, f"object {name} does not exist")
        device.configuration.put_object(evolve(object_from_json(body), name=name))

    def change(self, device: Device, name: str, body: dict[str, Any]) -> None:
        """PATCH of `host` or `description`."""
        held = device.configuration.objects.get(name)
        if held is None:
            raise Refused(Cause.ABSENT, f"object {name} does not exist")
        if "host" in body or "description" in body:
            # What is not told is read as it stands, so that one check is for both.
            whole = json.loads(object_to_json(held, "")) | body | {"name": name}
            held = object_from_json(whole)
        device.configuration.put_object(held)

    def delete(self, device: Device, name: str) -> None:
        """Refused while in use."""
        device.configuration.remove_object(name)


OBJECTS: Resource = Objects()


def local_users(device: Device, request: Request) -> Reply:
    """The accounts, without their passwords."""
    link = f"{request.root}/api/objects/localusers/"
    items = [
        compact(
            {
                "kind": "object#LocalUserObj",
                "selfLink": link + account.name,
                "name": account.name,
                "MSCHAPauthenticated": False,
                "privilegeLevel": account.privilege,
                "ASDM_CLIAccessType": "Full",
                "objectId": account.name,
            }
        )
        for account in device.accounts.users.values()
    ]
    return page_of(device, request, "LocalUserObj", list(device.accounts.users), items)
