"""
AWS Signature Version 4 (AWS General Reference, "Signing AWS API requests"), for S3 and its kin.

Pure: the time is handed in, and nothing is sent.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, urlsplit

from attrs import field, frozen

from tscm.base.secrets import Secret

_ALGORITHM = "AWS4-HMAC-SHA256"


@frozen(kw_only=True)
class Credentials:
    """
    Who signs, and for which region.
    """

    access_key: str
    secret_key: Secret = field(repr=False)
    region: str = "us-east-1"


def signed(
    method: str,
    url: str,
    headers: Mapping[str, str],
    content_sha256: str,
    *,
    credentials: Credentials,
    now: float,
) -> dict[str, str]:
    """
    *headers* and what makes the request a signed one.

    *url* is percent-encoded already, as it will be sent; S3 signs its path as it stands.
    """
    parts = urlsplit(url)
    at = datetime.fromtimestamp(now, UTC)
    stamp, day = at.strftime("%Y%m%dT%H%M%SZ"), at.strftime("%Y%m%d")
    whole = {
        **headers,
        "Host": parts.netloc,
        "X-Amz-Date": stamp,
        "X-Amz-Content-Sha256": content_sha256,
    }
    lowered = {name.lower(): " ".join(value.split()) for name, value in whole.items()}
    names = ";".join(sorted(lowered))
    request = "\n".join(
        (
            method,
            parts.path or "/",
            _query(parts.query),
            *(f"{name}:{lowered[name]}" for name in sorted(lowered)),
            "",
            names,
            content_sha256,
        )
    )
    scope = f"{day}/{credentials.region}/s3/aws4_request"
    digest = hashlib.sha256(request.encode()).hexdigest()
    text = f"{_ALGORITHM}\n{stamp}\n{scope}\n{digest}"
    key = f"AWS4{credentials.secret_key.reveal()}".encode()
    for piece in (day, credentials.region, "s3", "aws4_request"):
        key = hmac.digest(key, piece.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    whole["Authorization"] = (
        f"{_ALGORITHM} Credential={credentials.access_key}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    return whole


def _query(query: str) -> str:
    """The canonical form of a query: sorted, everything but unreserved characters encoded."""
    pairs = parse_qsl(query, keep_blank_values=True)
    encoded = [(quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in pairs]
    return "&".join(f"{name}={value}" for name, value in sorted(encoded))
