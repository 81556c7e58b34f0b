"""
The REST API agent as a `model.AsaDriver` (docs/develop/asa.md, sections 2 to 4).
"""

from collections.abc import Collection, Sequence
from typing import Any
from urllib.parse import quote

from attrs import define, evolve, field

from tscm.kinds.asa import platforms
from tscm.kinds.asa.driver import (
    AddMembers,
    AttachChildren,
    Configuration,
    CreateGroup,
    DeleteGroup,
    Describe,
    DetachChild,
    Group,
    RemoveMembers,
    Step,
)
from tscm.kinds.asa.faults import UnitOnStandby
from tscm.kinds.asa.portions import portions, weight
from tscm.kinds.asa.rest.link import RestLink
from tscm.kinds.asa.rest.members import GROUP_KIND, member, reference
from tscm.kinds.asa.rest.picks import TooMuch, Want, bounded_groups, page_groups
from tscm.kinds.faults import Overloaded, Refused, SaveFailed
from tscm.model import Identity, Json, Traffic

FIRST_BATCH = 500
SMALLEST_BATCH = 25
_GROUPS = "objects/networkobjectgroups"
_PAGE = 100
_MAX_PAGES = 1000
_READS = 4
"""Of the whole list, while groups shift between its pages."""
_COLLECTION_SECONDS = 1800.0
_VERSION = "monitoring/device/components/version"
_RUNS_WITHOUT_BULK = 24
_TOO_LARGE = 413
_ACCEPTED = 202
_DELETE_UNUSED = "check `show running-config` on it, and delete what nothing uses"


