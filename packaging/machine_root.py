"""
Becomes process 1 of a machine: systemd on the root that is named, with targets that start nothing else.

    machine_root.py ROOT

Runs in fresh namespaces, which `machine.py` makes.  What belongs to the kernel as a whole is read-only.
"""

import os
import subprocess
import sys
from pathlib import Path

SYSTEMD = "/lib/systemd/systemd"
# All that the units need of a system; a system's own would start what belongs to a whole host.
TARGETS = ("basic", "multi-user", "network", "shutdown", "sockets", "sysinit", "umount")
DEVICES = ("full", "null", "random", "tty", "urandom", "zero")


def mount(*words: str) -> None:
    """Mount a file system; it must succeed."""
    subprocess.run(["mount", *words], check=True)


def main(root: Path) -> None:
    """Lay out the kernel's file systems and start systemd."""
    mount("--make-rprivate", "/")
    mount("--bind", str(root), str(root))
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
    for name in ("shm", "pts"):
        (root / "dev" / name).mkdir()
    (root / "dev/fd").symlink_to("/proc/self/fd")
    mount("-t", "devpts", "-o", "newinstance,ptmxmode=0666", "devpts", f"{root}/dev/pts")
    (root / "dev/ptmx").symlink_to("pts/ptmx")
    for target in TARGETS:
        unit = root / f"etc/systemd/system/{target}.target"
        wants = "Wants=sockets.target multi-user.target\n" if target == "sysinit" else ""
        unit.write_text(f"[Unit]\nDescription=Nothing else\nDefaultDependencies=no\n{wants}")
    (root / "outside").mkdir(exist_ok=True)
    subprocess.run(["pivot_root", str(root), f"{root}/outside"], check=True)
    os.chdir("/")
    subprocess.run(["umount", "--lazy", "/outside"], check=True)
    os.execve(
        SYSTEMD,
        [SYSTEMD, "--system", "--unit=sysinit.target", "--show-status=no", "--log-target=kmsg"],
        {
            "container": "tscm-check",
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "SYSTEMD_UNIT_PATH": "/etc/systemd/system:/lib/systemd/system",
            "SYSTEMD_GENERATOR_PATH": "/nowhere",
        },
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
