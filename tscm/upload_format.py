"""
How a batch of log lines is handed to the log service: the one page that both sides read.

    POST {base}/v1/logs HTTP/1.1
    Authorization: Basic (device id : device key)              RFC 7617
    Idempotency-Key: "00000000000000000000-5f0c"         draft-ietf-httpapi-idempotency-key
    Content-Digest: sha-256=:...:                              RFC 9530, over the content as sent
    Content-Type: text/plain; charset=utf-8
    Content-Encoding: zstd | gzip | absent
    Tscm-Device-Id: tdid_abcd1234
    Tscm-Lines: 4711
    Tscm-Batch-Range: 0-523311

The content is whole lines, each closed by LF, as they stand in the device's log (escapes of
`tscm.syslog.escape` included).  The range is the part of the log that the batch was picked from,
as logical offsets, end excluded.

    201  stored: the lines are on the service's disk
    200  this idempotency key was stored before; nothing was stored again
    400  headers, digest, lines or range do not fit; sending the same again will not help
    401  unknown device ID or wrong key
    409  the idempotency key was used with other content
    413  larger than the service takes: split the batch
    415  content encoding or type that the service does not read
    429, 503, 507  later; `Retry-After` says when (507: the service's disk is short of space)

Every answer has a JSON body: `{"status": "stored" | "known", "batch": ..., "lines": ...,
"bytes": ...}` or `{"error": "a sentence"}`.
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Mapping

from attrs import frozen

PATH = "/v1/logs"
CONTENT_TYPE = "text/plain; charset=utf-8"
ENCODINGS = ("zstd", "gzip")
"""Content encodings that the log service reads, besides none; the best first."""

AUTHORIZATION = "Authorization"
IDEMPOTENCY_KEY = "Idempotency-Key"
CONTENT_DIGEST = "Content-Digest"
CONTENT_ENCODING = "Content-Encoding"
DEVICE_ID = "Tscm-Device-Id"
LINES = "Tscm-Lines"
BATCH_RANGE = "Tscm-Batch-Range"
RETRY_AFTER = "Retry-After"

STORED = 201
KNOWN = 200
CONFLICT = 409

MAX_CONTENT_BYTES = 64 << 20
"""Largest content as sent; the log service answers 413 above it."""
MAX_PLAIN_BYTES = 1 << 30
"""Largest content once it is decoded; what swells beyond it is refused with 413."""

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_DEVICE_ID = re.compile(r"tdid_[A-Za-z0-9]{1,64}")
_RANGE = re.compile(r"([0-9]{1,20})-([0-9]{1,20})")
_SHA256 = re.compile(r"(?:^|,)\s*sha-256=:([A-Za-z0-9+/=]{1,64}):\s*(?:;[^,]*)?(?=,|$)")
_BASIC_MAX = 1024


@frozen(kw_only=True)
class BatchHead:
    """
    What the headers of one upload say of it; *encoding* is empty for plain content.
    """

    device_id: str
    batch: str
    start: int
    end: int
    lines: int
    encoding: str
    digest: bytes


@frozen
class Answer:
    """
    What the log service said: *stored* is true for a batch that is safe there, new or known.
    """

    stored: bool
    known: bool
    sentence: str


def content_digest(content: bytes) -> str:
    """`Content-Digest` of the content as it is sent (RFC 9530, section 2)."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"


def digest_fits(head: BatchHead, sha256: bytes) -> bool:
    """Whether the content whose SHA-256 is *sha256* is what the sender meant."""
    return hmac.compare_digest(head.digest, sha256)


def basic_credentials(device_id: str, device_key: str) -> str:
    """The value of `Authorization` (RFC 7617, UTF-8)."""
    return "Basic " + base64.b64encode(f"{device_id}:{device_key}".encode()).decode()


