"""
CONNECT proxies with a password, as processes.
"""

import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from attrs import define

from tests.ports import held_port

USER, PASSWORD = "collector", "s3cret:with colon"


@define(eq=False)
class Proxy:
    """
    A running proxy; `stop` ends it.
    """

    port: int
    process: "subprocess.Popen[bytes]"
    folder: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def _started(command: list[str], port: int, log: Path) -> Proxy:
    with log.open("ab") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
    deadline = time.monotonic() + 60
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return Proxy(port, process, log.parent)
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def tinyproxy(folder: Path, allowed_port: int) -> Proxy:
    folder.mkdir()
    port = held_port()
    settings = folder / "tinyproxy.conf"
    # its settings cannot hold every password
    settings.write_text(
        f"Port {port}\nListen 127.0.0.1\nTimeout 30\nMaxClients 20\n"
        f"BasicAuth {USER} plainword\nConnectPort {allowed_port}\n"
    )
    return _started(["tinyproxy", "-d", "-c", str(settings)], port, folder / "log")


def squid(_: Path, allowed_port: int) -> Proxy:
    # Started by root it works as another user, who cannot look into the folders of pytest.
    folder = Path(tempfile.mkdtemp(prefix="squid-"))
    folder.chmod(0o777)
    port = held_port()
    crypted = subprocess.run(
        ["openssl", "passwd", "-apr1", "-stdin"],
        input=PASSWORD,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    passwords = folder / "passwords"
    passwords.write_text(f"{USER}:{crypted}\n")
    passwords.chmod(0o644)
    settings = folder / "squid.conf"
    settings.write_text(
        f"""
http_port 127.0.0.1:{port}
pid_filename {folder}/pid
cache_log {folder}/cache.log
access_log none
cache deny all
coredump_dir {folder}
auth_param basic program /usr/lib/squid/basic_ncsa_auth {passwords}
auth_param basic realm tests
acl known proxy_auth REQUIRED
acl allowed port {allowed_port}
http_access deny CONNECT !allowed
http_access allow known
http_access deny all
shutdown_lifetime 0 seconds
memory_cache_shared off
"""
    )
    return _started(["squid", "-N", "-n", f"t{port}", "-f", str(settings)], port, folder / "log")


def nginx_before(port: int, ca_file: Path) -> Proxy:
    """A gateway that ends TLS before a server at *port*, and keeps what it may keep."""
    folder = Path(tempfile.mkdtemp(prefix="nginx-"))
    folder.chmod(0o777)
    mine = held_port()
    settings = folder / "nginx.conf"
    settings.write_text(
        f"""
daemon off;
user root;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/errors warn;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    proxy_cache_path {folder}/cache keys_zone=lists:1m;
    server {{
        listen 127.0.0.1:{mine};
        location / {{
            proxy_pass https://127.0.0.1:{port};
            proxy_ssl_verify on;
            proxy_ssl_trusted_certificate {ca_file};
            proxy_ssl_name localhost;
            proxy_cache lists;
            proxy_cache_valid 200 10m;
        }}
    }}
}}
"""
    )
    return _started(
        ["nginx", "-c", str(settings), "-e", str(folder / "errors")], mine, folder / "log"
    )
