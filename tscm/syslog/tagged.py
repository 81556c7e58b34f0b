"""
Lines with a tag of some numbers, out of a whole block: by the compiled search where it was built.
"""

import re
from collections.abc import Callable, Iterable

from tscm.syslog.asa_tag import tag_of

Spans = list[tuple[int, int]]
"""Where lines begin and end in their block, in their order."""
Search = Callable[[bytes], Spans]
SearchEach = Callable[[bytes], tuple[Spans, ...]]
"""Several searches at once: the lines of each of them."""
_AT_ONCE = 4096
_ARGUMENTS = 8  # of the compiled function
_LEAST = 14  # octets of a line that is a tag and nothing else


def searched(numbers: Iterable[str]) -> Search:
    """
    A search for the lines of a block that hold a tag of one of *numbers* (six digits each), as `tag_of` has it.
    """
    each = searched_each(numbers)
    return lambda block: each(block)[0]


def searched_each(*sets: Iterable[str]) -> SearchEach:
    """The same for several sets of numbers, in one look at the block."""
    wanted = [sorted(numbers) for numbers in sets]
    try:
        return compiled_search(*wanted)
    except ImportError:
        return plain_search(*wanted)


def plain_search(*sets: Iterable[str]) -> SearchEach:
    """By regular expressions, which take ten times as long."""
    tags = [tag_of("|".join(numbers).encode()) for numbers in sets]

    def search(block: bytes) -> tuple[Spans, ...]:
        return tuple(_lines_with(tag, block) for tag in tags)

    return search


def _lines_with(tag: re.Pattern[bytes], block: bytes) -> Spans:
    found: Spans = []
    done = 0
    for match in tag.finditer(block):
        if match.start() < done:
            continue  # a second tag in the line just taken
        start = block.rfind(b"\n", 0, match.start()) + 1
        done = block.find(b"\n", match.end()) + 1 or len(block)
        found.append((start, done))
    return found


def compiled_search(*sets: Iterable[str]) -> SearchEach:
    """In C.  Raises `ImportError` where it was not built."""
    from tscm.syslog import _tags  # type: ignore[attr-defined]

    ffi, find = _tags.ffi, _tags.lib.find_tagged
    if len(ffi.typeof(find).args) != _ARGUMENTS:
        raise ImportError("the compiled search was built from a different version of its source")
    bits: dict[int, int] = {}
    for place, numbers in enumerate(sets):
        for number in map(int, numbers):
            bits[number] = bits.get(number, 0) | 1 << place
    wanted = ffi.new("unsigned[]", sorted(bits))
    kinds = ffi.new("unsigned[]", [bits[number] for number in sorted(bits)])
    count = len(sets)

    def search(block: bytes) -> tuple[Spans, ...]:
        data, at = ffi.from_buffer(block), 0
        most = min(_AT_ONCE, len(block) // _LEAST + 1)
        room = ffi.new("unsigned[]", 3 * most)  # of its own: several threads may search
        done = ffi.new("size_t *")
        found: tuple[Spans, ...] = tuple([] for _ in range(count))
        while at < len(block):
            lines = find(data + at, len(block) - at, wanted, kinds, len(wanted), room, most, done)
            if lines:
                places = ffi.unpack(room, 3 * lines)
                starts, ends, known = places[::3], places[1::3], places[2::3]
                if at:
                    starts, ends = [one + at for one in starts], [one + at for one in ends]
                spans = list(zip(starts, ends, strict=True))
                met = set(known)
                for place in range(count):
                    bit = 1 << place
                    if met == {bit}:  # nearly always: lines of one set alone
                        found[place].extend(spans)
                    elif any(one & bit for one in met):
                        found[place].extend(
                            span for span, one in zip(spans, known, strict=True) if one & bit
                        )
            at += done[0]
        return found

    return search
