"""
A CONNECT proxy that misbehaves on demand, as a process.

`python proxy_process.py PLACE MODE_FILE` listens on a port of the kernel's choosing, writes it to PLACE, and
reads for each connection what to do: `pass`; `hang` answers CONNECT and then nothing; `cut` closes both ways
when so much has gone to the server that it is in the midst of a batch; `swallow` lets the whole request through
and closes when the server answers it; `407`, `403` and `502` refuse CONNECT by that status.
"""

import contextlib
import socket
import sys
import threading
import time
from pathlib import Path

HEAD_BYTES = 8192
REASONS = {
    "407": "Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=x",
    "403": "Forbidden",
    "502": "Bad Gateway",
}
CUT_BYTES = 6000  # behind the TLS hand-shake, before the end of the tests' batches


def head_of(one: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head and len(head) < HEAD_BYTES:
        data = one.recv(4096)
        if not data:
            break
        head += data
    return head


def serve(one: socket.socket, mode: str) -> None:
    words = head_of(one).split(b" ")
    if mode in REASONS or words[0] != b"CONNECT":
        status = mode if mode in REASONS else "502"
        one.sendall(f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Length: 0\r\n\r\n".encode())
        one.close()
        return
    host, _, port = words[1].decode().rpartition(":")
    other = socket.create_connection((host.strip("[]"), int(port)))
    one.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
    if mode == "hang":
        time.sleep(60)
        return
    sent = [0]

    def close() -> None:
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def back() -> None:
        try:
            while data := other.recv(65536):
                if mode == "swallow" and sent[0] > CUT_BYTES:
                    break
                one.sendall(data)
        except OSError:
            pass
        close()

    threading.Thread(target=back, daemon=True).start()
    try:
        while data := one.recv(2048):
            sent[0] += len(data)
            if mode == "cut" and sent[0] > CUT_BYTES:
                break
            other.sendall(data)
    except OSError:
        pass
    close()


def main(place: str, modes: str) -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    Path(place).write_text(str(listening.getsockname()[1]))
    while True:
        one, _ = listening.accept()
        mode = Path(modes).read_text().strip()
        threading.Thread(target=serve, args=(one, mode), daemon=True).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
