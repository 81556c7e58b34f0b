"""
The container image under the restrictions of `etc/compose.yaml`: `check_container.py ARCHIVE FOLDER`.

Run by runc, as a user of its own, on a read-only root, with no capability but NET_BIND_SERVICE and no network but
loopback.  Needs root and runc.  Prints a line for each thing that holds.
"""

import json
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any, Self

from machine import CheckFailed, wait_for

NAME = f"tscm-check-{os.getpid()}"
CAPABILITY = ["CAP_NET_BIND_SERVICE"]
LINES = 200
DEVICE = """\
type = "generic"
device_id = "tdid_check"
device = "127.0.0.2"
block_list = "block.example"
allow_list = "allow.example"
send_logs = false
policy_updates = false
"""
SEND = """\
import socket, sys
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.bind(("127.0.0.2", 0))
for number in range(int(sys.argv[1])):
    out.sendto(b"<166>%ASA-6-302013: container " + str(number).encode(), ("127.0.0.1", 514))
line = socket.create_connection(("127.0.0.1", 1470), source_address=("127.0.0.2", 0))
line.sendall(b"<166>%ASA-6-302014: over TCP\\n")
line.close()
"""


def told(text: str) -> None:
    """One thing that holds."""
    print(f"ok: container: {text}", flush=True)


def require(holds: object, text: str, more: object = "") -> None:
    """Say that it holds; raises `CheckFailed`."""
    if not holds:
        raise CheckFailed(f"{text}\n{more}")
    told(text)


def blob(packed: tarfile.TarFile, descriptor: dict[str, Any]) -> Any:
    """What a descriptor refers to, open for reading."""
    found = packed.extractfile(f"blobs/sha256/{descriptor['digest'].partition(':')[2]}")
    assert found is not None
    return found


def unpack(archive: Path, root: Path) -> dict[str, Any]:
    """Lay out the image's root; gives its configuration."""
    root.mkdir(parents=True)
    with tarfile.open(archive) as packed:
        index = packed.extractfile("index.json")
        assert index is not None
        manifest = json.load(blob(packed, json.load(index)["manifests"][0]))
        config: dict[str, Any] = json.load(blob(packed, manifest["config"]))
        for layer in manifest["layers"]:
            with subprocess.Popen(
                ["tar", "-C", str(root), "-xzf", "-", "--numeric-owner"], stdin=subprocess.PIPE
            ) as tar:
                assert tar.stdin is not None
                source = blob(packed, layer)
                while data := source.read(1 << 20):
                    tar.stdin.write(data)
                tar.stdin.close()
            if tar.returncode:
                raise CheckFailed("the layer cannot be unpacked")
    return config


def user_of(root: Path, name: str) -> tuple[int, int]:
    """Numbers of a user in the image."""
    for line in (root / "etc/passwd").read_text().splitlines():
        user, _, uid, gid, *_ = line.split(":")
        if user == name:
            return int(uid), int(gid)
    raise CheckFailed(f"the image has no user {name}")


def spec(config: dict[str, Any], root: Path, volumes: Path) -> dict[str, Any]:
    """What runc is told: the image's configuration under the restrictions of the compose file."""
    run = config["config"]
    uid, gid = user_of(root, run["User"].partition(":")[0])
    mounts: list[dict[str, Any]] = [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {
            "destination": "/dev",
            "type": "tmpfs",
            "source": "tmpfs",
            "options": ["nosuid", "mode=755", "size=65536k"],
        },
        {
            "destination": "/tmp",
            "type": "tmpfs",
            "source": "tmpfs",
            "options": ["nosuid", "nodev", "mode=1777", "size=64m"],
        },
        {
            "destination": "/run/tscm",
            "type": "tmpfs",
            "source": "tmpfs",
            "options": ["nosuid", "nodev", f"uid={uid}", f"gid={gid}", "mode=750"],
        },
    ]
    for place in sorted(run["Volumes"]):
        if place != "/run/tscm":
            own = volumes / place.strip("/").replace("/", "-")
            own.mkdir(parents=True)
            os.chown(own, uid, gid)
            own.chmod(0o750)
            mounts.append(
                {
                    "destination": place,
                    "type": "bind",
                    "source": str(own),
                    "options": ["bind", "rw", "nosuid", "nodev"],
                }
            )
    sets = ("bounding", "effective", "inheritable", "permitted", "ambient")
    return {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": uid, "gid": gid},
            "args": [*run["Entrypoint"], *run["Cmd"]],
            "env": run["Env"],
            "cwd": run["WorkingDir"],
            "capabilities": dict.fromkeys(sets, CAPABILITY),
            "noNewPrivileges": True,
        },
        "root": {"path": str(root), "readonly": True},
        "hostname": "tscm",
        "mounts": mounts,
        "linux": {
            "namespaces": [
                {"type": one} for one in ("pid", "network", "ipc", "uts", "mount", "cgroup")
            ],
            "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/sysrq-trigger"],
            "readonlyPaths": ["/proc/sys", "/proc/bus", "/proc/fs", "/proc/irq"],
        },
    }


