"""
`twistd -n tscm-asa`: a simulated Cisco ASA.
"""

import json
import re
from pathlib import Path
from typing import Any, ClassVar

from attrs import define, field
from twisted.application.service import IService, Service
from twisted.internet.defer import Deferred
from twisted.python import usage

from tscm.plugins.signals import settle_signals
from tscm.plugins.startup import FrontService, sentence_and_status
from tscm.simulator.contexts import is_name
from tscm.simulator.options import AsaOptions
from tscm.simulator.outlets import Target
from tscm.simulator.profiles import PROFILES
from tscm.simulator.reach import Network, network_of
from tscm.simulator.refusal import SimulatorUnavailable
from tscm.simulator.service import SimulatedAsa
from tscm.simulator.syslog_form import HEADERS

_SERIAL = re.compile(r"[0-9A-Za-z]{1,32}")


class Options(usage.Options):
    """
    What `twistd tscm-asa --help` shows.
    """

    optParameters: ClassVar[list[list[Any]]] = [
        [
            "https",
            None,
            "127.0.0.1:8443",
            "Address of the REST API, HOST:PORT; port 0 chooses one.",
        ],
        ["control", None, None, "Loopback address of the control port, HOST:PORT."],
        [
            "standby-https",
            None,
            None,
            "Address of the standby unit's REST API; makes it a failover pair.",
        ],
        ["ssh", None, None, "Address of the command line over SSH; requires twisted[conch]."],
        ["source-address", None, "", "Source address of syslog, such as 127.0.0.2."],
        [
            "standby-source-address",
            None,
            "",
            "Same for the standby unit, for `logging standby`.",
        ],
        ["username", None, "admin", "Account of the REST API, privilege 15."],
        ["password-file", None, None, "File whose first line is its password."],
        ["hostname", None, "ciscoasa", "Name of the firewall."],
        ["contexts", None, None, "Names of security contexts, with commas: multiple context mode."],
        ["profile", None, "ASAv10", f"Platform: {', '.join(PROFILES)}."],
        ["serial", None, None, "Serial number; by default, each start generates one."],
        ["header", None, "timestamp", f"Form of syslog lines: {', '.join(HEADERS)}."],
        ["config", None, None, "File of configuration lines to enter before the start."],
        ["ready", None, None, "Write the bound addresses to this file as JSON when ready."],
    ]

    def __init__(self) -> None:
        super().__init__()
        self.targets: list[Target] = []
        self.networks: list[Network] = []
        self.switches: dict[str, Any] = {}

    def opt_syslog(self, target: str) -> None:
        """Collector, udp://ADDRESS:PORT or tcp://ADDRESS:PORT; may be given several times."""
        try:
            self.targets.append(Target.of(target))
        except SimulatorUnavailable as error:
            raise usage.UsageError(str(error)) from error

    def opt_syslog_network(self, network: str) -> None:
        """Network that a typed `logging host` is followed to, besides this machine; may be given several times."""
        try:
            self.networks.append(network_of(network))
        except SimulatorUnavailable as error:
            raise usage.UsageError(str(error)) from error

    def opt_switch(self, setting: str) -> None:
        """Position of a switch, NAME=VALUE with VALUE as JSON or a word; may be given several times."""
        name, equals, value = setting.partition("=")
        if not equals:
            raise usage.UsageError(f"--switch {setting}: write NAME=VALUE")
        try:
            self.switches[name] = json.loads(value)
        except ValueError:
            self.switches[name] = value

    def postOptions(self) -> None:
        """What getopt does not check."""
        if self["profile"] not in PROFILES:
            raise usage.UsageError(f"--profile: choose one of {', '.join(PROFILES)}")
        wrong = [one for one in _contexts(self) if not is_name(one)]
        if wrong:
            raise usage.UsageError(
                f"--contexts: {wrong[0]!r} is not a context name beside admin and system"
            )
        if self["header"] not in HEADERS:
            raise usage.UsageError(f"--header: choose one of {', '.join(HEADERS)}")
        serial = self["serial"]
        if serial is not None and not _SERIAL.fullmatch(serial):
            raise usage.UsageError(f"--serial {serial!r}: 1 to 32 letters and digits")
        if self["password-file"] is None:
            raise usage.UsageError(
                "--password-file is required: a file with the password on its first line"
            )


def _contexts(options: Options) -> tuple[str, ...]:
    return tuple(options["contexts"].split(",")) if options["contexts"] else ()


def _host_port(option: str, text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdigit() or int(port) > 65535:
        raise SimulatorUnavailable(f"--{option} {text!r}", "not an address", "write HOST:PORT")
    return host.strip("[]"), int(port)


def _optional(option: str, options: Options) -> tuple[str, int] | None:
    return _host_port(option, options[option]) if options[option] else None


def _read(option: str, path: str) -> str:
    try:
        return Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SimulatorUnavailable(
            f"--{option} {path}", str(error), "use a readable file"
        ) from error


def read_options(options: Options) -> AsaOptions:
    """What the command line says; raises `SimulatorUnavailable`."""
    password = _read("password-file", options["password-file"]).partition("\n")[0].rstrip("\r")
    if not password:
        raise SimulatorUnavailable(
            f"--password-file {options['password-file']}",
            "its first line is empty",
            "write the password there",
        )
    lines = _read("config", options["config"]).splitlines() if options["config"] else []
    return AsaOptions(
        username=options["username"],
        password=password,
        hostname=options["hostname"],
        profile=options["profile"],
        contexts=_contexts(options),
        serial=options["serial"],
        https=_host_port("https", options["https"]),
        standby_https=_optional("standby-https", options),
        control=_optional("control", options),
        ssh=_optional("ssh", options),
        syslog=tuple(options.targets),
        syslog_networks=tuple(options.networks),
        source_address=options["source-address"],
        standby_source_address=options["standby-source-address"],
        header=options["header"],
        config_lines=tuple(lines),
    )


@define(eq=False)
class _Announced(Service):
    """
    The firewall, and a file that tells where it is while it can be reached.
    """

    _asa: SimulatedAsa
    _ready: Path | None = field(default=None)

    def privilegedStartService(self) -> None:
        """Bind, and tell who waits; the listening sockets take connections from then on."""
        super().privilegedStartService()
        self._asa.privilegedStartService()
        if self._ready is None:
            return
        try:
            partial = self._ready.with_name(self._ready.name + ".partial")
            partial.write_text(json.dumps(self._asa.ready()) + "\n", "utf-8")
            partial.rename(self._ready)
        except OSError as error:
            self._asa.stopService()
            raise SimulatorUnavailable(
                f"--ready {self._ready}", str(error), "use a writable file"
            ) from error

    def startService(self) -> None:
        """Begin."""
        super().startService()
        self._asa.startService()

    def stopService(self) -> Deferred[None]:
        """End, and take the notice away."""
        super().stopService()
        if self._ready is not None:
            self._ready.unlink(missing_ok=True)
        return self._asa.stopService()


def makeService(options: Options) -> IService:
    """
    The service that twistd runs.
    """
    from twisted.internet import reactor

    settle_signals(reactor)  # SIGHUP ends it: it belongs to its terminal
    with sentence_and_status():
        asa = SimulatedAsa(reactor, read_options(options))
        asa.set_switches(options.switches)
    ready = Path(options["ready"]).absolute() if options["ready"] else None
    front: IService = FrontService(_Announced(asa, ready))
    return front
