"""
The page that uploader and log service agree on.
"""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tscm import upload_format


def headers(**changes: str) -> dict[str, str]:
    made = upload_format.request_headers(
        device_id="tdid_a1",
        batch=upload_format.batch_key(7, "5f0c"),
        start=7,
        end=90,
        lines=3,
        content=b"abc",
        encoding="zstd",
    )
    return {name.lower(): value for name, value in made.items()} | changes


def test_what_the_uploader_writes_the_service_reads() -> None:
    head = upload_format.read_head(headers())
    assert head == upload_format.BatchHead(
        device_id="tdid_a1",
        batch="00000000000000000007-5f0c",
        start=7,
        end=90,
        lines=3,
        encoding="zstd",
        digest=hashlib.sha256(b"abc").digest(),
    )
    assert upload_format.digest_fits(head, hashlib.sha256(b"abc").digest())
    assert not upload_format.digest_fits(head, hashlib.sha256(b"abd").digest())


def test_other_digests_beside_ours_are_passed_over() -> None:
    ours = upload_format.content_digest(b"abc")
    head = upload_format.read_head(headers(**{"content-digest": f"sha-512=:AAAA:, {ours}"}))
    assert head.digest == hashlib.sha256(b"abc").digest()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tscm-device-id", "../../etc"),
        ("tscm-device-id", "tdid_" + "a" * 65),
        ("idempotency-key", "../x"),
        ("idempotency-key", ".hidden"),
        ("idempotency-key", ""),
        ("idempotency-key", "a" * 129),
        ("tscm-batch-range", "9-8"),
        ("tscm-batch-range", "-1-8"),
        ("tscm-lines", "-1"),
        ("tscm-lines", "many"),
        ("content-digest", "sha-256=:AAAA:"),
        ("content-digest", "md5=:AAAA:"),
        ("content-digest", ""),
    ],
)
def test_a_header_out_of_form_is_refused_in_a_sentence(name: str, value: str) -> None:
    with pytest.raises(ValueError, match="missing or"):
        upload_format.read_head(headers(**{name: value}))


@given(st.text(), st.text())
@settings(deadline=None, max_examples=50)
def test_credentials_survive_the_way(device_id: str, key: str) -> None:
    device_id = device_id.replace(":", "")
    value = upload_format.basic_credentials(device_id, key)
    if len(value) < 1000:
        assert upload_format.read_basic(value) == (device_id, key)


@pytest.mark.parametrize("value", ["", "Basic", "Basic !!", "Bearer eHg6eQ==", "Basic eHg="])
def test_damaged_credentials_are_none(value: str) -> None:
    assert upload_format.read_basic(value) is None


def test_a_page_of_another_server_is_no_receipt() -> None:
    head = upload_format.read_head(headers())
    receipt = upload_format.stored_body(head, 10, known=False)
    assert upload_format.read_answer(201, receipt, head.batch).stored
    assert upload_format.read_answer(
        200, upload_format.stored_body(head, 10, known=True), head.batch
    ).known
    for nonsense in (b"<html>welcome</html>", b"[" * 60_000, b'{"a":' * 10_000, b"9" * 60_000):
        assert not upload_format.read_answer(200, nonsense, head.batch).stored
        assert upload_format.read_answer(500, nonsense, head.batch).sentence == "answer 500"
    assert not upload_format.read_answer(201, receipt, "another").stored
    refused = upload_format.read_answer(413, upload_format.error_body("too large"), head.batch)
    assert (refused.stored, refused.sentence) == (False, "too large")


def test_retry_after_is_bounded() -> None:
    assert upload_format.retry_after("30", 3600) == 30
    assert upload_format.retry_after("999999", 3600) == 3600
    assert upload_format.retry_after("Wed, 21 Oct 2026 07:28:00 GMT", 3600) is None