class Container:
    """A started container; a context that ends it."""

    def __init__(self, bundle: Path) -> None:
        self._state = bundle / "state"
        self.log = bundle / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                ["runc", "--root", str(self._state), "run", "--bundle", str(bundle), NAME],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.runc("kill", NAME, "KILL")
            self.process.wait(60)
        self.runc("delete", "--force", NAME)

    def runc(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """A command of runc."""
        return subprocess.run(
            ["runc", "--root", str(self._state), *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run *words* inside, as the image's user."""
        return self.runc("exec", NAME, *words)

    def pid(self) -> int:
        """Its first process, 0 where there is none."""
        if self.process.poll() is not None:
            raise CheckFailed(f"it ended with status {self.process.returncode}\n{self.said()}")
        done = self.runc("state", NAME)
        return 0 if done.returncode else int(json.loads(done.stdout)["pid"])

    def said(self) -> str:
        """What it wrote."""
        return self.log.read_text("utf-8", "replace")


def main(archive: Path, folder: Path) -> None:
    """From the archive to a clean stop."""
    bundle = folder / "bundle"
    config = unpack(archive, bundle / "rootfs")
    told_spec = spec(config, bundle / "rootfs", folder / "volumes")
    user = told_spec["process"]["user"]
    require(user["uid"] != 0, "the image's user is not root")
    devices = folder / "volumes/etc-tscm/devices"
    devices.mkdir(mode=0o750)
    (devices / "office.toml").write_text(DEVICE)
    for one in (devices, devices / "office.toml"):
        os.chown(one, user["uid"], user["gid"])
    (bundle / "config.json").write_text(json.dumps(told_spec))
    with Container(bundle) as container:
        wait_for("the container", lambda: bool(container.pid()))
        inside = ("nsenter", "--target", str(container.pid()), "--net", "--")
        subprocess.run([*inside, "ip", "link", "set", "lo", "up"], check=True)

        def healthy() -> bool:
            container.pid()
            return container.run(*config["config"]["Healthcheck"]["Test"][1:]).returncode == 0

        wait_for("the health check to pass", healthy, 120)
        told("the health check passes")
        versions = container.run("tsadmin", "version", "--all")
        require("ts-asarest" in versions.stdout, "`tsadmin version --all`", versions.stdout)
        subprocess.run([*inside, sys.executable, "-c", SEND, str(LINES)], check=True)
        log = folder / "volumes/var-log-threatstop/devices/office/syslog"

        def stored() -> bool:
            return log.exists() and len(log.read_bytes().splitlines()) == LINES + 1

        wait_for("the lines on the volume", stored, 60)
        told(f"{LINES} datagrams on port 514 and a line over TCP are on the volume")
        for place in ("/usr/bin/x", "/etc/x", "/x"):
            tried = container.run("sh", "-c", f"echo > {place}")
            if tried.returncode == 0:
                raise CheckFailed(f"{place} can be written")
        told("the root is read-only")
        status = Path(f"/proc/{container.pid()}/status").read_text()
        kept = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff"))
        require(int(kept, 16) == 1 << 10, "NET_BIND_SERVICE is the only capability", kept)
        wrong = [
            line for line in container.said().splitlines() if "rror" in line or "Unable" in line
        ]
        require(not wrong, "nothing is wrong in its log", "\n".join(wrong))
        began = time.monotonic()
        container.runc("kill", NAME, "TERM")
        status_code = container.process.wait(60)
        require(status_code == 0, f"stopped in {time.monotonic() - began:.1f} s", container.said())


if __name__ == "__main__":
    try:
        main(*(Path(one).absolute() for one in sys.argv[1:3]))
    except CheckFailed as failed:
        sys.exit(f"FAILED: {failed}")
