"""
What a fault needs of the machine, tried out before: a test that cannot have it says why.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.skipping import lacking

FAKETIME = "libfaketime.so.1"

thorough = pytest.mark.skipif(
    not os.environ.get("TSCM_FAULTS"),
    reason="takes long or needs privileges: `make faults`, or TSCM_FAULTS=1, runs it",
)


def done(*command: str) -> str:
    """Run a command that belongs to a fault; empty, or what it complains of."""
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return "" if ended.returncode == 0 else (ended.stderr.strip() or f"status {ended.returncode}")


def need_mounts() -> None:
    """Skip unless this process may mount a tmpfs."""
    with tempfile.TemporaryDirectory() as folder:
        fault = done("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder)
        if fault:
            pytest.skip(f"needs the right to mount (root): {fault}")
        done("umount", folder)


def own_resolver(configuration: Path) -> list[str]:
    """
    Words before a command that has *configuration* as its `/etc/resolv.conf`; skip where that cannot be.
    """
    # A mount namespace of its own; `exec`, so that its process id is that of the command.
    mount = f'mount --bind "{configuration}" "$(readlink -f /etc/resolv.conf)" && exec "$@"'
    words = ["unshare", "--mount", "sh", "-c", mount, "sh"]
    if shutil.which("unshare") is None:
        pytest.skip(lacking("unshare", "util-linux"))
    fault = done(*words, "cmp", str(configuration), "/etc/resolv.conf")
    if fault:
        pytest.skip(f"needs the right to mount (root): {fault}")
    return words


def need_namespaces() -> None:
    """Skip unless this process may make a network namespace and filter packets in it."""
    for program, package in (("ip", "iproute2"), ("nft", "nftables")):
        if shutil.which(program) is None:
            pytest.skip(lacking(program, package))
    name = f"tscm-probe-{os.getpid()}"
    fault = done("ip", "netns", "add", name)
    if fault:
        pytest.skip(f"needs the right to make network namespaces (root): {fault}")
    fault = done("ip", "netns", "exec", name, "nft", "add", "table", "inet", "probe")
    done("ip", "netns", "del", name)
    if fault:
        pytest.skip(f"needs nftables in the kernel: {fault}")


def need_faketime() -> str:
    """Where libfaketime lies; skip where it is not installed."""
    for folder in ("/usr/lib", "/usr/local/lib"):
        for path in sorted(Path(folder).glob(f"**/faketime/{FAKETIME}")):
            return str(path)
    pytest.skip(lacking("libfaketime", "faketime"))


def bound_by_modes() -> list[str]:
    """
    Words before a command that make the modes of files bind it; none where they do anyway.

    Root loses its right to write everywhere (CAP_DAC_OVERRIDE); skip where it cannot.
    """
    if os.geteuid() != 0:
        return []
    words = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"]
    if shutil.which("setpriv") is None:
        pytest.skip(lacking("setpriv", "util-linux"))
    fault = done(*words, "true")
    if fault:
        pytest.skip(f"root cannot give up its rights here: {fault}")
    return words


def need_volumes() -> None:
    """Skip unless this process may mount an ext4 that lies in a file, and make it fail."""
    for program, package in (("mkfs.ext4", "e2fsprogs"), ("losetup", "mount")):
        if shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") is None:
            pytest.skip(lacking(program, package))
    with tempfile.TemporaryDirectory() as folder:
        image, place = Path(folder) / "image", Path(folder) / "place"
        place.mkdir()
        with image.open("wb") as file:
            file.truncate(4 << 20)
        fault = done(*tool("mkfs.ext4"), "-q", "-F", str(image)) or done(
            "mount", "-o", "loop", str(image), str(place)
        )
        if fault:
            pytest.skip(f"needs the right to mount a file (root, and a loop device): {fault}")
        done("umount", str(place))


def tool(name: str) -> list[str]:
    """An administrator's program, also where the path does not lead to it."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    return [found or name]