def read_basic(value: str) -> tuple[str, str] | None:
    """Device ID and key out of `Authorization`; None when there are none to be read."""
    scheme, _, rest = value.partition(" ")
    if scheme.lower() != "basic" or len(rest) > _BASIC_MAX:
        return None
    try:
        user, colon, key = base64.b64decode(rest.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return (user, key) if colon else None


def batch_key(start: int, salt: str) -> str:
    """
    The idempotency key of the batch that begins at offset *start* of a device's log.

    *salt* is random and persisted with the batch: a device that is removed and added again begins
    a new log at offset 0, whose batches must not pass for those of the old one.
    """
    return f"{start:020d}-{salt}"


def part_key(batch: str, part: int) -> str:
    """The key of one part of a batch that had to be split; parts may be split again."""
    return f"{batch}.{part}"


def request_headers(
    *, device_id: str, batch: str, start: int, end: int, lines: int, content: bytes, encoding: str
) -> dict[str, str]:
    """
    All headers of an upload but `Authorization`; *content* is what goes over the wire.
    """
    headers = {
        "Content-Type": CONTENT_TYPE,
        IDEMPOTENCY_KEY: f'"{batch}"',
        CONTENT_DIGEST: content_digest(content),
        DEVICE_ID: device_id,
        LINES: str(lines),
        BATCH_RANGE: f"{start}-{end}",
    }
    if encoding:
        headers[CONTENT_ENCODING] = encoding
    return headers


def read_head(headers: Mapping[str, str]) -> BatchHead:
    """
    The headers of an upload, by lower-case name; raises `ValueError` with a sentence.

    Nothing here can leave the folder that a device's uploads lie in: key and device ID are
    held to letters, digits and a few harmless signs.  The encoding is not judged.
    """
    device = headers.get(DEVICE_ID.lower(), "").strip()
    if not _DEVICE_ID.fullmatch(device):
        raise ValueError(f"{DEVICE_ID} is missing or no device ID")
    batch = headers.get(IDEMPOTENCY_KEY.lower(), "").strip().strip('"')
    if not _KEY.fullmatch(batch):
        raise ValueError(f"{IDEMPOTENCY_KEY} is missing or out of form")
    span = _RANGE.fullmatch(headers.get(BATCH_RANGE.lower(), "").strip())
    if span is None or int(span[1]) > int(span[2]):
        raise ValueError(f"{BATCH_RANGE} is missing or no range of offsets")
    lines = headers.get(LINES.lower(), "").strip()
    if not re.fullmatch(r"[0-9]{1,12}", lines):
        raise ValueError(f"{LINES} is missing or no count")
    found = _SHA256.search(headers.get(CONTENT_DIGEST.lower(), ""))
    try:
        digest = base64.b64decode(found[1] if found else "", validate=True)
    except binascii.Error:
        digest = b""
    if len(digest) != hashlib.sha256().digest_size:
        raise ValueError(f"{CONTENT_DIGEST} is missing or holds no sha-256")
    return BatchHead(
        device_id=device,
        batch=batch,
        start=int(span[1]),
        end=int(span[2]),
        lines=int(lines),
        encoding=headers.get(CONTENT_ENCODING.lower(), "").strip().lower(),
        digest=digest,
    )


def stored_body(head: BatchHead, size: int, *, known: bool) -> bytes:
    """The body of a 201, or of a 200 when the batch was *known*."""
    answer = {
        "status": "known" if known else "stored",
        "batch": head.batch,
        "lines": head.lines,
        "bytes": size,
    }
    return json.dumps(answer).encode() + b"\n"


def error_body(sentence: str) -> bytes:
    """The body of every answer that is no success."""
    return json.dumps({"error": sentence}).encode() + b"\n"


def read_answer(status: int, body: bytes, batch: str) -> Answer:
    """
    What an answer means; it counts as stored only if it names the very batch that was sent.

    A proxy or another server that answers 200 with a page of its own has stored nothing.
    """
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    table = found if isinstance(found, dict) else {}
    if status in {STORED, KNOWN}:
        if table.get("batch") == batch and table.get("status") in {"stored", "known"}:
            return Answer(stored=True, known=table["status"] == "known", sentence="")
        return Answer(
            stored=False, known=False, sentence=f"answer {status} is not from a log service"
        )
    sentence = table.get("error")
    if not isinstance(sentence, str):
        sentence = f"answer {status}"
    return Answer(stored=False, known=False, sentence=sentence[:500])


def retry_after(value: str | None, at_most: float) -> float | None:
    """Seconds of `Retry-After`, within *at_most*; None where it gives none (dates are passed over)."""
    if value is None or not re.fullmatch(r"[0-9]{1,9}", value.strip()):
        return None
    return min(float(value), at_most)
