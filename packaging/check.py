"""
Install, upgrade, interrupt, remove: what packages do on a machine with the real systemd, without a lost line.

    check.py SUITE PACKAGES NEWER ROOT.tar FOLDER

PACKAGES and NEWER are folders of .deb files of one version and a later one, ROOT.tar a root of the release with what
they depend on, FOLDER a place for roots and the repository.  Needs root.  Prints a line for each thing that holds.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from machine import CheckFailed, Machine, wait_for

HERE = Path(__file__).parent
RATE = 200
DEVICE = """\
type = "generic"
device_id = "tdid_check"
device = "127.0.0.2"
block_list = "block.example"
allow_list = "allow.example"
send_logs = false
policy_updates = false
log_rotate_size = 100000
"""
SOURCE = """\
Types: deb
URIs: file:/repo
Suites: {suite}
Components: main
Signed-By: /usr/share/keyrings/tscm-archive-keyring.pgp
"""
APT = ("apt-get", "-q", "-y", "-o", "Dpkg::Use-Pty=0")


def told(text: str) -> None:
    """One thing that holds."""
    print(f"ok: {text}", flush=True)


def require(holds: object, text: str, more: object = "") -> None:
    """Say that it holds; raises `CheckFailed`."""
    if not holds:
        raise CheckFailed(f"{text}\n{more}")
    told(text)


class Bench:
    """The roots, the repository, and what is asked of a machine."""

    def __init__(self, suite: str, tar: Path, folder: Path) -> None:
        self.suite = suite
        self._tar = tar
        self._folder = folder
        self.repo = folder / "repo"
        folder.mkdir(parents=True, exist_ok=True)

    def root(self, name: str) -> Path:
        """A bare root that knows the repository."""
        root = self._folder / name
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        subprocess.run(
            ["tar", "-C", str(root), "--exclude=./dev", "-xf", str(self._tar)], check=True
        )
        for one in ("dev", "repo"):
            (root / one).mkdir(exist_ok=True)
        shutil.rmtree(root / "etc/apt/sources.list.d", ignore_errors=True)
        (root / "etc/apt/sources.list").unlink(missing_ok=True)
        (root / "etc/apt/sources.list.d").mkdir()
        (root / "etc/apt/sources.list.d/tscm.sources").write_text(SOURCE.format(suite=self.suite))
        shutil.copy(HERE / "load.py", root / "root/load.py")
        return root

    def publish(self, packages: Path, *roots: Path) -> None:
        """Put packages into the repository, and the repository into the roots."""
        subprocess.run([str(HERE / "repo"), str(self.repo), f"{self.suite}={packages}"], check=True)
        for root in roots:
            shutil.rmtree(root / "repo")
            shutil.copytree(self.repo, root / "repo")
            shutil.copy(
                self.repo / "tscm-archive-keyring.pgp",
                root / "usr/share/keyrings/tscm-archive-keyring.pgp",
            )


def stored(machine: Machine, tag: str) -> dict[str, set[int]]:
    """Numbers of the lines with *tag* in the log of the device."""
    found: dict[str, set[int]] = {"udp": set(), "tcp": set()}
    for line in machine.ask("tsadmin", "spool", "export", "office").splitlines():
        _, there, rest = line.partition(f"%ASA-6-302013: {tag} ")
        if there:
            kind, number, *_ = rest.split()
            found[kind].add(int(number))
    return found


@contextmanager
def loaded(machine: Machine, what: str, tag: str) -> Iterator[None]:
    """Lines all the while; afterwards every one of them is in the log, and the connection is the same."""
    stop, sent = machine.root / f"root/{tag}.stop", machine.root / f"root/{tag}.sent"
    words = (tag, f"/root/{stop.name}", f"/root/{sent.name}", str(RATE))
    load = machine.start("python3", "/root/load.py", *words)
    try:
        wait_for("lines to come in", lambda: min(map(len, stored(machine, tag).values())) > 0)
        yield
        now = max(map(max, stored(machine, tag).values()))
        wait_for(
            "lines after that", lambda: min(map(max, stored(machine, tag).values())) > now + RATE
        )
    finally:
        stop.touch()
        load.wait(300)
    numbers = json.loads(sent.read_text())
    wanted = {kind: set(range(numbers[kind])) for kind in ("udp", "tcp")}

    def lost() -> dict[str, int]:
        found = stored(machine, tag)
        return {kind: len(wanted[kind] - found[kind]) for kind in wanted}

    try:
        wait_for("every line in the log", lambda: not any(lost().values()), 60)
    except CheckFailed:
        raise CheckFailed(f"{what}: of {numbers} were lost {lost()}") from None
    summary = f"{numbers['udp']} datagrams and {numbers['tcp']} lines over one TCP connection"
    require(numbers["connections"] == 1, f"{what}: {summary}, none lost", numbers)


def manager_pid(machine: Machine) -> str:
    """The process of an active manager; empty where there is none."""
    if machine.ask("systemctl", "is-active", "tscm.service") != "active":
        return ""
    return machine.ask("systemctl", "show", "--property=MainPID", "--value", "tscm.service")


def socket_since(machine: Machine) -> str:
    """When tscm.socket began to listen."""
    return machine.ask(
        "systemctl", "show", "--property=ActiveEnterTimestampMonotonic", "--value", "tscm.socket"
    )


def installed(machine: Machine) -> str:
    """Version of tscm-core as dpkg says, and whether it is whole."""
    return machine.ask("dpkg-query", "-W", "-f=${Version} ${db:Status-Abbrev}", "tscm-core").strip()


def same_version(machine: Machine) -> bool:
    """Are tsadmin and the manager of one version?"""
    return "the manager runs version" not in machine.run("tsadmin", "version", "--all")


def add_device(root: Path) -> None:
    """The file of a device, as tsadmin leaves it."""
    folder = root / "etc/tscm/devices"
    folder.mkdir(mode=0o750, exist_ok=True)
    (folder / "office.toml").write_text(DEVICE)
    owner = (root / "etc/tscm").stat()
    for one in (folder, folder / "office.toml"):
        os.chown(one, owner.st_uid, owner.st_gid)
    (folder / "office.toml").chmod(0o600)


def digest(root: Path, *names: str) -> dict[str, str]:
    """Content, owner and mode of files."""
    found = {}
    for name in names:
        file = root / name
        seen = file.stat()
        content = sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
        found[name] = f"{content} {seen.st_uid}:{seen.st_gid} {seen.st_mode:o}"
    return found


FOLDERS = ("etc/tscm", "var/lib/tscm", "var/log/threatstop", "run/tscm")
KEPT = ("etc/tscm/devices/office.toml", "var/lib/tscm/key", *FOLDERS[:3])


def kept(machine: Machine) -> dict[str, str]:
    """What an upgrade must leave as it is."""
    root = machine.root
    return digest(root, *(name for name in KEPT if (root / name).exists()))


def check_install(machine: Machine) -> None:
    """From nothing to a manager that stores lines."""
    machine.run(*APT, "update")
    machine.run(*APT, "install", "tscm-core")
    require(manager_pid(machine), "tscm-core alone is installed, and its manager runs")
    alone = machine.run("tsadmin", "version", "--all")
    require("TSCM-Core" in alone and "ts-" not in alone, "the core alone has no kind", alone)
    said = machine.try_("tsadmin", "add", "office", "--type", "asarest").stdout
    require("ts-asarest, which is not installed" in said, "`add` names the package", said)
    before = manager_pid(machine)
    machine.run(*APT, "install", "tscm", "tscm-web", "tscm-archive-keyring")
    wait_for("a new manager", lambda: manager_pid(machine) not in ("", before))
    whole = machine.run("tsadmin", "version", "--all")
    names = ("ts-asa ", "ts-asahttp", "ts-asarest", "ts-lists")
    require(
        all(one in whole for one in names), "packages of kinds are loaded when they come", whole
    )
    for folder in FOLDERS:
        words = machine.run("stat", "-c", "%U:%G %a", f"/{folder}")
        require(words == "tscm:tscm 750", f"/{folder} is tscm:tscm 750", words)
    add_device(machine.root)
    found = machine.run("find", "/usr/lib/tscm", "-newer", "/var/lib/dpkg/info/tscm-web.list")
    require(not found, "running it writes nothing below /usr/lib/tscm", found)
    machine.run("tsadmin", "check")
    for page in ("man1/tsadmin.1.gz", "man1/tsadmin-add.1.gz", "man8/tscm.8.gz"):
        require((machine.root / "usr/share/man" / page).is_file(), f"there is the page {page}")


def check_upgrade(bench: Bench, machine: Machine, newer: Path) -> None:
    """N to N+1 by dist-upgrade."""
    before, since, pid = kept(machine), socket_since(machine), manager_pid(machine)
    version = installed(machine)
    with loaded(machine, "dist-upgrade", "upgrade"):
        bench.publish(newer, machine.root)
        machine.run(*APT, "update")
        machine.run(*APT, "dist-upgrade")
        wait_for("a new manager", lambda: manager_pid(machine) not in ("", pid))
    require(installed(machine) != version, f"upgraded from {version} to {installed(machine)}")
    require(socket_since(machine) == since, "tscm.socket was not restarted")
    require(same_version(machine), "tsadmin and manager are of one version")
    after = kept(machine)
    require(after == before, "settings, key and folders are as before", (before, after))


def check_hooks(machine: Machine) -> None:
    """A security update of Python or OpenSSL: the manager restarts, its socket does not."""
    python = machine.run("readlink", "/usr/lib/tscm/bin/python3")
    for file in (python, "/usr/lib/x86_64-linux-gnu/libssl.so.3"):
        check_hook(machine, file)


def check_hook(machine: Machine, file: str) -> None:
    """What an update of one *file* triggers."""
    before, since = manager_pid(machine), socket_since(machine)
    with loaded(machine, f"an update of {file}", f"hook-{Path(file).name}"):
        machine.run("dpkg-trigger", "--by-package=base-files", file)
        machine.run("dpkg", "--triggers-only", "--pending")
        wait_for("a new manager", lambda: manager_pid(machine) not in ("", before))
    require(socket_since(machine) == since, f"tscm.socket stays open over an update of {file}")


def install_older(bench: Bench, machine: Machine) -> str:
    """Go back to the packages that the repository replaced; what apt says."""
    folder = bench.repo / "older" / bench.suite
    older = sorted(f"/repo/older/{bench.suite}/{one.name}" for one in folder.iterdir())
    return machine.run(*APT, "--allow-downgrades", "install", *older)


def check_downgrade(bench: Bench, machine: Machine) -> None:
    """An older package over a newer database: told, and collects."""
    code = (
        "import sqlite3; c = sqlite3.connect('/var/lib/tscm/tscm.db');"
        "n = c.execute('PRAGMA user_version').fetchone()[0];"
        "c.execute(f'PRAGMA user_version = {n + int(__import__(\"sys\").argv[1])}'); c.commit()"
    )
    machine.run("python3", "-c", code, "1")
    with loaded(machine, "downgrade over a newer database", "downgrade"):
        said = install_older(bench, machine)
        require("replaced by the older version" in said, "the older package says what to do", said)
    state = machine.try_("tsadmin", "status").stdout + machine.try_("tsadmin", "doctor").stdout
    require("supports at most" in state, "the manager says so too", state)
    machine.run("python3", "-c", code, "-1")


def check_interrupted(bench: Bench, machine: Machine) -> None:
    """An upgrade whose dpkg is killed in the middle."""
    install_older(bench, machine)
    with loaded(machine, "an upgrade that was killed and completed", "interrupted"):
        upgrade = machine.start(*APT, "dist-upgrade")
        unpacked = machine.root / "usr/lib/tscm/lib"

        def half() -> bool:
            return next(unpacked.rglob("*.dpkg-new"), None) is not None

        end = time.monotonic() + 300
        while not half() and time.monotonic() < end and upgrade.poll() is None:
            time.sleep(0.01)
        for process in Path("/proc").glob("[0-9]*"):
            try:
                inside = (process / "ns/pid").readlink() == Path(
                    f"/proc/{machine.pid}/ns/pid"
                ).readlink()
                name = (process / "comm").read_text().strip()
            except OSError:
                continue
            if inside and name in {"apt-get", "dpkg", "dpkg-deb", "tar"}:
                os.kill(int(process.name), signal.SIGKILL)
        upgrade.wait(300)
        require(half(), "dpkg was killed while it unpacked", installed(machine))
        machine.try_("dpkg", "--configure", "-a")
        machine.run(*APT, "--fix-broken", "install")
        machine.run(*APT, "dist-upgrade")
    require(installed(machine).endswith("ii"), f"completed: {installed(machine)}")
    require(same_version(machine), "tsadmin and manager are of one version")


def check_full_disk(bench: Bench, machine: Machine) -> None:
    """No room for the new files: the old version stays and works, and the next try succeeds."""
    install_older(bench, machine)
    version = installed(machine)
    size = int(machine.run("du", "-sk", "/usr/lib/tscm").split()[0]) + 30_000
    machine.run(
        "sh",
        "-c",
        f"mount -t tmpfs -o size={size}k,mode=755 tmpfs /mnt && cp -a /usr/lib/tscm/. /mnt && mount --move /mnt /usr/lib/tscm",
    )
    with loaded(machine, "an upgrade on a full disk", "full"):
        said = machine.try_(*APT, "dist-upgrade")
        require(
            said.returncode != 0 and "No space left" in said.stdout,
            "the upgrade stops",
            said.stdout,
        )
        machine.run("tsadmin", "version", "--all")
    require(
        installed(machine).split()[0] == version.split()[0],
        "the old version stays",
        installed(machine),
    )
    machine.run("umount", "--lazy", "/usr/lib/tscm")
    with loaded(machine, "the upgrade once there is room", "room"):
        machine.run(*APT, "--fix-broken", "install")
        machine.run(*APT, "dist-upgrade")
    require(installed(machine) != version, f"then it is upgraded: {installed(machine)}")


def check_signature(bench: Bench, machine: Machine) -> None:
    """A repository that somebody changed."""
    file = machine.root / "repo/dists" / bench.suite / "InRelease"
    text = file.read_text()
    file.write_text(text.replace("Origin: tscm", "Origin: tscn"))
    for one in (machine.root / "var/lib/apt/lists").glob("*"):
        if one.is_file():
            one.unlink()
    said = machine.try_(*APT, "update").stdout
    require("BADSIG" in said or "is not signed" in said, "a changed InRelease is refused", said)
    file.write_text(text)
    machine.run(*APT, "update")


def check_remove(machine: Machine) -> None:
    """Remove keeps what is the operator's, purge does not."""
    names = ("tscm", "tscm-core", "tscm-web", "ts-asa", "ts-asahttp", "ts-asarest", "ts-lists")
    machine.run(*APT, "remove", *names)
    require(
        machine.ask("systemctl", "is-active", "tscm.socket") != "active",
        "remove closes the sockets",
    )
    require((machine.root / "var/lib/tscm/tscm.db").exists(), "remove keeps state and logs")
    require(not (machine.root / "usr/lib/tscm").exists(), "and no program")
    machine.run(*APT, "install", "tscm")
    wait_for("a manager that came back", lambda: manager_pid(machine) != "")
    told("what was removed and comes back is started")
    machine.run(*APT, "purge", *names)
    left = [name for name in FOLDERS if (machine.root / name).exists()]
    require(not left, "purge leaves no file", left)


