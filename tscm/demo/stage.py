"""
The stage of the demonstration: a folder, ports, processes, and the ways to ask them things.
"""

import os
import secrets
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from tscm.demo.lists import ALLOW_LIST, BLOCK_LIST
from tscm.demo.processes import Child
from tscm.model import Json
from tscm.services.entries import PortalEntry, add_entry
from tscm.services.uploads import uploads_folder
from tscm.settings.files import write_private
from tscm.settings.layout import Layout

HOST = "127.0.0.1"
_TIMEOUT_SECONDS = 30.0


@define(eq=False)
class Firewall:
    """
    One simulated ASA: its address, its process, what it told when it was ready.
    """

    name: str
    address: str
    syslog: str
    child: Child
    entry: PortalEntry
    password: str = field(repr=False)
    ready: Json = field(factory=dict)

    @property
    def https_port(self) -> int:
        """Where its web server listens."""
        return int(self.ready["https"][1])

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the simulator's control port.  Blocking."""
        import httpx

        url = f"{self.ready['control_url']}/{path}"
        answer = httpx.request(method, url, json=body, timeout=_TIMEOUT_SECONDS, trust_env=False)
        answer.raise_for_status()
        if answer.headers["content-type"].startswith("text/plain"):
            return answer.text
        return answer.json()

    def type_lines(self, lines: list[str]) -> list[str]:
        """
        Type configuration lines, as the operator would.  Blocking.

        Goes by the REST API's command endpoint with the certificate verified, like any client.
        """
        import ssl

        import httpx

        trust = ssl.create_default_context(cafile=self.ready["certificate"])
        trust.check_hostname = False  # pinned by its own certificate
        answer = httpx.post(
            f"{self.ready['api_url']}/cli",
            json={"commands": lines},
            auth=("admin", self.password),
            headers={"User-Agent": "REST API Agent"},
            verify=trust,
            timeout=_TIMEOUT_SECONDS,
            trust_env=False,
        )
        answer.raise_for_status()
        return [str(one) for one in answer.json()["response"]]


@frozen
class Page:
    """Where the page is, the code for its first user, and the SHA-256 of its certificate."""

    url: str
    code: str
    fingerprint: str


