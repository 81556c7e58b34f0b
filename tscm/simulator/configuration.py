"""
The running configuration: one store that the REST agent, the command line and the traffic share.

Pure: it opens nothing and knows no time.  Every change goes through a method that holds the
ASA's rules (docs/develop/asa.md, section 2) and raises `Refused` with the configuration as it was.
Groups carry tens of thousands of members, so members are dictionary keys in order of entry,
and the size of the rendered text is counted along instead of rendering it.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from attrs import define, field

from tscm.simulator import members
from tscm.simulator.access_list import Ace, Binding, binding_text
from tscm.simulator.groups import NetworkGroup, NetworkObject, check_name
from tscm.simulator.refusal import Cause, Refused

FORWARD_REFERENCE = "forward-reference enable"


def _refuse_depth(name: str) -> Refused:
    return Refused(Cause.TOO_DEEP, f"ERROR: object-group ({name}) is nested too deeply")


@define(eq=False)
class Configuration:
    """
    What the firewall holds in memory.

    `plain` keeps, in order, every line that is only stored and shown (with its sub-mode lines);
    *max_members* and *max_nesting* are 0 where the platform has no limit of its own.
    """

    hostname: str = "ciscoasa"
    max_members: int = 0
    max_nesting: int = 0
    groups: dict[str, NetworkGroup] = field(factory=dict)
    objects: dict[str, NetworkObject] = field(factory=dict)
    other_groups: dict[str, tuple[str, list[str]]] = field(factory=dict)
    """Groups of other types (service …): type and sub-mode lines; they share the names."""
    access_lists: dict[str, list[Ace]] = field(factory=dict)
    bindings: dict[Binding, str] = field(factory=dict)
    plain: dict[str, list[str]] = field(factory=dict)
    generation: int = 0
    """Grows with every change."""
    acl_generation: int = 0
    edits: int = 0
    """Grows with every change that was not undone."""
    loading: bool = False
    """While a start configuration loads, a parent may stand above its child."""
    _touched: set[str] | None = field(default=None, init=False)

    # -- all or nothing ------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """
        Undo everything done inside when it ends in `Refused`; nested ones join the outer.
        """
        if self._touched is not None:
            yield
            return
        before, edits = self._shallow(), self.edits
        self._touched = set()
        try:
            yield
        except BaseException:
            self.adopt(before)
            self.edits = edits
            raise
        finally:
            self._touched = None

    def _shallow(self) -> "Configuration":
        return Configuration(
            hostname=self.hostname,
            groups=dict(self.groups),
            objects=dict(self.objects),
            other_groups={name: (kind, list(ls)) for name, (kind, ls) in self.other_groups.items()},
            access_lists={name: list(aces) for name, aces in self.access_lists.items()},
            bindings=dict(self.bindings),
            plain={line: list(sub) for line, sub in self.plain.items()},
        )

    def adopt(self, other: "Configuration") -> None:
        """Hold what *other* holds; it is not to be used any more."""
        self.hostname = other.hostname
        self.groups = other.groups
        self.objects = other.objects
        self.other_groups = other.other_groups
        self.access_lists = other.access_lists
        self.bindings = other.bindings
        self.plain = other.plain
        self.changed(acl=True)

    def copy(self) -> "Configuration":
        """A twin that shares nothing that can change."""
        twin = self._shallow()
        twin.groups = {name: group.copy() for name, group in self.groups.items()}
        twin.max_members, twin.max_nesting = self.max_members, self.max_nesting
        return twin

    def changed(self, *, acl: bool = False) -> None:
        """Note a change."""
        self.generation += 1
        self.edits += 1
        if acl:
            self.acl_generation += 1

    def _for_writing(self, name: str) -> NetworkGroup:
        group = self.groups[name]
        if self._touched is not None and name not in self._touched:
            group = self.groups[name] = group.copy()
            self._touched.add(name)
        self.changed()
        group.version = self.generation
        return group

    # -- names ---------------------------------------------------------------

    def type_of(self, name: str) -> str | None:
        """What *name* stands for; objects and groups of all types share one set of names."""
        if name in self.groups:
            return "network"
        if name in self.other_groups:
            return self.other_groups[name][0]
        return "object" if name in self.objects else None

    def check_free(self, name: str) -> None:
        """Raise unless a new object or group may be called *name*."""
        check_name(name)
        kind = self.type_of(name)
        if kind == "network":
            raise Refused(Cause.DUPLICATE, f"ERROR: object-group ({name}) already exists")
        if kind == "object":
            text = f"ERROR: An object with the same id ({name}) exists"
            raise Refused(Cause.OTHER_TYPE, text)
        if kind is not None:
            text = f"An object-group with the same id but different type ({kind}) exists"
            raise Refused(Cause.OTHER_TYPE, text)

    @property
    def forward_reference(self) -> bool:
        """May groups in use be emptied and removed, and absent ones named?"""
        return FORWARD_REFERENCE in self.plain

    def group(self, name: str) -> NetworkGroup:
        """The group called *name*."""
        try:
            return self.groups[name]
        except KeyError:
            text = f"ERROR: specified object group <{name}> not found"
            raise Refused(Cause.ABSENT, text) from None

    # -- who uses what -------------------------------------------------------

    def parents(self, name: str) -> list[str]:
        """Groups that hold the group *name*."""
        return [parent.name for parent in self.groups.values() if name in parent.children]

    def lists_using(self, name: str) -> list[str]:
        """Access-lists that name the group or object *name*."""
        return [
            acl
            for acl, aces in self.access_lists.items()
            if any(name in ace.groups or name in ace.objects for ace in aces)
        ]

    # -- groups --------------------------------------------------------------

    def create_group(self, name: str) -> None:
        """Make an empty group."""
        self.check_free(name)
        self.changed()
        self.groups[name] = NetworkGroup(name, version=self.generation)
        if self._touched is not None:
            self._touched.add(name)

    def describe(self, name: str, description: str) -> None:
        """Set a group's description."""
        self.group(name)
        self._for_writing(name).description = description

    def add_member(self, name: str, member: str) -> None:
        """Append *member* to the group."""
        group = self.group(name)
        if member in group.members:
            shown = member.replace("network-object object", "object")
            text = f"Adding obj ({shown} ) to grp ({name}) failed; object already exists"
            raise Refused(Cause.MEMBER_PRESENT, text)
        if self.max_members and len(group.members) >= self.max_members:
            text = f"ERROR: object-group ({name}) holds its maximum of {self.max_members}"
            raise Refused(Cause.TOO_MANY, text)
        child = members.nested_name(member)
        if child is not None:
            self._check_child(name, child)
        referred = members.object_name(member)
        if referred is not None and referred not in self.objects:
            text = f"ERROR: specified object <{referred}> not found"
            raise Refused(Cause.UNKNOWN_REFERENCE, text)
        self._for_writing(name).put(member)

    def _check_child(self, name: str, child: str) -> None:
        held = self.groups.get(child)
        if self.loading and child != name and not (held and self._reaches(child, name)):
            return
        if held is None:
            text = f"ERROR: specified object group <{child}> not found"
            raise Refused(Cause.UNKNOWN_REFERENCE, text)
        if child == name or self._reaches(child, name):
            text = f"Adding obj (group-object {child}) to grp ({name}) failed; "
            raise Refused(Cause.LOOP, text + "cause a loop in grp hierarchy")
        if not held.members:
            text = f"object-group ({child}) is empty. Cannot add an empty group-object "
            raise Refused(Cause.EMPTY, text + "to object-group")
        if self.max_nesting and self._height(child) + self._depth(name) + 1 > self.max_nesting:
            raise _refuse_depth(child)

    def _reaches(self, start: str, goal: str) -> bool:
        seen, waiting = {start}, [start]
        while waiting:
            group = self.groups.get(waiting.pop())
            for child in group.children if group else ():
                if child == goal:
                    return True
                if child not in seen:
                    seen.add(child)
                    waiting.append(child)
        return False

    def _height(self, name: str) -> int:
        """Levels from this group down."""
        group = self.groups.get(name)
        below = group.children if group else set()
        return 1 + max((self._height(child) for child in below), default=0)

    def _depth(self, name: str) -> int:
        """Levels above this group."""
        return max((1 + self._depth(parent) for parent in self.parents(name)), default=0)

    def remove_member(self, name: str, member: str) -> None:
        """Take *member* out; a group in use keeps at least one."""
        group = self.group(name)
        if member not in group.members:
            text = f"Removing obj ({member}) from grp ({name}) failed; "
            raise Refused(Cause.MEMBER_ABSENT, text + "obj does not exist in this group")
        if len(group.members) == 1:
            self._check_may_be_empty(name)
        self._for_writing(name).take(member)

    def _check_may_be_empty(self, name: str) -> None:
        if self.forward_reference:
            return
        user = self._first_user(name)
        if user is not None:
            text = f"Removing obj from object-group not allowed; object-group ({name}), "
            raise Refused(Cause.WOULD_EMPTY, f"{text}being used in {user} would become empty")

    def _first_user(self, name: str) -> str | None:
        for acl in self.lists_using(name):
            return f"access-list {acl}"
        for parent in self.parents(name):
            return f"object-group {parent}"
        return None

    def replace_members(self, name: str, wanted: Iterable[str]) -> None:
        """Let the group hold exactly *wanted*, in that order."""
        with self.transaction():
            group = self.group(name)
            fresh = list(wanted)
            if not fresh:
                self._check_may_be_empty(name)
            emptied = self._for_writing(name)
            for member in list(group.members):
                emptied.take(member)
            for member in fresh:
                self.add_member(name, member)

    def remove_group(self, name: str) -> None:
        """Remove a group that nothing uses."""
        if name not in self.groups:
            text = f"Removing object-group ({name}) failed; it does not exist"
            raise Refused(Cause.ABSENT, text)
        if not self.forward_reference and self._first_user(name) is not None:
            text = f"Removing object-group ({name}) not allowed, it is being used."
            raise Refused(Cause.IN_USE, text)
        del self.groups[name]
        self.changed()

    # -- objects -------------------------------------------------------------

    def put_object(self, wanted: NetworkObject) -> None:
        """Make or replace a named object."""
        if wanted.name not in self.objects:
            self.check_free(wanted.name)
        self.objects[wanted.name] = wanted
        self.changed(acl=True)

    def remove_object(self, name: str) -> None:
        """Remove a named object that nothing uses."""
        if name not in self.objects:
            raise Refused(Cause.ABSENT, f"ERROR: object ({name}) does not exist.")
        member = members.named(name)
        if self.lists_using(name) or any(member in g.members for g in self.groups.values()):
            text = f"ERROR: unable to delete object ({name}). object is being used."
            raise Refused(Cause.IN_USE, text)
        del self.objects[name]
        self.changed(acl=True)

    # -- access-lists --------------------------------------------------------

    def add_ace(self, ace: Ace, line: int | None = None) -> None:
        """Append an entry, or put it in at *line* (from 1)."""
        for name in ace.groups:
            if name not in self.groups and not self.forward_reference:
                text = f"ERROR: specified object group <{name}> not found"
                raise Refused(Cause.UNKNOWN_REFERENCE, text)
            if name in self.groups and not self.groups[name].members:
                if self.forward_reference:
                    continue
                text = f"ERROR: object-group <{name}> is empty"
                raise Refused(Cause.EMPTY, text)
        for name in ace.objects:
            if name not in self.objects:
                text = f"ERROR: specified object <{name}> not found"
                raise Refused(Cause.UNKNOWN_REFERENCE, text)
        aces = self.access_lists.setdefault(ace.name, [])
        if ace.action != "remark" and any(held.hash == ace.hash for held in aces):
            # The ASA takes a known entry as a change of its log options.
            self.access_lists[ace.name] = [ace if h.hash == ace.hash else h for h in aces]
        else:
            aces.insert(len(aces) if line is None else line - 1, ace)
        self.changed(acl=True)

    def remove_ace(self, ace: Ace) -> None:
        """Take an entry out; with its last entry the list and its binding go."""
        aces = self.access_lists.get(ace.name, [])
        kept = [held for held in aces if held.hash != ace.hash]
        if len(kept) == len(aces):
            text = f"ERROR: access-list {ace.name}: specified entry does not exist"
            raise Refused(Cause.ABSENT, text)
        self.access_lists[ace.name] = kept
        if not kept:
            self.clear_access_list(ace.name)
        self.changed(acl=True)

    def clear_access_list(self, name: str) -> None:
        """Remove a list and where it is bound."""
        self.access_lists.pop(name, None)
        self.bindings = {at: acl for at, acl in self.bindings.items() if acl != name}
        self.changed(acl=True)

    def bind(self, name: str, binding: Binding) -> None:
        """`access-group`."""
        if name not in self.access_lists and not self.forward_reference:
            raise Refused(Cause.UNKNOWN_REFERENCE, f"ERROR: access-list <{name}> does not exist")
        self.bindings[binding] = name
        self.changed(acl=True)

    def unbind(self, name: str, binding: Binding) -> None:
        """`no access-group`."""
        if self.bindings.get(binding) != name:
            raise Refused(Cause.ABSENT, f"ERROR: access-group {name} is not bound there")
        del self.bindings[binding]
        self.changed(acl=True)

    # -- rendered ------------------------------------------------------------

    def other_lines(self) -> Iterator[str]:
        """Objects, and groups of other types."""
        for network_object in self.objects.values():
            yield from network_object.lines()
        for name, (kind, lines) in self.other_groups.items():
            yield f"object-group {kind} {name}"
            yield from lines

    def object_lines(self) -> Iterator[str]:
        """Objects and groups, in order of entry."""
        yield from self.other_lines()
        for group in self.groups.values():
            yield from group.lines()

    def access_list_lines(self) -> Iterator[str]:
        """Access-lists, in order of entry."""
        for aces in self.access_lists.values():
            for ace in aces:
                yield str(ace)

    def binding_lines(self) -> Iterator[str]:
        """Where access-lists are bound."""
        for binding, name in self.bindings.items():
            yield binding_text(name, binding)

    def plain_lines(self, wanted: Callable[[str], bool]) -> Iterator[str]:
        """Stored lines whose first line *wanted* takes."""
        for line, below in self.plain.items():
            if wanted(line):
                yield line
                yield from below

    @property
    def size(self) -> int:
        """Bytes of the rendered objects, groups, lists and stored lines, not rendering members."""
        text = 0
        for group in self.groups.values():
            text += group.size + len("object-group network ") + len(group.name) + 1
            if group.description:
                text += len(" description ") + len(group.description) + 1
        for lines in (
            self.other_lines(),
            self.access_list_lines(),
            self.binding_lines(),
            self.plain_lines(lambda _: True),
        ):
            text += sum(len(line) + 1 for line in lines)
        return text
