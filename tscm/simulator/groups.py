"""
Groups and named objects as the configuration holds them.
"""

from collections.abc import Iterator, Sequence

from attrs import define, evolve, field, frozen

from tscm.simulator import members
from tscm.simulator.refusal import INCOMPLETE, Cause, Refused

NAME_CHARACTERS = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.!@#$%^&()-_{}"
)
MAX_NAME = 64


@define(eq=False)
class NetworkGroup:
    """
    A network object-group; *size* counts the bytes of its rendered lines.
    """

    name: str
    description: str = ""
    members: dict[str, None] = field(factory=dict)
    children: set[str] = field(factory=set)
    size: int = 0
    version: int = 0

    def copy(self) -> "NetworkGroup":
        """A twin that can be changed without changing this one."""
        return evolve(self, members=dict(self.members), children=set(self.children))

    def put(self, member: str) -> None:
        """Append *member*, unchecked."""
        self.members[member] = None
        self.size += len(member) + 2
        child = members.nested_name(member)
        if child is not None:
            self.children.add(child)

    def take(self, member: str) -> None:
        """Take *member* out, unchecked."""
        del self.members[member]
        self.size -= len(member) + 2
        child = members.nested_name(member)
        if child is not None:
            self.children.discard(child)

    def lines(self) -> Iterator[str]:
        """As the running configuration shows it."""
        yield f"object-group network {self.name}"
        if self.description:
            yield f" description {self.description}"
        for member in self.members:
            yield " " + member


@frozen
class NetworkObject:
    """
    A named network object; *body* is its sub-mode line (`host 192.0.2.1`, `subnet …`).
    """

    name: str
    body: str = ""
    description: str = ""

    def lines(self) -> Iterator[str]:
        """As the running configuration shows it."""
        yield f"object network {self.name}"
        if self.body:
            yield " " + self.body
        if self.description:
            yield " description " + self.description


def check_name(name: str) -> None:
    """Raise unless *name* may name an object or group."""
    if not 0 < len(name) <= MAX_NAME or not NAME_CHARACTERS.issuperset(name):
        raise Refused(Cause.BAD_NAME, f"ERROR: name {name[:80]!r} is not valid")


def object_body(words: Sequence[str]) -> str:
    """The checked sub-mode line of a named network object."""
    match list(words):
        case ["host", address]:
            made = members.host6(address) if ":" in address else members.host(address)
            return made.removeprefix("network-object ")
        case ["subnet", prefix] if ":" in prefix:
            made = members.from_words(["network-object", prefix])
            return made.replace("network-object ", "subnet ")
        case ["subnet", address, mask]:
            made = members.from_words(["network-object", address, mask])
            return made.replace("network-object ", "" if "host" in made else "subnet ")
        case ["range", first, last]:
            host = members.host6 if ":" in first else members.host
            if members.interval(host(first))[0] > members.interval(host(last))[0]:
                text = "ERROR: end ip address should be greater than start ip address"
                raise Refused(Cause.BAD_MEMBER, text)
            return f"range {first} {last}"
        case ["fqdn", "v4" | "v6" as family, name]:
            return f"fqdn {family} {name}"
        case ["fqdn", name]:
            return f"fqdn {name}"
    raise Refused(Cause.SYNTAX, INCOMPLETE)