@define(eq=False)
class RestDriver:
    """
    Object-groups over REST.

    *batch* is how many members a request may carry.  It halves when the agent fails on a write that
    carried more than the smallest batch, or refuses one that carried a single step, and never goes
    over a size that failed while one that worked is known.  It does not grow again, so a size that has
    worked must fail twice, or each lost connection would make all later pushes longer: *doubted* is
    the size that did once.  *singles* counts the runs for which steps are not joined, after a joined
    request was refused.
    """

    _link: RestLink
    batch: int = FIRST_BATCH
    worked: int = 0
    doubted: int = 0
    singles: int = 0
    _probed: Identity | None = field(default=None, init=False)

    @property
    def traffic(self) -> Traffic:
        """What was said so far."""
        return self._link.traffic

    @property
    def told(self) -> Collection[str]:
        """The agent's answers are judged as a whole; nothing is told beside them."""
        return ()

    @property
    def learnt(self) -> Json:
        """
        Batch sizes that failed and worked, the certificate that was shown, the highest children, and
        whether the next session should do without a token, because this one lost it.
        """
        return {
            "batch": self.batch,
            "worked": self.worked,
            "doubted": self.doubted,
            "singles": self.singles,
            "basic": self._link.token_died,
            "groups": list(self._link.groups),
            "certificate": self._link.certificate,
        }

    def probe(self) -> Identity:
        """The version resource: one small GET."""
        self._probed = self._version()
        return self._probed

    def _version(self) -> Identity:
        found = self._link.call("GET", _VERSION, want=Want("version")).picked
        if found is None:
            raise Overloaded(self._link.name, "the version resource is not a JSON object")
        up, now, model = found["up"], found["now"], found["model"]
        identity = Identity(
            version=found["version"],
            started_at=now - up if now is not None and up is not None else None,
            clock_at=now,
        )
        return identity if model is None else platforms.with_platform(identity, model, None)

    def identify(self) -> Identity:
        """The version resource, and what three `show` commands add to it."""
        version, failover, agent = self._cli("show version", "show failover", "show rest-api agent")
        identity = platforms.read_show_version(self._probed or self.probe(), version)
        identity = evolve(
            identity,
            role=platforms.failover_role(failover),
            replicating=platforms.replicating(failover),
        )
        if identity.agent is None and platforms.agent_state(agent):
            identity = evolve(identity, agent="enabled")
        if identity.role == "standby":
            raise UnitOnStandby(
                self._link.name,
                (
                    "it is not the active unit of its failover pair, and changes made there "
                    "are not replicated"
                ),
                "set the device address to that of the active unit",
            )
        return identity

    def read_groups(self, prefix: str) -> dict[str, Group]:
        """
        All groups of that prefix.  The agent gives pages of at most 100, whatever is asked.

        Pages are no snapshot: groups that others add or delete meanwhile shift those behind them from
        one page to another.  Then all of them are read again, for what was passed over is not gone.
        """
        link = self._link
        most, begun = link.traffic.received + link.bounds.response_bytes, link.monotonic()
        for _ in range(_READS):
            found = self._read_pages(prefix, most, begun)
            if found is not None:
                link.know(found)
                return found
        raise Overloaded(
            link.name, "its list of object-groups changed while it was read", "try again later"
        )

    def _read_pages(self, prefix: str, most: int, begun: float) -> dict[str, Group] | None:
        """The same, once; None where groups shifted between two pages."""
        found: dict[str, Group] = {}
        seen: set[str] = set()
        link, offset, total, members = self._link, 0, None, 0
        for _ in range(_MAX_PAGES):
            if link.traffic.received > most:
                raise Overloaded(
                    link.name,
                    f"its object-groups take more than {link.bounds.response_bytes:,} bytes",
                )
            if link.monotonic() > begun + _COLLECTION_SECONDS:
                break
            page = link.call(
                "GET", f"{_GROUPS}?limit={_PAGE}&offset={offset}", want=Want("groups", prefix)
            ).picked
            if page is None:
                raise Overloaded(link.name, "the list of object-groups is not a list")
            if not seen.isdisjoint(page["names"]) or len(set(page["names"])) < len(page["names"]):
                return None
            seen.update(page["names"])
            for group in page_groups(page):
                found[group.name] = group
                members += len(group.members) + len(group.children)
            try:
                bounded_groups(len(seen), members, link.bounds.most_members)
            except TooMuch as error:
                raise Overloaded(link.name, str(error), _DELETE_UNUSED) from None
            offset += page["count"]
            told = page["total"]
            if total is not None and told != total:
                return None
            total = told
            if not page["count"] or (total is not None and offset >= total):
                return found
        raise Overloaded(link.name, "its list of object-groups never ends")

    def apply(self, step: Step) -> None:
        """One step, in as many requests as its size takes."""
        for portion in self.portions([step]):
            self.apply_all(portion)

    def portions(self, steps: Sequence[Step]) -> list[tuple[Step, ...]]:
        """Large steps split, neighbouring small ones joined."""
        return portions(steps, self.batch, join=not self.singles)

    def apply_all(self, steps: Sequence[Step]) -> None:
        """One portion: the resource's own call for one step, a bulk request for more."""
        size, alone = sum(weight(step) for step in steps), len(steps) == 1
        try:
            if len(steps) == 1:
                self._apply_one(steps[0])
            else:
                self._apply_joined(steps)
        except Overloaded:
            if size <= self.worked and size > SMALLEST_BATCH and not self.doubted:
                self.doubted = size
            else:
                self._failed_with(size)
            raise
        except Refused as refused:
            if refused.status == _TOO_LARGE or (alone and refused.may_be_size):
                self._failed_with(size)  # how much a body may hold is told nowhere
            raise
        self.worked = max(self.worked, min(size, self.batch))
        if size >= self.doubted:
            self.doubted = 0

    def running_config(self, prefix: str) -> Configuration:
        """`show running-config`, condensed where it is read (`tscm.kinds.asa.condense`)."""
        found = self._ask("configuration", ["show running-config"], prefix)
        return Configuration(size=found["size"], text=found["text"]) if found else Configuration()

    def look(self, command: str) -> str:
        """One command by the agent's command line; what is wrong with it stands in its text."""
        return self._cli(command)[0]

    def save(self) -> None:
        """`write memory`, believed when it ends in `[OK]`."""
        said = self._link.call("POST", "commands/writemem", want=Want("said"), write=True).picked
        if "[OK]" not in (said or ""):
            raise SaveFailed(
                self._link.name,
                "it did not confirm that its configuration was saved",
                (
                    "the policy is in force; enter `write memory` on the device to see why "
                    "saving fails"
                ),
            )

    def close(self) -> None:
        """Give the token back."""
        self._link.close()

    def _cli(self, *commands: str) -> list[str]:
        texts = self._ask("texts", commands) or []
        return texts + [""] * (len(commands) - len(texts))  # trailing silence is dropped

    def _ask(self, kind: str, commands: Sequence[str], prefix: str = "") -> Any:
        """What is wanted of the answers to *commands*; None where they were taken, and nothing said."""
        reply = self._link.call(
            "POST", "cli", {"commands": list(commands)}, want=Want(kind, prefix)
        )
        if reply.picked is None and reply.status != _ACCEPTED:
            raise Overloaded(self._link.name, "a command returned an unexpected response")
        return reply.picked

    def _failed_with(self, size: int) -> None:
        if size <= SMALLEST_BATCH:
            return
        half = max(SMALLEST_BATCH, min(size, self.batch) // 2)
        if self.worked < size:
            self.batch = max(half, self.worked)
        else:
            self.batch, self.worked = half, 0  # what worked once works no more
        self.doubted = 0

    def _apply_one(self, step: Step) -> None:
        method, path, body = request_of(step)
        try:
            self._link.call(method, path, body, write=True)
        except Refused as refused:
            if not (isinstance(step, DeleteGroup) and refused.status == 404):
                raise  # a group that is gone already is what was asked for

    def _apply_joined(self, steps: Sequence[Step]) -> None:
        entries = []
        for step in steps:
            method, path, body = request_of(step)
            entry: Json = {"method": method, "resourceUri": f"/api/{path}"}
            if body is not None:
                entry["data"] = body
            entries.append(entry)
        try:
            self._link.call("POST", "", entries, write=True)
        except Refused:
            self.singles = _RUNS_WITHOUT_BULK  # one by one shows which step it was
            raise


def request_of(step: Step) -> tuple[str, str, Json | None]:
    """Method, path and body by which the agent is asked for *step*."""
    path = f"{_GROUPS}/{quote(step.group.replace('/', '_API_SLASH_'), safe='')}"
    match step:
        case CreateGroup():
            members = [member(one) for one in step.members]
            body: Json = {
                "kind": GROUP_KIND,
                "name": step.group,
                "members": members + [reference(one) for one in step.children],
            }
            if step.description:
                body["description"] = step.description
            return "POST", _GROUPS, body
        case AddMembers():
            return "PATCH", path, {"members.add": [member(one) for one in step.members]}
        case RemoveMembers():
            return "PATCH", path, {"members.remove": [member(one) for one in step.members]}
        case AttachChildren():
            return "PATCH", path, {"members.add": [reference(one) for one in step.children]}
        case DetachChild():
            return "PATCH", path, {"members.remove": [reference(step.child)]}
        case Describe():
            return "PATCH", path, {"description": step.description}
        case DeleteGroup():
            return "DELETE", path, None
