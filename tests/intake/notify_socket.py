"""What systemd does with the words of a service."""

import os
import socket
from pathlib import Path

from tscm.intake.systemd import Inherited, Notifier


class Systemd:
    """Hears a service's words and keeps the descriptors that come with them."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.setblocking(False)
        self.words: list[str] = []
        self.store: dict[str, int] = {}
        self.notifier = Notifier(str(path))

    def hear(self) -> None:
        """Take what was said by now."""
        while True:
            try:
                data, fds, _, _ = socket.recv_fds(self.socket, 65536, 16)
            except BlockingIOError:
                return
            words = data.decode().split("\n")
            self.words += words
            names = [word.removeprefix("FDNAME=") for word in words if word.startswith("FDNAME=")]
            if "FDSTORE=1" in words:
                self.store[names[0]] = fds[0]
            if "FDSTOREREMOVE=1" in words:
                os.close(self.store.pop(names[0]))

    def kept(self) -> tuple[Inherited, ...]:
        """Copies, as the next process inherits them."""
        self.hear()
        return tuple(Inherited(os.dup(fd), name) for name, fd in self.store.items())

    def close(self) -> None:
        """Let go of everything."""
        self.hear()
        self.socket.close()
        for fd in self.store.values():
            os.close(fd)


def held(kind: int) -> socket.socket:
    """A socket that systemd opened for a service."""
    made = socket.socket(socket.AF_INET, kind)
    made.bind(("127.0.0.1", 0))
    if kind == socket.SOCK_STREAM:
        made.listen(64)
    return made
