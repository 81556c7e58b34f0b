"""
`show running-config object-group`, read line by line as it comes.  Pure.

Only the network groups of one prefix are kept; of the others only that they are there.
"""

import ipaddress
import re

from attrs import define, field

from tscm.kinds.asa.driver import Group
from tscm.model import Cidr
from tscm.policy.spelling import read_cidr

MOST_MEMBERS = 500_000
"""Of groups of ours, on one device; more than any is known to bear."""
_DESCRIPTION = 1000
_HEAD = re.compile(r"object-group (\S+) (\S+)")
_OCTET = r"[0-9]{1,3}"
_IPV4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")


class TooManyMembers(Exception):
    """
    Our groups have more members than any device bears.
    """


@define(eq=False)
class GroupReader:
    """
    *take* each line; `groups` are those of the prefix then.

    *others* counts groups of any other kind and name, *complaints* are lines that no configuration has.
    """

    prefix: str
    groups: dict[str, Group] = field(factory=dict, init=False)
    others: int = field(default=0, init=False)
    complaints: list[str] = field(factory=list, init=False)
    _name: str = field(default="", init=False)
    _members: list[Cidr] = field(factory=list, init=False)
    _children: list[str] = field(factory=list, init=False)
    _description: str = field(default="", init=False)
    _foreign: int = field(default=0, init=False)
    _count: int = field(default=0, init=False)

    def take(self, line: str) -> None:
        """One line.  Raises `TooManyMembers`."""
        line = line.rstrip()
        if line.startswith(" "):
            if self._name:
                self._below(line.strip())
            return
        if found := _HEAD.match(line):
            self.end()
            if found[1] == "network" and found[2].startswith(f"{self.prefix}-"):
                self._name = found[2]
            else:
                self.others += 1
        elif line and not line.startswith(("!", ":")):
            self.complaints.append(line)
            del self.complaints[10:]

    def end(self) -> None:
        """The last group is complete."""
        if self._name:
            self.groups[self._name] = Group(
                name=self._name,
                members=tuple(self._members),
                children=tuple(self._children),
                description=self._description,
                foreign=self._foreign,
            )
        self._name = self._description = ""
        self._members, self._children, self._foreign = [], [], 0

    def _below(self, line: str) -> None:
        self._count += 1
        if self._count > MOST_MEMBERS:
            raise TooManyMembers(f"the groups of tscm have more than {MOST_MEMBERS:,} members")
        kind, _, rest = line.partition(" ")
        if kind == "description":
            self._description = rest[:_DESCRIPTION]
        elif kind == "group-object" and rest:
            self._children.append(rest)
        elif kind == "network-object" and (cidr := member_of(rest)) is not None:
            self._members.append(cidr)
        else:
            self._foreign += 1


def member_of(words: str) -> Cidr | None:
    """What follows `network-object`, as a network; None where it is none, such as an object or a name."""
    first, _, second = words.partition(" ")
    if first == "host":
        if _IPV4.fullmatch(second):
            return Cidr(f"{second}/32") if _octets(second) else None
        return _read(f"{second}/128") if ":" in second else None
    if second and _IPV4.fullmatch(first):
        length = _LENGTHS.get(second)
        return None if length is None or not _octets(first) else Cidr(f"{first}/{length}")
    return _read(first) if ":" in first and not second else None


def _octets(address: str) -> bool:
    return all(int(one) < 256 for one in address.split("."))


def _read(text: str) -> Cidr | None:
    try:
        return read_cidr(text)[0]
    except ValueError:
        return None


_LENGTHS = {str(ipaddress.IPv4Network(f"0.0.0.0/{bits}").netmask): bits for bits in range(33)}
