"""
Numbered syslog lines over UDP and over one TCP connection, until a file is there: `load.py TAG STOP SENT RATE`.

Runs within the machine.  SENT takes the numbers of lines sent as JSON, with the number of TCP connections.
"""

import json
import os
import socket
import sys
import time

SOURCE, MANAGER = "127.0.0.2", "127.0.0.1"
FILL = "x" * 120


def connect() -> socket.socket:
    """The TCP connection of the sender."""
    made = socket.socket()
    made.bind((SOURCE, 0))
    made.settimeout(120)
    made.connect((MANAGER, 1470))
    return made


def main(tag: str, stop: str, sent: str, rate: int) -> None:
    """Send; a connection that breaks is made again, and counted."""
    udp = socket.socket(type=socket.SOCK_DGRAM)
    udp.bind((SOURCE, 0))
    tcp, connections, number = connect(), 1, 0
    begun = time.monotonic()
    while not os.path.exists(stop):
        udp.sendto(f"<166>%ASA-6-302013: {tag} udp {number} {FILL}".encode(), (MANAGER, 514))
        line = f"<166>%ASA-6-302013: {tag} tcp {number} {FILL}\n".encode()
        try:
            tcp.sendall(line)
        except OSError:
            tcp, connections = connect(), connections + 1
            tcp.sendall(line)
        number += 1
        time.sleep(max(0.0, begun + number / rate - time.monotonic()))
    tcp.close()
    with open(f"{sent}.new", "w", encoding="ascii") as file:
        json.dump({"udp": number, "tcp": number, "connections": connections}, file)
    os.replace(f"{sent}.new", sent)


if __name__ == "__main__":
    main(*sys.argv[1:4], int(sys.argv[4]))
