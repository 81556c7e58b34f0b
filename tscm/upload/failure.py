"""
How an upload can fail, in words for the operator and a kind for the program.
"""

import re
from enum import StrEnum

from tscm.errors import TscmError
from tscm.printable import quoted


class Kind(StrEnum):
    """What follows from a failure."""

    RETRY = "retry"
    """Later; the batch is good."""
    SPLIT = "split"
    """The receiver takes less at a time."""
    ENCODING = "encoding"
    """The receiver does not read this compression."""
    CONFLICT = "conflict"
    """The batch's key was used with other content."""
    ACCOUNT = "account"
    """The receiver does not know the device, or not by this key: an operator has to act."""
    REFUSED = "refused"
    """Sending the same again will not help."""


class UploadFailed(TscmError):
    """
    A batch did not reach the receiver, or was not taken.

    The batch waits; *retry_after* is what the receiver asked for, in seconds.
    """

    def __init__(
        self,
        device: str,
        cause: str,
        remedy: str = "",
        *,
        kind: Kind = Kind.RETRY,
        retry_after: float | None = None,
    ) -> None:
        self.device = device
        self.cause = quoted(cause)  # it may quote a log service, a store or a proxy
        self.remedy = remedy
        self.kind = kind
        self.retry_after = retry_after
        super().__init__(device, cause, remedy)

    def __str__(self) -> str:
        tail = f"; {self.remedy}" if self.remedy else ""
        return f"upload of {self.device}: {self.cause}{tail}"


def proxy_words(answer: str) -> tuple[str, str]:
    """
    Cause and remedy for a proxy that answered CONNECT with anything but success.

    *answer* is the status line without the version, such as `407 Proxy Authentication Required`.
    """
    found = re.match(r"\s*([0-9]{3})", answer)
    status = int(found[1]) if found else 0
    if status in {401, 407}:  # tinyproxy says 401 where the password is wrong
        return (
            f"the log upload proxy requires a valid user and password ({status})",
            "set the device's --log_proxy_user and --log_proxy_password",
        )
    if status == 403:
        return (
            "the log upload proxy forbids CONNECT to the log service (403)",
            "permit the log service's host and port in the proxy's rules",
        )
    if status in {502, 503, 504}:
        return (
            f"the log upload proxy cannot reach the log service ({status})",
            "check that the log service is up and that the proxy can resolve and reach it",
        )
    if status in {405, 501}:
        return (
            f"the log upload proxy does not support CONNECT ({status})",
            "use a proxy that allows CONNECT",
        )
    shown = answer.strip()[:80] or "an unreadable response"
    return f"the log upload proxy returned {shown!r} to CONNECT", "check the proxy's log"


_SEE_PROXY = "check that the proxy is running, and check --log_proxy"


def proxy_unreached(proxy: str, cause: str) -> tuple[str, str]:
    """Cause and remedy where there is no TCP connection to the proxy."""
    return f"the log upload proxy {proxy} cannot be reached ({cause})", _SEE_PROXY


def proxy_silent(proxy: str, seconds: float, *, connected: bool) -> tuple[str, str]:
    """Cause and remedy where no answer to CONNECT came, or not the whole of one, within *seconds*."""
    if not connected:
        return proxy_unreached(proxy, f"no connection within {seconds:.0f} s")
    return (
        f"the log upload proxy {proxy} did not respond to CONNECT within {seconds:.0f} s",
        "check the proxy's log: it may be waiting for the log service, or not be an HTTP proxy",
    )


def proxy_broke(proxy: str, *, garbage: bool) -> tuple[str, str]:
    """Cause and remedy where the proxy closed the connection before it had answered CONNECT, or talked *garbage*."""
    if garbage:
        return (
            f"the log upload proxy {proxy} answered CONNECT with data that is not HTTP",
            "check --log_proxy: its port may be that of another service",
        )
    return (
        f"the log upload proxy {proxy} closed the connection before it responded to CONNECT",
        "check the proxy's log: it may reject this host, or be overloaded",
    )
