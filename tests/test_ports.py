"""
Ports that tests hold.
"""

import re
import socket
import subprocess
import sys
from pathlib import Path

from tests.ports import FIXED, _candidates, chosen_by_the_kernel, fixed_ports_held, held_port

ROOT = Path(__file__).parent.parent


def test_a_held_port_is_free_for_both_and_no_one_elses() -> None:
    ports = [held_port() for _ in range(20)]
    assert len(set(ports)) == 20
    assert len(chosen_by_the_kernel()) > 50_000 or not set(ports) & set(chosen_by_the_kernel())
    for port in ports:
        with (
            socket.create_server(("127.0.0.1", port)),
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        ):
            datagrams.bind(("127.0.0.1", port))


def test_another_process_that_looks_at_the_same_places_gets_others() -> None:
    code = "import os; os.getpid = lambda: {pid}\nfrom tests.ports import held_port\n"
    code += "print([held_port() for _ in range(5)])\ninput()"
    found: set[int] = set()
    command = [sys.executable, "-c", code.format(pid=7)]
    processes = []
    try:
        for _ in range(3):
            one = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
            )
            processes.append(one)
            assert one.stdout is not None
            found |= set(map(int, one.stdout.readline().strip("[]\n").split(",")))
    finally:
        for one in processes:
            one.communicate("\n", timeout=60)
    assert len(found) == 15


def test_a_fixed_port_is_given_to_nobody_and_kept_for_one_test_alone() -> None:
    assert not FIXED & set(_candidates())
    for _ in range(2):
        with fixed_ports_held():
            pass


def test_no_test_gives_away_a_port_that_it_has_closed() -> None:
    """A function that returns the port of a socket of its own has closed the socket."""
    pattern = re.compile(r"^\s*return .*getsockname\(\)\[1\]", re.MULTILINE)
    found = [
        str(path)
        for path in sorted((ROOT / "tests").rglob("*.py"))
        if pattern.search(path.read_text())
    ]
    assert found == [], "use tests.ports.held_port"
