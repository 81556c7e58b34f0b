"""
Boot the appliance in qemu, set it up at its console, and send it lines: `walk.py DISK.qcow2 FOLDER [--efi FIRMWARE]`.

By emulation alone (TCG), apart from CI: minutes.  Nothing of the disk is changed.  Prints a line for each thing that
holds.
"""

import re
import socket
import subprocess
import sys
import time
from pathlib import Path

PATIENCE = 1800.0
PASSWORD = "a walk in qemu"
LINES = 100
MEMORY_MB = 450


class WalkFailed(Exception):
    """What was expected did not come."""


class Console:
    """The serial console: waits for a text, answers."""

    def __init__(self, place: Path, log: Path) -> None:
        end = time.monotonic() + 60
        while True:
            self._socket = socket.socket(socket.AF_UNIX)
            try:
                self._socket.connect(str(place))
                break
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)
        self._socket.settimeout(1.0)
        self._seen = ""
        self._log = log.open("w")

    def expect(self, pattern: str, seconds: float = PATIENCE) -> str:
        """Wait for *pattern*; gives all up to its end."""
        end = time.monotonic() + seconds
        while not (found := re.search(pattern, self._seen)):
            if time.monotonic() > end:
                raise WalkFailed(f"waited in vain for {pattern!r}:\n{self._seen[-2000:]}")
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                continue
            if not data:
                raise WalkFailed(f"the machine ended:\n{self._seen[-2000:]}")
            text = data.decode("utf-8", "replace")
            self._log.write(text)
            self._log.flush()
            self._seen += text
        before, self._seen = self._seen[: found.end()], self._seen[found.end() :]
        return before

    def send(self, text: str) -> None:
        """Type a line."""
        self._socket.sendall(text.encode() + b"\r")

    def run(self, command: str) -> str:
        """A command at the prompt; what it prints."""
        self.send(f"{command}; echo st''atus=$?")
        return self.expect(r"status=\d+\s")


def told(text: str, began: float) -> None:
    """One thing that holds."""
    print(f"ok: appliance: {text} ({time.monotonic() - began:.0f} s)", flush=True)


