"""
A SIEM as a process, so that it can stand in another network namespace: what it reads goes to a file.

`python siem_process.py ADDRESS PORT FILE`; each line of the file begins with the connection's number.
"""

import socket
import sys
import threading


def read(number: int, one: socket.socket, path: str) -> None:
    rest = b""
    with open(path, "ab", buffering=0) as out:  # noqa: PTH123 - started for every connection
        while data := one.recv(65536):
            *lines, rest = (rest + data).split(b"\n")
            out.write(b"".join(b"%d %s\n" % (number, line) for line in lines))


def main(address: str, port: str, path: str) -> None:
    listening = socket.create_server((address, int(port)))
    print("ready", flush=True)
    number = 0
    while True:
        one, _ = listening.accept()
        number += 1
        threading.Thread(target=read, args=(number, one, path), daemon=True).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
