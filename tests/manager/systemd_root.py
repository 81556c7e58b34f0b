"""
Becomes process 1 of a machine of its own: systemd on a copy of this system, with the product's units.

    systemd_root.py UNITS PLACE NAME=FOLDER ...

Runs in fresh namespaces (mount, PID, network, UTS, IPC, cgroup; `systemd_machine` makes them).  All of
the system is seen through an overlay on a tmpfs at PLACE, so that whatever is written is gone
afterwards; what belongs to the kernel as a whole (`/proc/sys`, `/sys`) is read-only.  Each FOLDER is
seen as `/opt/tscm/NAME`.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

SYSTEMD = "/lib/systemd/systemd"
USER = "tscm"
USER_ID = 990
LOG = "/var/log/threatstop/manager.out"
# Where the unit looks for it.  Another folder than that of the tests, for the unit hides those.
TWISTD = f"""#!/bin/sh
exec >>{LOG} 2>&1
export LD_LIBRARY_PATH=/opt/tscm/python/lib PYTHONPATH={{path}} PYTHONDONTWRITEBYTECODE=1
exec /opt/tscm/python/bin/python{sys.version_info[0]}.{sys.version_info[1]} -c \\
    'from twisted.scripts.twistd import run; run()' "$@"
"""
TSADMIN = TWISTD.replace(f"exec >>{LOG} 2>&1\n", "").replace(
    "from twisted.scripts.twistd import run; run()", "from tscm.cli.main import main; main()"
)
# All that the units need of a system; its own would start what belongs to a whole machine.
TARGETS = ("basic", "multi-user", "network", "shutdown", "sockets", "sysinit", "umount")
TARGET = "[Unit]\nDescription=Nothing else\nDefaultDependencies=no\n"
DEVICES = ("full", "null", "random", "tty", "urandom", "zero")


def mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


def lay_out(root: Path, units: Path, seen: dict[str, str]) -> None:
    """Mount and write what the machine finds when it starts."""
    for name, folder in seen.items():
        place = root / "opt/tscm" / name
        place.mkdir(parents=True)
        mount("--bind", folder, str(place))
    mount("-t", "proc", "proc", f"{root}/proc")
    mount("--bind", f"{root}/proc/sys", f"{root}/proc/sys")
    mount("-o", "remount,bind,ro", f"{root}/proc/sys")
    mount("-t", "sysfs", "-o", "ro", "sysfs", f"{root}/sys")
    mount("-t", "cgroup2", "cgroup2", f"{root}/sys/fs/cgroup")
    for name, mode in (("run", "755"), ("dev", "755"), ("tmp", "1777")):
        mount("-t", "tmpfs", "-o", f"mode={mode}", "tmpfs", f"{root}/{name}")
    for name in DEVICES:
        (root / "dev" / name).touch()
        mount("--bind", f"/dev/{name}", f"{root}/dev/{name}")
    for name in ("console", "kmsg"):
        (root / "dev" / name).touch()
    (root / "dev/shm").mkdir()
    (root / "dev/pts").mkdir()
    mount("-t", "devpts", "-o", "newinstance,ptmxmode=0666", "devpts", f"{root}/dev/pts")
    (root / "dev/ptmx").symlink_to("pts/ptmx")
    place = root / "etc/systemd/system"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for unit in units.glob("tscm.*"):
        if unit.suffix in (".service", ".socket"):
            shutil.copy(unit, place)
    for target in TARGETS:
        (place / f"{target}.target").write_text(TARGET)
    programs = root / "opt/tscm/bin"
    programs.mkdir()
    path = ":".join(f"/opt/tscm/{name}" for name in seen if name != "python")
    for name, text in (("twistd", TWISTD), ("tsadmin", TSADMIN)):
        (programs / name).write_text(text.format(path=path))
        (programs / name).chmod(0o755)
    for file, line in (
        ("passwd", f"x:{USER_ID}:{USER_ID}::/:/bin/false"),
        ("group", f"x:{USER_ID}:"),
    ):
        with (root / "etc" / file).open("a") as out:
            out.write(f"{USER}:{line}\n")
    for folder in ("etc/tscm", "var/lib/tscm", "var/log/threatstop"):
        shutil.rmtree(root / folder, ignore_errors=True)


def main(units: str, place: str, *seen: str) -> None:
    mount("--make-rprivate", "/")
    mount("-t", "tmpfs", "tmpfs", place)
    for name in ("upper", "work", "root"):
        Path(place, name).mkdir()
    root = Path(place, "root")
    ways = f"lowerdir=/,upperdir={place}/upper,workdir={place}/work"
    mount("-t", "overlay", "overlay", "-o", ways, str(root))
    lay_out(root, Path(units), dict(one.split("=", 1) for one in seen))
    (root / "outside").mkdir()
    subprocess.run(["pivot_root", str(root), str(root / "outside")], check=True)
    os.chdir("/")
    subprocess.run(["umount", "--lazy", "/outside"], check=True)
    os.execve(
        SYSTEMD,
        [
            *(SYSTEMD, "--system", "--unit=sysinit.target", "--show-status=no"),
            *("--log-target=kmsg", "--log-level=info", "--default-standard-output=null"),
        ],
        {
            "container": "tscm-test",
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "SYSTEMD_UNIT_PATH": "/etc/systemd/system",
            "SYSTEMD_GENERATOR_PATH": "/nowhere",
        },
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
