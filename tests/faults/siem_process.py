"""
A SIEM as a process, so that it can stand in another network namespace: what it reads goes to a file.

`python siem_process.py ADDRESS PORT FILE [ALLOWANCE]`; each line of the file begins with the connection's number.
ALLOWANCE is a file with the number of bytes that may be read so far of each connection, -1 for any: so a SIEM is
as slow as a test wants it to be, whatever the machine.
"""

import socket
import sys
import threading
import time
from pathlib import Path

SMALL_BUFFER = 16384  # what the kernel takes in the place of a SIEM that reads slowly
LOOK_SECONDS = 0.01


def may_read(allowance: str, taken: int) -> int:
    """How many bytes more; waits until there are some."""
    while allowance:
        allowed = int(Path(allowance).read_text() or 0)
        if allowed < 0:
            break
        if allowed > taken:
            return min(65536, allowed - taken)
        time.sleep(LOOK_SECONDS)
    return 65536


def read(number: int, one: socket.socket, path: str, allowance: str) -> None:
    rest, taken = b"", 0
    with open(path, "ab", buffering=0) as out:  # noqa: PTH123 - started for every connection
        while data := one.recv(may_read(allowance, taken)):
            taken += len(data)
            *lines, rest = (rest + data).split(b"\n")
            out.write(b"".join(b"%d %s\n" % (number, line) for line in lines))


def main(address: str, port: str, path: str, allowance: str = "") -> None:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if allowance:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
    listening.bind((address, int(port)))
    listening.listen()
    print("ready", flush=True)
    number = 0
    while True:
        one, _ = listening.accept()
        number += 1
        threading.Thread(target=read, args=(number, one, path, allowance), daemon=True).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
