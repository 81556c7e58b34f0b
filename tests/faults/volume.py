"""
A file system of its own on a block device (a loop device), which fails in its kernel's own ways.
"""

import fcntl
import os
import shutil
import struct
import subprocess
from pathlib import Path

from attrs import define, field

from tests.faults.probes import done, tool

_SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN, ext4.h
_NO_FLUSH = 2


@define(eq=False)
class Volume:
    """
    An ext4 in a file, mounted at *place*.
    """

    folder: Path
    place: Path
    megabytes: int = 32
    _number: int = field(default=0, init=False)

    @property
    def _image(self) -> Path:
        return self.folder / f"volume.{self._number}"

    def mount(self) -> None:
        self.place.mkdir(parents=True, exist_ok=True)
        with self._image.open("wb") as file:
            file.truncate(self.megabytes << 20)
        assert done(*tool("mkfs.ext4"), "-q", "-F", str(self._image)) == ""
        self._attach()

    def _attach(self) -> None:
        options = "loop,errors=remount-ro"
        assert done("mount", "-o", options, str(self._image), str(self.place)) == ""

    def unmount(self) -> None:
        done("umount", "-l", str(self.place))

    def _sync(self) -> None:
        assert done("sync", "-f", str(self.place)) == ""

    def turn_read_only(self) -> None:
        """What a damaged structure does to it: the kernel lets nobody write any more."""
        self._sync()
        found = subprocess.run(
            ["findmnt", "-n", "-o", "SOURCE", str(self.place)],
            capture_output=True,
            text=True,
            check=True,
        )
        device = Path(found.stdout.strip()).name
        Path(f"/sys/fs/ext4/{device}/trigger_fs_error").write_text("a test")

    def fail(self, *, synced: bool = True) -> None:
        """Every call that needs the device gets EIO; what had not been synced is gone."""
        if synced:
            self._sync()
        handle = os.open(self.place, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, _SHUTDOWN, struct.pack("I", _NO_FLUSH))
        finally:
            os.close(handle)

    def exchange(self) -> None:
        """What an operator does: take it away, check it, and mount it again, all else going on."""
        self.unmount()
        before = self._image
        self._number += 1
        shutil.copyfile(before, self._image)  # the old one is in use as long as files are open
        done(*tool("e2fsck"), "-fy", str(self._image))
        self._attach()
