"""
Requests to an HTTP server that the settings name: alarms as signed JSON, and the sign of life.

Blocking, for a thread.  No redirect is followed, no proxy and no account is taken out of the environment, and the
answer is read up to a bound.
"""

import hashlib
import hmac
import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from tscm import __version__
from tscm.base.checked_wire import AddressRefused, CheckedWire
from tscm.base.deadline import CutOff
from tscm.base.safe_files import trusting
from tscm.base.server_addresses import refusal
from tscm.base.watched_http import WatchedTransport
from tscm.channels.fault import ChannelFault, ChannelStopped, answer_text
from tscm.settings.alarms import WebhookSettings
from tscm.settings.layout import Layout
from tscm.settings.secret_file import SecretFileFaulty, read_secret

SIGNATURE = "X-Tscm-Signature"
_ANSWER_BYTES = 2048


def signature(secret: str, at: float, body: bytes) -> str:
    """
    The value of the header: `t=SECONDS,v1=HEX`, an HMAC-SHA256 (RFC 2104) of `SECONDS.BODY`.

    The time is signed too, so that a receiver can reject what is sent again later.
    """
    stamp = str(int(at))
    digest = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={stamp},v1={digest}"


def post(
    settings: WebhookSettings,
    layout: Layout,
    body: bytes | None,
    at: float,
    *,
    url: str | None = None,
    method: str = "POST",
) -> str:
    """
    Send *body* to the webhook, or to *url* by the rules of the webhook; gives the server's answer.

    Blocking; raises `ChannelFault`.
    """
    target = settings.url if url is None else url
    if target is None:
        raise ChannelFault("[webhook] url is not set", "set it in tscm.toml")
    if target.startswith("http:") and not settings.allow_private:
        raise ChannelFault(
            f"{_server(target)} has no TLS", "use https://, or set [webhook] allow_private"
        )
    headers = {"User-Agent": f"tscm/{__version__}", "Accept-Encoding": "identity"}
    if body is not None:
        headers["Content-Type"] = "application/json"
        headers |= _signed(settings, layout, body, at)
    try:
        context = trusting(settings.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ChannelFault(f"[webhook] ca_file cannot be read: {error}", "check the file") from None
    cut = CutOff()
    wire = CheckedWire(
        cut, lambda _, address: refusal(address, allow_private=settings.allow_private)
    )
    try:
        with (
            cut.within(settings.timeout_seconds),
            httpx.Client(
                transport=WatchedTransport(wire, verify=context),
                timeout=settings.timeout_seconds,
                follow_redirects=False,
                trust_env=False,
            ) as client,
        ):
            return _exchange(client, method, target, body, headers)
    except AddressRefused as error:
        raise ChannelFault(str(error), "correct the URL, or set allow_private") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        if cut.stopped:
            raise ChannelStopped(_server(target)) from None
        late = cut.over or isinstance(error, httpx.TimeoutException)
        cause = str(error).partition(": bytearray(")[0]  # behind it h11 quotes a value of Python
        over = "it did not answer in time" if late else answer_text(cause)
        raise ChannelFault(f"{_server(target)}: {over}", "check the URL and the server") from None


def _server(url: str) -> str:
    """Scheme, host and port of *url*: its path may be all that a service asks for, and faults are shown to everybody."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _signed(settings: WebhookSettings, layout: Layout, body: bytes, at: float) -> Mapping[str, str]:
    if settings.secret_file is None:
        return {}
    try:
        secret = read_secret(
            Path(settings.secret_file), "webhook/secret", layout, "secret_file"
        ).reveal()
    except SecretFileFaulty as error:
        raise ChannelFault(f"[webhook] {error.cause}", error.remedy) from None
    return {SIGNATURE: signature(secret, at, body)}


def _exchange(
    client: httpx.Client, method: str, url: str, body: bytes | None, headers: Mapping[str, str]
) -> str:
    with client.stream(method, url, content=body, headers=dict(headers)) as response:
        said = b""
        for piece in response.iter_raw(_ANSWER_BYTES):
            said += piece[: _ANSWER_BYTES - len(said)]
            if len(said) >= _ANSWER_BYTES:
                break
        answer = f"{response.status_code} {answer_text(response.reason_phrase)}".strip()
        text = answer_text(said)
        if response.is_redirect:
            raise ChannelFault(
                f"{_server(url)} answered {answer}, and redirects are not followed",
                "set the final URL",
            )
        if not response.is_success:
            raise ChannelFault(f"{_server(url)} answered {answer}{f': {text}' if text else ''}")
        return f"{answer}{f': {text}' if text else ''}"
