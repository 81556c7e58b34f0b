"""
Where a simulated firewall can be reached: HTTPS, the standby unit's, the control port and SSH.
"""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IProtocolFactory

from tscm.simulator.certificate import Certificate, Connections, make_certificate
from tscm.simulator.listening import check_loopback, listen, shown
from tscm.simulator.options import AsaOptions
from tscm.simulator.web import AsaHttpFactory

_HTTPS, _STANDBY, _CONTROL, _SSH = "HTTPS", "standby HTTPS", "control", "SSH"


@define(eq=False)
class Doors:
    """
    The listening sockets, with the certificate that those of HTTPS show.

    *ssh* makes what listens for SSH, and raises `SimulatorUnavailable` where it cannot.
    """

    _reactor: Any
    _options: AsaOptions
    https: AsaHttpFactory
    standby: AsaHttpFactory
    control: AsaHttpFactory
    _ssh: Callable[[], IProtocolFactory]
    certificate: Certificate = field(init=False)
    certificate_path: Path = field(init=False)
    _ports: dict[str, Any] = field(factory=dict, init=False)
    _connections: Connections = field(init=False)
    _folder: Path = field(init=False)
    _temporary: Path | None = field(default=None, init=False)

    @property
    def open(self) -> bool:
        """Does anything listen?"""
        return bool(self._ports)

    def bind(self) -> None:
        """Listen; raises `SimulatorUnavailable`."""
        options = self._options
        self.certificate = make_certificate(options.hostname, options.https[0])
        self._connections = Connections(self.certificate)
        self._listen(_HTTPS, options.https, self.https, self._connections)
        if options.standby_https is not None:
            self._listen(_STANDBY, options.standby_https, self.standby, self._connections)
        if options.ssh is not None:
            self._listen(_SSH, options.ssh, self._ssh())
        if options.control is not None:
            check_loopback(options.control[0])
            self._listen(_CONTROL, options.control, self.control)
        folder = options.folder
        if folder is None:
            folder = self._temporary = Path(tempfile.mkdtemp(prefix="tscm-asa-"))
        self._folder = folder
        self.certificate_path = self.certificate.write(folder)

    def _listen(self, name: str, where: tuple[str, int], factory: Any, *more: Any) -> None:
        what = name.removeprefix("standby ")
        self._ports[name] = listen(self._reactor, what, where, factory, *more)

    def _url(self, name: str, scheme: str, path: str) -> str | None:
        if name not in self._ports:
            return None
        here = self._ports[name].getHost()
        return f"{scheme}://{shown(here.host)}:{here.port}/{path}"

    @property
    def port(self) -> int:
        """The port of HTTPS."""
        return int(self._ports[_HTTPS].getHost().port)

    @property
    def ssh_port(self) -> int | None:
        """The port of the command line; None without one."""
        return int(self._ports[_SSH].getHost().port) if _SSH in self._ports else None

    @property
    def standby_url(self) -> str | None:
        """The root of the standby unit's REST API; None where it has no address."""
        return self._url(_STANDBY, "https", "api")

    @property
    def control_url(self) -> str | None:
        """The root of the control port; None without one."""
        return self._url(_CONTROL, "http", "simulator/v1")

    def renew_certificate(self) -> None:
        """Show new connections another certificate."""
        self.certificate = make_certificate(self._options.hostname, self._options.https[0])
        self._connections.use(self.certificate)
        self.certificate_path = self.certificate.write(self._folder)

    def close(self) -> list[Deferred[Any]]:
        """Listen no more, and end what is connected over HTTP; each fires when that is done."""
        waits: list[Deferred[Any]] = [
            maybeDeferred(port.stopListening) for port in self._ports.values()
        ]
        self._ports.clear()
        waits += [one.end_connections() for one in (self.https, self.standby, self.control)]
        self.remove_folder()
        return waits

    def remove_folder(self) -> None:
        """Take the certificate's temporary folder away."""
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)
            self._temporary = None
