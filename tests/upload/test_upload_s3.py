"""
The S3 receiver against moto's server, and the signature against Amazon's published example.
"""

import gzip
import hashlib
import random
from collections.abc import Iterator
from typing import Any

import pytest
import zstandard

from tscm.base.secrets import Secret
from tscm.upload.batch import Part
from tscm.upload.failure import Kind, UploadFailed
from tscm.upload.receiver import pack
from tscm.upload.s3 import S3Receiver
from tscm.upload.signature import Credentials, signed
from tscm.upload.transport import Way

moto_server = pytest.importorskip(
    "moto.server", reason="needs moto's server: pip install 'moto[s3]' flask flask-cors"
)


def test_the_signature_is_that_of_the_published_example() -> None:
    """Amazon S3 API reference, "Signature calculations: GET bucket lifecycle"."""
    credentials = Credentials(
        access_key="AKIAIOSFODNN7EXAMPLE",
        secret_key=Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    )
    headers = signed(
        "GET",
        "https://examplebucket.s3.amazonaws.com/?lifecycle",
        {},
        hashlib.sha256(b"").hexdigest(),
        credentials=credentials,
        now=1369353600,
    )
    assert headers["X-Amz-Date"] == "20130524T000000Z"
    assert headers["Authorization"].endswith(
        "Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
    )


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def receiver(endpoint: str) -> S3Receiver:
    made = S3Receiver(
        way=Way(url=endpoint, device="fw", name="store", timeout_seconds=10.0),
        device_id="tdid_abcd1234",
        bucket="logs",
        prefix="collector one",
        credentials=Credentials(access_key="testing", secret_key=Secret("testing")),
    )
    with made.way.client() as client:
        made._ask(client, "PUT", f"{endpoint}/logs", {})
    return made


def stored(receiver: S3Receiver, part: Part) -> Any:
    with receiver.way.client() as client:
        return receiver._ask(client, "GET", receiver.url_of(part), {})


@pytest.mark.parametrize("encoding", ["zstd", "gzip", ""])
def test_a_batch_becomes_an_object(receiver: S3Receiver, encoding: str) -> None:
    part = Part(key="00000000000000000000-5f0c", start=0, end=12, encoding=encoding)
    content = pack(b"one\ntwo\n", 2, encoding)
    receiver.send(part, content)
    receiver.send(part, content)  # a repeat is the same object
    reply = stored(receiver, part)
    found = reply.body
    if encoding == "zstd":
        found = zstandard.ZstdDecompressor().decompressobj().decompress(found)
    if encoding == "gzip":
        found = gzip.decompress(found)
    assert found == b"one\ntwo\n"
    assert reply.headers["x-amz-meta-lines"] == "2"
    assert reply.headers["x-amz-meta-range"] == "0-12"


def test_a_large_batch_goes_in_parts(receiver: S3Receiver) -> None:
    import attrs

    small = attrs.evolve(receiver, multipart_bytes=1 << 20, part_bytes=5 << 20)
    data = random.Random(3).randbytes(11 << 20)
    part = Part(key="00000000000000000007-5f0c", start=7, end=9, encoding="")
    small.send(part, pack(data, 1, ""))
    with small.way.client() as client:
        import httpx

        from tscm.upload.signature import signed as sign

        url = small.url_of(part)
        empty = hashlib.sha256(b"").hexdigest()
        headers = sign("GET", url, {}, empty, credentials=small.keys(), now=small.now())
        response: httpx.Response = client.http.get(url, headers=headers)
    assert response.content == data


def test_a_bucket_that_is_not_there_is_said(receiver: S3Receiver) -> None:
    import attrs

    lost = attrs.evolve(receiver, bucket="nowhere")
    with pytest.raises(UploadFailed, match="create bucket nowhere") as failed:
        lost.send(Part(key="k", start=0, end=1), pack(b"x\n", 1, "zstd"))
    assert failed.value.kind is Kind.RETRY


@pytest.mark.parametrize(
    ("status", "code", "kind", "words"),
    [
        (403, "SignatureDoesNotMatch", Kind.ACCOUNT, "check access key"),
        (403, "RequestTimeTooSkewed", Kind.RETRY, "clock"),
        (400, "EntityTooLarge", Kind.SPLIT, "split"),
        (400, "InvalidDigest", Kind.REFUSED, "rejected"),
        (503, "SlowDown", Kind.RETRY, "unless this persists"),
        (301, "PermanentRedirect", Kind.RETRY, "another region"),
        (404, "", Kind.RETRY, "check that"),
    ],
)
def test_each_refusal_has_its_own_words(
    receiver: S3Receiver, status: int, code: str, kind: Kind, words: str
) -> None:
    from tscm.upload.transport import Reply

    body = f"<Error><Code>{code}</Code><Message>said so</Message></Error>".encode()
    failed = receiver._refused(Reply(status=status, headers={}, body=body))
    assert failed.kind is kind
    assert words in str(failed)
    assert "said so" in str(failed)
