"""
Batches over HTTP: one request at a time on each connection, all of it within a bound.

Blocking, for a thread.  No redirect is followed, no proxy and no account is taken out of the environment, and the
answer is read up to a bound.
"""

import gzip
import re
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import httpx
from attrs import define, field, frozen

from tscm import __version__
from tscm.base.deadline import CutOff
from tscm.base.safe_files import trusting
from tscm.base.watched_http import WatchedTransport, Wire
from tscm.printable import quoted
from tscm.settings.layout import Layout
from tscm.settings.secret_file import SecretFileFaulty, read_secret
from tscm.settings.sinks import SinkSettings, SinkType
from tscm.sinks.acknowledgement import AckChannel
from tscm.sinks.form import Answer, Form, Request
from tscm.sinks.loki import LokiForm
from tscm.sinks.opensearch import OpenSearchForm
from tscm.sinks.outcome import Failed, Outcome, Taken
from tscm.sinks.records import Records
from tscm.sinks.splunk import SplunkForm
from tscm.wire.bounded_json import read_json

_MOST_ANSWER = 4 << 20
_MARKS_OF_LINE, _MARKS_BESIDE = 40, 1000
"""Of an answer: OpenSearch gives each line a result, with causes within causes where it leaves `filter_path` out of account."""
_SHOWN = 300
_MOST_WAIT = 3600.0
_SECONDS = re.compile(r"[0-9]{1,6}")

FORMS: dict[str, Form] = {
    SinkType.SPLUNK: SplunkForm(),
    SinkType.OPENSEARCH: OpenSearchForm(),
    SinkType.LOKI: LokiForm(),
}


@frozen
class _Client:
    http: httpx.Client
    wire: Wire
    channel: str
    """Of Splunk's acknowledgements: one for each connection."""


@define(eq=False)
class HttpSender:
    """
    Sends batches to one sink; connections are kept and used again.
    """

    _MOST_IDLE: ClassVar[int] = 8

    _sink: SinkSettings
    _layout: Layout | None = None
    _sleep: Callable[[float], None] = time.sleep
    _clock: Callable[[], float] = time.monotonic
    _idle: list[_Client] = field(factory=list, init=False)
    """A list takes and gives in one step, whatever thread asks."""

    def send(self, records: Records) -> Outcome:
        """Send one batch.  Blocking, for the timeout of the sink at most."""
        form = FORMS[self._sink.type]
        request = form.request(self._sink, records)
        try:
            secret = self._secret()
            client = self._idle.pop() if self._idle else self._made()
        except SecretFileFaulty as error:
            return Failed(f"cannot be used: {error}")
        except (OSError, ssl.SSLError) as error:
            return Failed(f"cannot be used: ca_file: {error}; correct ca_file")
        headers = dict(form.headers(self._sink, secret))
        kept = False
        try:
            with client.wire.cut.within(self._sink.timeout_seconds):
                outcome, kept = self._exchange(client, form, request, headers, len(records.lines))
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            outcome = Failed(self._cause(error, client))
        finally:
            if kept and len(self._idle) < self._MOST_IDLE:
                self._idle.append(client)
            else:
                client.http.close()
        return outcome

    def close(self) -> None:
        """Close the connections that are kept."""
        while self._idle:
            self._idle.pop().http.close()

    def _secret(self) -> str | None:
        """Read for each batch, so that a new token needs no restart."""
        sink = self._sink
        if sink.secret_file is None:
            return None
        where = f"sink/{sink.name}"
        return read_secret(Path(sink.secret_file), where, self._layout, "secret_file").reveal()

    def _made(self) -> _Client:
        context = trusting(self._sink.ca_file)
        wire = Wire(CutOff())
        http = httpx.Client(
            transport=WatchedTransport(wire, verify=context),
            timeout=self._sink.timeout_seconds,
            follow_redirects=False,
            trust_env=False,
        )
        return _Client(http, wire, str(uuid4()))

    def _exchange(
        self, client: _Client, form: Form, request: Request, headers: dict[str, str], lines: int
    ) -> tuple[Outcome, bool]:
        """The outcome, and whether the connection can be used again."""
        sink = self._sink
        if sink.acknowledge:
            headers["X-Splunk-Request-Channel"] = client.channel
        answer = self._post(client, request, headers, lines)
        outcome = form.outcome(sink, answer, lines)
        if not sink.acknowledge or not isinstance(outcome, Taken):
            return outcome, isinstance(outcome, Taken)
        channel = AckChannel(sink.timeout_seconds * 0.9, self._clock, self._sleep)
        outcome = channel.wait(answer, lambda asked: self._post(client, asked, headers, lines))
        return outcome, isinstance(outcome, Taken)

    def _post(
        self, client: _Client, request: Request, headers: dict[str, str], lines: int
    ) -> Answer:
        client.wire.begin()
        body = request.body
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"tscm/{__version__}",
            "Accept-Encoding": "identity",
            **headers,
            **request.headers,
        }
        most = _MARKS_BESIDE + _MARKS_OF_LINE * lines
        if self._sink.compress:
            body = gzip.compress(body, 1)
            headers["Content-Encoding"] = "gzip"
        url = f"{(self._sink.url or '').rstrip('/')}{request.path}"
        with client.http.stream("POST", url, content=body, headers=headers) as response:
            said = bytearray()
            for piece in response.iter_raw(1 << 16):
                said += piece
                if len(said) > _MOST_ANSWER:
                    raise ValueError(f"its answer is longer than {_MOST_ANSWER >> 20} MB")
            return Answer(
                status=response.status_code,
                text=quoted(bytes(said[: 4 * _SHOWN]).decode("utf-8", "replace"), _SHOWN),
                json=_json(bytes(said), most),
                retry_after=_wait(response.headers.get("Retry-After", "")),
            )

    def _cause(self, error: Exception, client: _Client) -> str:
        if client.wire.cut.stopped:
            return "was left because the manager is stopping"
        if client.wire.cut.over or isinstance(error, httpx.TimeoutException):
            seconds = self._sink.timeout_seconds
            did = "answer" if client.wire.connected else "accept a connection"
            return f"did not {did} within {seconds:.0f} s"
        said = quoted(str(error) or type(error).__name__, _SHOWN)
        return f"{'broke the exchange' if client.wire.connected else 'is unreachable'}: {said}"


def _json(body: bytes, most: int) -> Any:
    """*body* where it is JSON of at most *most* marks; None for everything else, deep nests and endless numbers among it."""
    if body[:1] not in (b"{", b"["):
        return None
    try:
        return read_json(body, most)
    except ValueError:
        return None


def _wait(text: str) -> float:
    """`Retry-After` in seconds (RFC 9110, 10.2.3); a date is not read, the back-off does as well."""
    return min(_MOST_WAIT, float(text)) if _SECONDS.fullmatch(text) else 0.0
