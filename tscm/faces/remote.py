"""
The commands by way of another host's API (`docs/operate/api.md`): HTTPS, with a key.
"""

import http.client
import json
import ssl
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from attrs import define, field, frozen

from tscm.errors import ControlUnavailable, TscmError
from tscm.faces.backend import Told, silent
from tscm.faces.client import said
from tscm.model import Json, Report
from tscm.operations.call import quiet
from tscm.operations.job_figures import JobFigures
from tscm.operations.operation import Operation, request_of
from tscm.wire.reading import read, read_value

Args = TypeVar("Args")
Answer = TypeVar("Answer")

_CONNECT_SECONDS = 10.0
_ANSWER_SECONDS = 60.0
_LONG_SECONDS = 3600.0
_ANSWER_BYTES = 256 << 20
_KEY_MOST = 200


@define(eq=False)
class PortalFaulty(TscmError):
    """
    What `tsadmin` was told of another host's API cannot be used.
    """

    exit_status = 2

    cause: str

    def __str__(self) -> str:
        return self.cause


class PortalAway(ControlUnavailable):
    """
    Another host's API cannot be had, or gave no answer of the API.
    """

    def __str__(self) -> str:
        return f"the API at {self.path}: {self.cause}"


@frozen(kw_only=True)
class Portal:
    """
    Where the API is, and how it is asked: *ca_file* holds the certificate to trust, where no public CA stands for it.
    """

    host: str
    port: int
    key: str = field(repr=False)
    ca_file: str | None = None

    @classmethod
    def of(cls, url: str, key: str, ca_file: str | None) -> "Portal":
        """Out of what was typed.  Raises `PortalFaulty`."""
        try:
            parts = urlsplit(url)
            port = parts.port or 443
        except ValueError:
            raise PortalFaulty("--portal is not a URL; allowed: https://ADDRESS[:PORT]") from None
        more = parts.path.strip("/") or parts.query or parts.fragment or parts.username
        if parts.scheme != "https" or not parts.hostname or more:
            raise PortalFaulty(
                "--portal takes https://ADDRESS[:PORT] and nothing behind it, such as "
                "https://tscm.example:9443"
            )
        key = key.strip()
        if not key or len(key) > _KEY_MOST or not key.isascii() or not key.isprintable():
            raise PortalFaulty(
                "the key is not one of the API; make one on that host, on the page under Keys"
            )
        return cls(host=parts.hostname, port=port, key=key, ca_file=ca_file)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"https://{host}:{self.port}"


Connect = Callable[[Portal, float], http.client.HTTPConnection]


def connected(portal: Portal, seconds: float) -> http.client.HTTPConnection:
    """A connection whose peer has proven its name.  Raises `OSError`."""
    context = ssl.create_default_context(cafile=portal.ca_file)
    connection = http.client.HTTPSConnection(
        portal.host, portal.port, timeout=_CONNECT_SECONDS, context=context
    )
    connection.connect()
    connection.sock.settimeout(seconds)
    return connection


@define(eq=False)
class RemoteBackend:
    """
    A `Backend` that asks the API of another host.
    """

    _portal: Portal
    _connect: Connect = connected
    running: bool = field(default=True, init=False)

    def call(
        self,
        operation: Operation[Args, Answer],
        args: Args,
        report: Report = quiet,
        told: Told = silent,
    ) -> Answer:
        """See `Backend`; the API tells no progress."""
        del report, told
        seconds = _LONG_SECONDS if operation.long else _ANSWER_SECONDS
        path, body = request_of(operation, args)
        found = self._asked(operation.verb, path, body, seconds)
        return self._as(lambda: read_value(operation.answer, found))

    def detach(self, operation: Operation[Args, Any], args: Args) -> JobFigures:
        """See `Backend`."""
        path, body = request_of(operation, args)
        found = self._asked(operation.verb, f"{path}?detach=yes", body, _ANSWER_SECONDS)
        return self._as(lambda: read(JobFigures, found["job"]))

    def _as(self, reading: Callable[[], Answer]) -> Answer:
        """What *reading* gives; another program, or another version, may have answered."""
        try:
            return reading()
        except (TypeError, ValueError, LookupError, AttributeError):
            raise self._away(
                "its answer has another form; check that it is a page of tscm, of the same version"
            ) from None

    def _asked(self, verb: str, path: str, body: Json | None, seconds: float) -> Any:
        content = None if body is None else json.dumps(body).encode()
        headers = {
            "Authorization": f"Bearer {self._portal.key}",
            "Content-Type": "application/json",
            "Accept": "application/json",
        }
        try:
            connection = self._connect(self._portal, seconds)
            try:
                connection.request(verb, f"/api{path}", content, headers)
                answer = connection.getresponse()
                status, text = answer.status, answer.read(_ANSWER_BYTES + 1)
            finally:
                connection.close()
        except ssl.SSLCertVerificationError as error:
            raise self._away(
                f"its certificate is not trusted ({error.verify_message}); give the CA or the "
                "certificate itself with --portal_ca"
            ) from None
        except TimeoutError:
            raise self._away(
                "it did not answer in time; `tsadmin audit` there tells what became of the call"
            ) from None
        except UnicodeError:  # of a host name with an empty label, or one over 63 characters
            raise self._away("its name is not a host name") from None
        except (OSError, http.client.HTTPException) as error:
            cause = getattr(error, "strerror", None) or str(error) or "the connection was lost"
            raise self._away(cause) from None
        return self._read(status, text)

    def _read(self, status: int, text: bytes) -> Any:
        if len(text) > _ANSWER_BYTES:
            raise self._away(f"its answer has more than {_ANSWER_BYTES:,} bytes")
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            raise self._away(
                f"it answered with status {status} and no JSON; check that --portal is the page of tscm"
            ) from None
        if isinstance(found, dict) and isinstance(found.get("error"), dict):
            raise self._as(lambda: said(found["error"]))
        if status not in {http.client.OK, http.client.ACCEPTED}:
            raise self._away(f"it answered with status {status}")
        return found

    def _away(self, cause: str) -> ControlUnavailable:
        return PortalAway(str(self._portal), cause)
