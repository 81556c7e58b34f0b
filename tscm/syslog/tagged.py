"""
Lines with a tag of some numbers, out of a whole block: by the compiled search where it was built.
"""

from collections.abc import Callable, Iterable

from tscm.syslog.asa_tag import tag_of

Spans = list[tuple[int, int]]
"""Where lines begin and end in their block, in their order."""
Search = Callable[[bytes], Spans]
_AT_ONCE = 4096
_LEAST = 14  # octets of a line that is a tag and nothing else


def searched(numbers: Iterable[str]) -> Search:
    """
    A search for the lines of a block that hold a tag of one of *numbers* (six digits each).

    The compiled one may give lines that hold something like such a tag: who asks looks at them again, by
    `tag_of`.
    """
    wanted = sorted(numbers)
    try:
        return compiled_search(wanted)
    except ImportError:
        return plain_search(wanted)


def plain_search(numbers: Iterable[str]) -> Search:
    """By a regular expression, which takes ten times as long."""
    tag = tag_of("|".join(numbers).encode())

    def search(block: bytes) -> Spans:
        found: Spans = []
        done = 0
        for match in tag.finditer(block):
            if match.start() < done:
                continue  # a second tag in the line just taken
            start = block.rfind(b"\n", 0, match.start()) + 1
            done = block.find(b"\n", match.end()) + 1 or len(block)
            found.append((start, done))
        return found

    return search


def compiled_search(numbers: Iterable[str]) -> Search:
    """In C.  Raises `ImportError` where it was not built."""
    from tscm.syslog import _tags  # type: ignore[attr-defined]

    ffi, find = _tags.ffi, _tags.lib.find_tagged
    wanted = ffi.new("unsigned[]", sorted(map(int, numbers)))

    def search(block: bytes) -> Spans:
        data, at = ffi.from_buffer(block), 0
        most = min(_AT_ONCE, len(block) // _LEAST + 1)
        room = ffi.new("unsigned[]", 2 * most)  # of its own: several threads may search
        done = ffi.new("size_t *")
        found: Spans = []
        while at < len(block):
            count = find(data + at, len(block) - at, wanted, len(wanted), room, most, done)
            if count:
                places = ffi.unpack(room, 2 * count)
                starts, ends = places[::2], places[1::2]
                if at:
                    starts, ends = [one + at for one in starts], [one + at for one in ends]
                found += zip(starts, ends, strict=True)
            at += done[0]
        return found

    return search