def check_from_environment(bench: Bench, packages: Path) -> None:
    """From a virtual environment with etc/tscm.service to the package: nothing begins anew."""
    root = bench.root("environment")
    bench.publish(packages, root)
    # The environment of the package can be moved: it stands for one that was made by hand in /opt.
    for deb in (*packages.glob("tscm-core_*.deb"), *packages.glob("ts-lists_*.deb")):
        subprocess.run(["dpkg-deb", "-x", str(deb), str(root / "aside")], check=True)
    (root / "opt").mkdir(exist_ok=True)
    shutil.move(root / "aside/usr/lib/tscm", root / "opt/tscm")
    shutil.rmtree(root / "aside")
    for name in ("twistd", "tsadmin"):
        script = root / "opt/tscm/bin" / name
        script.write_text(script.read_text().replace("/usr/lib/tscm", "/opt/tscm"))
    units = root / "etc/systemd/system"
    units.mkdir(parents=True, exist_ok=True)
    for name in ("tscm.service", "tscm.socket"):
        shutil.copy(HERE.parent / "etc" / name, units)
    with Machine(root) as machine:
        machine.run("useradd", "--system", "--home-dir", "/var/lib/tscm", "tscm")
        machine.run("systemctl", "daemon-reload")
        machine.run("systemctl", "enable", "--now", "tscm.socket", "tscm.service")
        machine.run("chown", "tscm:tscm", "/etc/tscm")
        machine.run("ln", "-s", "/opt/tscm/bin/tsadmin", "/usr/local/bin/tsadmin")
        add_device(root)
        wait_for("the device", lambda: "office" in machine.ask("tsadmin", "list"))
        before, since, pid = kept(machine), socket_since(machine), manager_pid(machine)
        segments = (root / "var/log/threatstop/devices/office/syslog").stat
        with loaded(machine, "from a virtual environment to the package", "moved"):
            inode = segments().st_ino
            machine.run(*APT, "update")
            said = machine.run(*APT, "install", "tscm")
            wait_for("a new manager", lambda: manager_pid(machine) not in ("", pid))
        require("the unit of the package replaces it" in said, "the copied unit is set aside", said)
        place = machine.ask(
            "systemctl", "show", "--property=FragmentPath", "--value", "tscm.service"
        )
        require(
            "/usr/lib/systemd" in place or place.startswith("/lib/"),
            "the package's unit runs",
            place,
        )
        require(segments().st_ino == inode, "the log goes on in its file")
        require(
            kept(machine) == before,
            "settings, owners and folders are as before",
            (before, kept(machine)),
        )
        require(socket_since(machine) == since, "the sockets stayed open")
        enabled = machine.ask("systemctl", "is-enabled", "tscm.service", "tscm.socket")
        require(enabled.split() == ["enabled", "enabled"], "both units are enabled", enabled)


def check_life(bench: Bench, packages: Path, newer: Path, only: tuple[str, ...]) -> None:
    """One machine from the installation to the purge."""
    root = bench.root("root")
    bench.publish(packages, root)
    with Machine(root) as machine:
        check_install(machine)
        wait_for("the device", lambda: "office" in machine.ask("tsadmin", "list"))
        check_hooks(machine)
        check_upgrade(bench, machine, newer)
        for step in (check_downgrade, check_full_disk, check_interrupted, check_signature):
            if not only or step.__name__.removeprefix("check_") in only:
                step(bench, machine)
        check_remove(machine)


def main(suite: str, packages: Path, newer: Path, tar: Path, folder: Path, *only: str) -> None:
    """All of it, in the order in which one leaves what the next needs."""
    bench = Bench(suite, tar, folder)
    if only != ("environment",):
        check_life(bench, packages, newer, only)
    if not only or "environment" in only:
        check_from_environment(bench, newer)


if __name__ == "__main__":
    try:
        main(sys.argv[1], *(Path(one).absolute() for one in sys.argv[2:6]), *sys.argv[6:])
    except CheckFailed as failed:
        sys.exit(f"FAILED: {failed}")
