"""
What is published for a firewall, told apart by its time: for consumers that ask by `If-Modified-Since` alone.
"""

from pathlib import Path

import pytest

from tscm.services.list_gate import http_date, is_held
from tscm.services.publication import PLAIN_BLOCK, TEXT, Body, Publication, publish


def put(folder: Path, content: bytes, generation: int, now: float) -> Publication:
    body = Body(content, TEXT, 1)
    return publish(folder, {PLAIN_BLOCK: body}, generation=generation, now=now)


@pytest.mark.parametrize("later", [0.2, -3600.0], ids=["within a second", "clock set back"])
def test_another_content_is_younger_whatever_the_clock_says(tmp_path: Path, later: float) -> None:
    first = put(tmp_path, b"198.51.100.7\n", 1, 10_000.1)
    second = put(tmp_path, b"198.51.100.8\n", 2, 10_000.1 + later)
    since = http_date(first.published_at).encode()
    for one, held in ((first, True), (second, False)):
        assert is_held(one.files[PLAIN_BLOCK], one.published_at, [], since) == held

    same = put(tmp_path, b"198.51.100.8\n", 3, 20_000.0)
    assert same.published_at == second.published_at