@define(eq=False)
class Stage:
    """
    All that the story needs; made under *folder*, on loopback and free ports.
    """

    folder: Path
    layout: Layout = field(init=False)
    policy: Child = field(init=False)
    logs: Child = field(init=False)
    manager: Child = field(init=False)
    page: Child = field(init=False)
    firewalls: list[Firewall] = field(factory=list, init=False)
    listeners: Mapping[str, list[str]] = field(factory=dict, init=False)
    _logs_place: socket.socket | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self.layout = Layout(self.folder / "root")
        self.manager = Child("manager", ("tscm", "--root", str(self.layout.root)), self.folder)

    # -- embedded services ------------------------------------------------------

    def start_policy(self) -> str:
        """The policy service; gives its address.  Blocking."""
        ready = self.folder / "policy.ready"
        self.policy = Child(
            "policy-service",
            (
                "tscm-portal",
                "--root",
                str(self.layout.root),
                "--dns",
                f"{HOST}:0",
                "--ready",
                str(ready),
            ),
            self.folder,
        )
        self.policy.start()
        found: str = self.policy.wait_ready(ready)["dns"][0]
        return found

    def start_logs(self) -> tuple[str, str]:
        """
        The log service, always on the same port; gives its URL and its certificate.  Blocking.
        """
        ready = self.folder / "logs.ready"
        ready.unlink(missing_ok=True)
        if self._logs_place is None:
            self._logs_place = held_place()
        port = self._logs_place.getsockname()[1]
        self.logs = Child(
            "log-service",
            (
                "tscm-portal",
                "--root",
                str(self.layout.root),
                "--logs",
                f"{HOST}:{port}",
                "--ready",
                str(ready),
            ),
            self.folder,
        )
        self.logs.start()
        told = self.logs.wait_ready(ready)
        return f"https://{HOST}:{port}", str(told["certificate"])

    # -- manager ----------------------------------------------------------------

    def start_manager(self, servers: str, upload_url: str, ca_file: str) -> None:
        """Write its settings, start it, and learn where it listens.  Blocking."""
        settings = (
            f'address = "{HOST}"\n'
            f'[listen]\nudp = ["{HOST}:0"]\ntcp = ["{HOST}:0"]\n'
            f'lists = ["{HOST}:0"]\nlists_names = ["{HOST}"]\n'
            f'[policy]\nservers = ["{servers}"]\n'
            f'[upload]\nurl = "{upload_url}"\nca_file = "{ca_file}"\n'
            f'[control]\ndelegates = ["{os.getuid()}"]\n'  # the page speaks for its users
        )
        write_private(self.layout.settings_file, settings.encode())
        self.manager.start()

    # -- page -------------------------------------------------------------------

    def start_page(self) -> Page | None:
        """Start the page and make a code for its first user; None without the packages of the page.  Blocking."""
        from tscm.faces.web.packages import WebUnusable, refuse_without_packages

        try:
            refuse_without_packages()
        except WebUnusable:
            return None
        from tscm.faces.web.accounts import Accounts

        ready = self.folder / "page.ready"
        words = ("--root", str(self.layout.root), "--listen", f"{HOST}:0", "--ready", str(ready))
        self.page = Child("page", ("tscm-web", *words), self.folder)
        self.page.start()
        told = self.page.wait_ready(ready)
        accounts = Accounts(self.layout.web / "web.db")
        accounts.open()
        code = accounts.new_code(None, time.time())
        accounts.close()
        return Page(f"https://{told['listen'][0]}", code, str(told["certificate"]))

    # -- firewalls --------------------------------------------------------------

    def register(self, name: str, address: str, number: int) -> Firewall:
        """An entry at the portal and a firewall that is not yet started."""
        entry = add_entry(
            self.layout.portal,
            nickname=name,
            address=HOST,
            domain=None,
            block_list=BLOCK_LIST,
            allow_list=ALLOW_LIST,
            note=f"demonstration {number}",
        )
        password = secrets.token_urlsafe(12)
        child = Child(name, (), self.folder)
        firewall = Firewall(name, address, "", child, entry, password)
        self.firewalls.append(firewall)
        return firewall

    def start_firewall(
        self, firewall: Firewall, syslog: str, header: str, *, ssh: bool = False
    ) -> None:
        """Start the simulator that logs to *syslog* (`udp://…`, `tcp://…`), with a command line where *ssh*.  Blocking."""
        password_file = self.folder / f"{firewall.name}.password"
        write_private(password_file, f"{firewall.password}\n".encode())
        ready = self.folder / f"{firewall.name}.ready"
        firewall.syslog = syslog
        firewall.child.arguments = (
            "tscm-asa",
            *("--https", f"{firewall.address}:0"),
            *("--control", f"{HOST}:0"),
            *(("--ssh", f"{firewall.address}:0") if ssh else ()),
            *("--syslog", syslog),
            *("--source-address", firewall.address),
            *("--username", "admin"),
            *("--password-file", str(password_file)),
            *("--hostname", firewall.name),
            *("--profile", "ASAv30"),
            *("--header", header),
            *("--ready", str(ready)),
        )
        firewall.child.start()
        firewall.ready = firewall.child.wait_ready(ready)

    def uploaded_lines(self, entry: PortalEntry) -> list[bytes]:
        """The lines that the log service has on its disk for one device.  Blocking."""
        import gzip

        import zstandard

        lines: list[bytes] = []
        for path in sorted(uploads_folder(self.layout.portal, entry.device_id).glob("*.log*")):
            data = path.read_bytes()
            if path.suffix == ".zst":
                data = zstandard.ZstdDecompressor().stream_reader(data).read()
            elif path.suffix == ".gz":
                data = gzip.decompress(data)
            lines += data.split(b"\n")[:-1]
        return lines

    def stop(self) -> None:
        """End every process of ours.  Blocking."""
        children = [self.manager, *(one.child for one in self.firewalls)]
        others = (getattr(self, name, None) for name in ("page", "policy", "logs"))
        children += [child for child in others if child]
        for child in children:
            child.stop()
        if self._logs_place is not None:
            self._logs_place.close()


def held_place() -> socket.socket:
    """
    A port that no other process gets while this socket is open, and at which a child may listen, again and again.

    It is bound and does not listen: a listener with SO_REUSEADDR may join it, and while there is none,
    connections are refused.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind((HOST, 0))
    return held
