"""
Listening sockets, with a sentence where they cannot be had.
"""

from typing import Any

from twisted.internet.error import CannotListenError

from tscm.simulator.refusal import SimulatorUnavailable


def listen(reactor: Any, what: str, where: tuple[str, int], factory: Any, tls: Any = None) -> Any:
    """A listening port at *where*; raises `SimulatorUnavailable`."""
    host, port = where
    try:
        if tls is not None:
            return reactor.listenSSL(port, factory, tls, interface=host)
        return reactor.listenTCP(port, factory, interface=host)
    except CannotListenError as error:
        found = error.socketError
        cause = getattr(found, "strerror", None) or str(found)
        remedy = "free the port or choose another"
        raise SimulatorUnavailable(
            f"cannot listen for {what} on {host}:{port}", cause, remedy
        ) from error


def check_loopback(host: str) -> None:
    """Raise unless *host* is of this machine alone."""
    if not (host == "::1" or host.startswith("127.")):
        raise SimulatorUnavailable(
            f"control port on {host}",
            "it has no password, so it is for this machine alone",
            "choose a loopback address",
        )


def shown(host: str) -> str:
    """*host* as it stands in a URL."""
    return f"[{host}]" if ":" in host else host
