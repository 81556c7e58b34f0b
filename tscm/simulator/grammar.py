"""
Command words: which may follow which, and how short each may be.

A command line takes a keyword's beginning for the keyword where no other begins so (ASA command line
interface guide, "Abbreviate Commands"); where two do, the line is ambiguous.  Where a name of the
operator's own may stand, a keyword must be whole: `access-list re` is a list called re.

Pure.  A table has one line for each form of a command:

    configure terminal          keywords; alternatives as `in|out`
    show~sh                     a keyword with a short form that wins over other keywords
    hostname NAME               any one word
    terminal pager N            a number or an address: a word that begins with a digit or holds a colon
    banner ...                  whatever follows
"""

from collections.abc import Sequence

from attrs import define, field, frozen

from tscm.simulator.refusal import AMBIGUOUS, INCOMPLETE, INVALID, Cause, Refused


@define(eq=False)
class Node:
    """
    What may stand at one place of a line.
    """

    words: dict[str, "Node"] = field(factory=dict)
    short: dict[str, str] = field(factory=dict)
    """Short forms that stand for one keyword though others begin so too."""
    name: "Node | None" = None
    number: "Node | None" = None
    ends: bool = False
    """May the line end before this place?"""
    free: bool = False
    """From here on anything may stand."""

    def candidates(self, word: str) -> list[str]:
        """The keywords that *word* may stand for; one where it is whole."""
        if word in self.words:
            return [word]
        if word in self.short:
            return [self.short[word]]
        return [one for one in self.words if one.startswith(word)]

    def add(self, line: str) -> None:
        """Take in one line of a table."""
        places = [self]
        for piece in line.split():
            if piece == "...":
                for place in places:
                    place.free = place.ends = True
                return
            places = [place.child(one) for place in places for one in piece.split("|")]
        for place in places:
            place.ends = True

    def child(self, piece: str) -> "Node":
        """What follows *piece* of a table's line; made where it is not there."""
        if piece == "NAME":
            self.name = self.name or Node()
            return self.name
        if piece == "N":
            self.number = self.number or Node()
            return self.number
        word, _, short = piece.partition("~")
        if short:
            self.short[short] = word
        return self.words.setdefault(word, Node())


def table(lines: str) -> Node:
    """The tree of a table; blank lines and those that begin with `#` are passed over."""
    root = Node()
    for line in lines.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            root.add(line)
    return root


@frozen(kw_only=True)
class Mode:
    """
    What a session takes: the first of *roots* that knows the first word decides.

    *negative* are the roots of what may follow `no`.
    """

    roots: tuple[Node, ...]
    negative: tuple[Node, ...] = ()


@frozen(kw_only=True)
class Resolved:
    """
    A line with its keywords in full; *root* is the one that took it.
    """

    words: tuple[str, ...]
    root: Node
    negative: bool = False
    """Did it begin with `no`?  *words* are those behind it."""


def resolve(words: Sequence[str], mode: Mode) -> Resolved:
    """
    Spell the keywords of *words* out; raises `Refused` with the place of the word at fault.
    """
    if words[0] != "no" or not mode.negative:
        return _in_first(words, mode.roots, first=0)
    if len(words) == 1:
        raise Refused(Cause.SYNTAX, INCOMPLETE)
    return _in_first(words[1:], mode.negative, first=1)


def _in_first(words: Sequence[str], roots: Sequence[Node], *, first: int) -> Resolved:
    """
    The first root that takes the line; of several refusals the one that came furthest.

    A whole keyword wins in whichever root it stands over one that is only begun.
    """
    word = words[0]
    knowing = [root for root in roots if word in root.words or word in root.short]
    knowing = knowing or [root for root in roots if root.candidates(word)]
    if not knowing:
        raise Refused(Cause.SYNTAX, INVALID, at=first)
    furthest: Refused | None = None
    for root in knowing:
        try:
            spelt = _spell(words, root, first=first)
        except Refused as refusal:
            if furthest is None or refusal.at > furthest.at:
                furthest = refusal
        else:
            return Resolved(words=tuple(spelt), root=root, negative=first > 0)
    assert furthest is not None
    raise furthest


def _spell(words: Sequence[str], root: Node, *, first: int) -> list[str]:
    """Behind `no` the line may end anywhere: `no logging trap` needs no level."""
    spelt: list[str] = []
    place = root
    for at, word in enumerate(words):
        # Most words are whole, and a configuration has a hundred thousand lines.
        following = place.words.get(word)
        if following is None:
            if place.free and not place.words:
                return [*spelt, *words[at:]]
            following, word = _step(place, word, first + at)  # noqa: PLW2901
            if following is None:
                return [*spelt, *words[at:]]
        spelt.append(word)
        place = following
    if not place.ends and not first:
        raise Refused(Cause.SYNTAX, INCOMPLETE, at=len(words))
    return spelt


def _step(place: Node, word: str, at: int) -> tuple[Node | None, str]:
    """Where *word* leads, and its spelling; None where whatever follows is taken."""
    found = place.candidates(word)
    if place.name is not None:
        return place.name, word
    if len(found) == 1:
        return place.words[found[0]], found[0]
    if place.number is not None and _is_number(word):
        return place.number, word
    if found:
        raise Refused(Cause.SYNTAX, AMBIGUOUS, at=at)
    if place.free:
        return None, word
    raise Refused(Cause.SYNTAX, INVALID, at=at)


def _is_number(word: str) -> bool:
    return word[0] in "0123456789" or ":" in word
