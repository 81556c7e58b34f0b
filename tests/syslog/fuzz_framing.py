"""
Coverage-guided fuzzing of what reads strangers' bytes: `make fuzz`, FUZZ_SECONDS for its length.

Looks for exceptions, for results that depend on how the bytes were cut into reads, and for
memory that grows past the limit.  Needs atheris, which the tox environment `fuzz` installs.
"""

import os
import sys

import atheris  # type: ignore[import-untyped]

with atheris.instrument_imports():
    from tscm.syslog.framing import StreamDecoder, close_messages, messages_of
    from tscm.syslog.header import all_names

LIMIT = 64


def decoded(reads: list[bytes]) -> tuple[list[bytes], int, int]:
    """All messages of a connection, and its counts."""
    decoder = StreamDecoder(LIMIT)
    found: list[bytes] = []
    for read in reads:
        lines = decoder.feed(read)
        if lines is not None:
            found += messages_of(lines)
        assert len(decoder.state().partial) <= max(2 * LIMIT + 32, 12_000)
    rest = decoder.close()
    if rest is not None:
        found += messages_of(rest)
    return found, decoder.cut, decoder.faults


def one(data: bytes) -> None:
    """One input: the first byte says where to cut."""
    step, sent = (data[0] % 17 + 1, data[1:]) if data else (1, b"")
    whole = decoded([sent])
    assert whole == decoded([sent[at : at + step] for at in range(0, len(sent), step)])
    assert all(len(message) <= LIMIT for message in whole[0])
    closed = close_messages(whole[0], LIMIT)
    if closed.lines is not None:
        assert closed.lines.data.count(b"\n") == closed.lines.count
    assert len(all_names(sent)) <= 16


if __name__ == "__main__":
    seconds = os.environ.get("FUZZ_SECONDS", "600")
    atheris.Setup([*sys.argv, f"-max_total_time={seconds}", "-max_len=400"], one)
    atheris.Fuzz()
