"""
`/api/objects/networkobjectgroups`: groups with all their members.
"""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from attrs import frozen

from tscm.simulator.device import Device
from tscm.simulator.digits import whole
from tscm.simulator.http_values import Reply, Request
from tscm.simulator.member_json import COLLECTION, compact, from_json, to_json
from tscm.simulator.refusal import Cause, Refused

_MAX_OFFSET = 2147483647
PAGE = 100
"""Items in one answer at most, whatever `limit` asks."""


class Resource(Protocol):
    """
    A collection of named things that the agent offers.
    """

    def page(self, device: Device, request: Request) -> Reply:
        """One page of the collection."""

    def one(self, device: Device, name: str, root: str) -> str:
        """One of them as JSON."""

    def create(self, device: Device, body: dict[str, Any]) -> str:
        """Make one; its name."""

    def replace(self, device: Device, name: str, body: dict[str, Any]) -> None:
        """PUT."""

    def change(self, device: Device, name: str, body: dict[str, Any]) -> None:
        """PATCH."""

    def delete(self, device: Device, name: str) -> None:
        """DELETE."""


def _whole(text: str | None, default: int) -> int:
    if text is None or text == "":
        return default
    number = whole(text, _MAX_OFFSET)
    if number is None:
        raise Refused(Cause.SYNTAX, f"{text[:40]!r} is not a whole number")
    return number


def page_of(
    device: Device, request: Request, kind: str, names: list[str], items: Iterable[str]
) -> Reply:
    """
    The page that `limit` and `offset` ask; *items* are made only when they are taken.

    `rangeInfo.limit` is the number of items that came, not what was asked.
    """
    offset = _whole(request.query.get("offset"), 0)
    limit = min(_whole(request.query.get("limit"), PAGE), PAGE)
    taken = [item for at, item in enumerate(items) if offset <= at < offset + limit]
    link = request.root + (request.path or f"/{'/'.join(request.segments)}")
    if request.query:
        link += "?" + "&".join(f"{name}={value}" for name, value in request.query.items())
    info = {"offset": offset if names else 0, "limit": len(taken), "total": len(names)}
    head = f'"selfLink":{compact(link)},"rangeInfo":{compact(info)}'
    if names or device.switches.kind_on_empty_list:
        head = f'"kind":"collection#{kind}",' + head
    return Reply(status=200, body=f'{{{head},"items":[{",".join(taken)}]}}')


@frozen
class Groups:
    """
    Network object-groups.
    """

    def page(self, device: Device, request: Request) -> Reply:
        """A list carries every group with all its members."""
        names = list(device.configuration.groups)
        first = _whole(request.query.get("offset"), 0)

        def items() -> Iterator[str]:
            for at, name in enumerate(names):
                wanted = first <= at < first + PAGE
                yield self.one(device, name, request.root) if wanted else ""

        return page_of(device, request, "NetworkObjGroup", names, items())

    def one(self, device: Device, name: str, root: str) -> str:
        """One group; members in the order of entry."""
        group = device.configuration.groups.get(name)
        if group is None:
            raise Refused(Cause.ABSENT, f"object-group {name} does not exist")
        shown = name.replace("/", "_API_SLASH_")
        link = compact(f"{root}{COLLECTION}/{shown}")
        listed = ",".join([to_json(member, root) for member in group.members])
        text = (
            f'{{"kind":"object#NetworkObjGroup","selfLink":{link},"name":{compact(name)},'
            f'"members":[{listed}],'
        )
        if group.description or device.switches.description_when_unset == "empty":
            text += f'"description":{compact(group.description)},'
        return f'{text}"objectId":{compact(shown)}}}'

    def create(self, device: Device, body: dict[str, Any]) -> str:
        """POST: a full object with at least one member."""
        name = body.get("name", body.get("objectId"))
        if not isinstance(name, str):
            raise Refused(Cause.BAD_NAME, "name is missing")
        with _whole_or_not(device):
            device.configuration.create_group(name)
            self._fill(device, name, body)
        return name

    def replace(self, device: Device, name: str, body: dict[str, Any]) -> None:
        """PUT never creates; the name cannot change."""
        device.configuration.group(name)
        if body.get("name", name) != name:
            raise Refused(Cause.READ_ONLY, "name cannot be changed")
        with device.configuration.transaction():
            wanted = _listed(body.get("members"))
            _check_not_empty(device, wanted)
            texts = [from_json(item, device.switches) for item in wanted]
            device.configuration.replace_members(name, texts)
            _describe(device, name, body.get("description", ""))

    def _fill(self, device: Device, name: str, body: dict[str, Any]) -> None:
        wanted = _listed(body.get("members"))
        _check_not_empty(device, wanted)
        _add(device, name, wanted)
        if body.get("description"):
            _describe(device, name, body["description"])

    def change(self, device: Device, name: str, body: dict[str, Any]) -> None:
        """PATCH: `members.add`, `members.remove`, `description`; all of it or nothing."""
        configuration, switches = device.configuration, device.switches
        configuration.group(name)
        known = {"members.add", "members.remove", "description", "kind", "name", "objectId"}
        for key in body:
            if key not in known:
                raise Refused(Cause.READ_ONLY, f"{key} cannot be changed")
        if body.get("name", name) != name:
            raise Refused(Cause.READ_ONLY, "name cannot be changed")
        both = "members.add" in body and "members.remove" in body
        if both and switches.both_lists == "refused":
            raise Refused(Cause.BAD_MEMBER, "members.add and members.remove in one request")
        work = [key for key in ("members.add", "members.remove") if key in body]
        if both and switches.both_lists == "remove-first":
            work.reverse()
        if both and switches.both_lists == "only-add":
            work.pop()
        with _whole_or_not(device):
            for key in work:
                (_add if key == "members.add" else _remove)(device, name, _listed(body[key]))
            if "description" in body:
                _describe(device, name, body["description"])

    def delete(self, device: Device, name: str) -> None:
        """Refused while an access-list or another group uses it."""
        device.configuration.remove_group(name)


def _whole_or_not(device: Device) -> AbstractContextManager[None]:
    """Undo a request that breaks off half-way, unless the switch says that it stays half done."""
    if device.switches.request_atomic:
        return device.configuration.transaction()
    return nullcontext()


def _listed(listed: Any) -> list[Any]:
    if not isinstance(listed, list):
        raise Refused(Cause.BAD_MEMBER, "members must be an array")
    return listed


def _check_not_empty(device: Device, wanted: list[Any]) -> None:
    if not wanted and device.switches.empty_group == "refused":
        raise Refused(Cause.EMPTY, "a group needs at least one member")


def _describe(device: Device, name: str, description: Any) -> None:
    if not isinstance(description, str) or len(description) > 200 or not description.isprintable():
        text = "description must be a printable text of at most 200 characters"
        raise Refused(Cause.BAD_MEMBER, text)
    device.configuration.describe(name, description)


def _add(device: Device, name: str, listed: list[Any]) -> None:
    held = device.configuration.group(name)
    for item in listed:
        member = from_json(item, device.switches)
        if device.switches.member_present == "ignored" and member in held.members:
            continue
        device.configuration.add_member(name, member)
        held = device.configuration.group(name)


def _remove(device: Device, name: str, listed: list[Any]) -> None:
    held = device.configuration.group(name)
    for item in listed:
        member = from_json(item, device.switches)
        if device.switches.member_absent == "ignored" and member not in held.members:
            continue
        device.configuration.remove_member(name, member)
        held = device.configuration.group(name)


GROUPS: Resource = Groups()
