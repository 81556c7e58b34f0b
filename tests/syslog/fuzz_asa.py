"""
Coverage-guided fuzzing of the ASA parser: `make fuzz`, FUZZ_SECONDS for its length.

Looks for exceptions, for fields out of range, and for a bulk path that tells something else.
Needs atheris, which the tox environment `fuzz` installs.
"""

import os
import sys

import atheris  # type: ignore[import-untyped]

with atheris.instrument_imports():
    from tscm.syslog.asa import is_policy_line, parse, policy_lines
    from tscm.syslog.asa_bulk import event_of, of_event, policy_rows
    from tscm.syslog.escape import escape, unescape

TAGS = (
    b"%ASA-6-106100: access-list ",
    b"%ASA-4-106023: Deny ",
    b"%FTD-6-302013: Built ",
    b"%ASA-6-106100: access-list a denied tcp i/192.0.2.1(1",
    b'%ASA-4-106023: Deny tcp src be:2001:db8::1/1 dst a:be:192.0.2.1/443 by access-group "',
    b"%ASA-2-106006: message repeated 3 times: [ Deny inbound UDP from ",
    b"",
)


def one(data: bytes) -> None:
    """One input: the first byte says which tag stands in the middle of the rest."""
    if not data:
        return
    half = len(data) // 2
    message = data[1:half] + TAGS[data[0] % len(TAGS)] + data[half:]
    line = escape(message)
    event = parse(message, 1.7e9)
    if event is not None:
        assert len(event.message_id) == 6
        assert 0 <= event.severity <= 7
        for end in (event.source, event.destination):
            assert end is None or end.port is None or 0 <= end.port <= 65535
        assert event.hit_count is None or 0 <= event.hit_count < 2**32
    block = b"first\n" + line + b"\nlast\n"
    assert policy_lines(block) == ([line + b"\n"] if is_policy_line(line) else [])
    told = parse(unescape(line)) if is_policy_line(line) else None
    expected = None if told is None else of_event(told)
    assert [event_of(row) for row in policy_rows(block)] == ([] if expected is None else [expected])


if __name__ == "__main__":
    seconds = os.environ.get("FUZZ_SECONDS", "600")
    atheris.Setup([*sys.argv, f"-max_total_time={seconds}", "-max_len=600"], one)
    atheris.Fuzz()
