"""
Two processes that collect the tests give them the same names.
"""

import gzip

import pytest

from tests.conftest import pytest_make_parametrize_id as name_of

NAMES: list[str] = []


@pytest.mark.parametrize("content", [gzip.compress(b"x"), b"plain", b"\x1f\x8b"])
def test_binary_content_is_in_no_name(content: bytes, request: pytest.FixtureRequest) -> None:
    NAMES.append(request.node.name)
    if content == b"\x1f\x8b":
        assert [name.partition("[")[2] for name in NAMES] == ["content0]", "plain]", "content1]"]


def test_only_what_can_be_read_is_a_name() -> None:
    assert name_of(b"GET / HTTP/1.1", "sent") is None
    assert name_of(b"GET / HTTP/1.1\r\n", "sent") == "sent"
    assert name_of("text", "sent") is None