def free_port(kind: socket.SocketKind) -> int:
    """A port that is free now; qemu takes it in a moment."""
    with socket.socket(socket.AF_INET, kind) as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def walk(console: Console, udp: int, tcp: int, began: float) -> None:
    """From the first boot to lines in the log."""
    console.expect("Press Enter to set this appliance up")
    told("booted to its console", began)
    console.send("")
    for prompt, answer in (
        ("Password: ", PASSWORD),
        ("Again: ", PASSWORD),
        ("Name of this host", "collector"),
        ("empty for DHCP: ", ""),
        ("Time servers", ""),
        ("login: ", "threatstop"),
        ("Password: ", PASSWORD),
    ):
        console.expect(prompt)
        console.send(answer)
    console.expect(r"threatstop@\S+:~\$ ")
    told("set up, and logged in as threatstop", began)
    if "status=0" not in console.run("sudo -S -v <<<'a walk in qemu'"):
        raise WalkFailed("sudo")
    for unit in (
        "tscm.service",
        "tscm.socket",
    ):  # each by itself: of two, one that is active would do
        if "status=0" not in console.run(f"systemctl is-active {unit}"):
            raise WalkFailed(f"{unit} is not active")
    if "TSCM-Core" not in console.run("tsadmin version --all"):
        raise WalkFailed("tsadmin")
    told("the manager runs, and threatstop may ask it", began)
    device = (
        'type = "generic"\\ndevice_id = "tdid_walk"\\ndevice = "10.0.2.2"\\n'
        'block_list = "a.example"\\nallow_list = "b.example"\\nsend_logs = false\\npolicy_updates = false\\n'
    )
    console.run(
        f"printf '{device}' | sudo -u tscm sh -c 'umask 027; mkdir -p /etc/tscm/devices; umask 077; cat >/etc/tscm/devices/office.toml'"
    )
    end = time.monotonic() + PATIENCE
    while "office" not in console.run("tsadmin list --json").partition("[")[2]:
        if time.monotonic() > end:
            raise WalkFailed("the device never came into force")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        for number in range(LINES):
            out.sendto(b"<166>%%ASA-6-302013: walk %d" % number, ("127.0.0.1", udp))
            time.sleep(0.02)
    with socket.create_connection(("127.0.0.1", tcp)) as line:
        line.sendall(b"<166>%ASA-6-302014: walk over TCP\n")
        time.sleep(2)
    wanted = f"lines={LINES + 1}\\b"
    while not re.search(
        wanted, console.run("echo li''nes=$(tsadmin spool export office | grep -c walk)")
    ):
        if time.monotonic() > end:
            raise WalkFailed("lines are missing")
    told(f"{LINES} datagrams and a line over TCP from outside are in the log", began)
    memory = console.run('free -m | awk \'/^Mem/ {print "used" "=" $3}\'')
    used = re.search(r"used=(\d+)", memory)
    if used is None or int(used[1]) >= MEMORY_MB:
        raise WalkFailed(f"not less than {MEMORY_MB} MB of memory are used:\n{memory}")
    told(f"{used[1]} MB of memory are used", began)
    refused = console.run("sudo tsadmin network static 10.0.2.77/24 192.0.2.1")
    if "is not in 10.0.2.0/24" not in refused:
        raise WalkFailed(f"a wrong gateway was not refused:\n{refused}")
    console.run("sudo tsadmin network static 10.0.2.77/24 10.0.2.2 10.0.2.3")
    tried = console.run("sleep 5; ip -brief -4 address show scope global")
    if "10.0.2.77" not in tried or "10.0.2.15" not in tried:
        raise WalkFailed(f"not both addresses while a change is tried:\n{tried}")
    back = console.run(
        "sleep 70; ip -brief -4 address show scope global; cat /etc/systemd/network/10-tscm.network"
    )
    if "10.0.2.77" in back or "DHCP=yes" not in back:
        raise WalkFailed(f"the change was not taken back:\n{back}")
    told("a network that nobody confirmed is taken back", began)
    names = console.run(
        "sudo tsadmin ntp 10.0.2.2; sudo tsadmin hostname; journalctl -b --no-pager -g apparmor=.ALLOWED -k | grep -c profile=.tscm"
    )
    if "Time servers: 10.0.2.2" not in names or "Host name: collector" not in names:
        raise WalkFailed(f"time servers or name are not set:\n{names}")
    told("time servers and host name are set", began)
    console.send("sudo poweroff")


def main(disk: Path, folder: Path, firmware: str | None) -> None:
    """One machine from power to power off."""
    folder.mkdir(parents=True, exist_ok=True)
    udp, tcp = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_STREAM)
    place, began = folder / "console", time.monotonic()
    machine = subprocess.Popen(
        [
            *("qemu-system-x86_64", "-accel", "tcg,thread=multi", "-smp", "2", "-m", "2048"),
            *("-cpu", "Nehalem"),  # the least that the wheels of numpy run on: x86-64-v2
            *("-display", "none", "-no-reboot", "-snapshot"),
            *(("-bios", firmware) if firmware else ()),
            *("-drive", f"file={disk},if=virtio,format=qcow2"),
            *("-serial", f"unix:{place},server=on,wait=on"),
            *(
                "-nic",
                f"user,model=virtio-net-pci,hostfwd=udp:127.0.0.1:{udp}-:514,hostfwd=tcp:127.0.0.1:{tcp}-:1470",
            ),
        ],
        stdin=subprocess.DEVNULL,
    )
    try:
        walk(Console(place, folder / "console.log"), udp, tcp, began)
        machine.wait(PATIENCE)
        told("powered off", began)
    finally:
        if machine.poll() is None:
            machine.kill()
            machine.wait()


if __name__ == "__main__":
    try:
        main(
            Path(sys.argv[1]).absolute(),
            Path(sys.argv[2]).absolute(),
            sys.argv[4] if len(sys.argv) > 4 else None,
        )
    except WalkFailed as failed:
        sys.exit(f"FAILED: {failed}")
