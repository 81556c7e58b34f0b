"""
Who carries a command out: the running manager, or this process on the stored settings.
"""

import socket
from typing import Protocol

from tscm.errors import ControlUnavailable, TscmError
from tscm.model import Json, Report
from tscm.risks import Consent
from tscm.settings.layout import Layout

_CONNECT_SECONDS = 5.0


class ManagerDown(TscmError):
    """
    What was asked for is done by the manager alone, and no manager runs on this root.
    """

    exit_status = 6

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(what)

    def __str__(self) -> str:
        return (
            f"{self.what} needs the manager, and it is not running on this root; "
            f"start it with `twistd -n tscm` or `systemctl start tscm`"
        )


class ManagerSaid(TscmError):
    """
    An error of the manager, with its own sentence and exit status; of an update its *outcome*.
    """

    def __init__(self, sentence: str, status: int, outcome: Json | None = None) -> None:
        self.sentence = sentence
        self.status = status
        self.outcome = outcome
        super().__init__(sentence, status)

    def __str__(self) -> str:
        return self.sentence


class Backend(Protocol):
    """
    What `tsadmin` asks for; both ways give the same values and raise the same errors.
    """

    running: bool

    def status(self) -> Json:
        """The manager's process, listeners and intake figures."""

    def rows(self) -> list[Json]:
        """A row for each device; one with a damaged file has `fault`, and where not in force no more."""

    def view(self, name: str) -> Json:
        """`{settings, state}` of one device, secrets masked."""

    def add(self, table: Json, report: Report) -> Json:
        """Check and store a new device: `{name, check, settings, lines}`."""

    def change(self, name: str, table: Json, report: Report) -> Json:
        """Check and store changed settings: `{name, check, settings, changed}`."""

    def remove(self, name: str, report: Report) -> Json:
        """Forget a device: `{name, lines}`."""

    def update(self, name: str, report: Report, *, consent: Consent) -> Json:
        """Fetch and push now, with the risks that are accepted."""

    def plan(self, name: str, report: Report, *, consent: Consent, survey: bool) -> Json:
        """What an update would do; with *survey* behind every risk that is not accepted, too."""

    def logs(self, name: str, report: Report) -> Json:
        """Rotate and upload now."""

    def batches_aside(self, name: str) -> Json:
        """`{batches}` that the log service refused for good."""

    def aside(self, name: str, what: str, key: str, report: Report) -> Json:
        """`send` or `drop` one of them, or `all`."""

    def drop_reader(self, name: str, reader: str) -> Json:
        """Forget a reader that nobody uses any more: `{reader, waiting_lines}`."""

    def ledger(self, name: str | None) -> Json:
        """The balance of one device or of all."""

    def senders(self) -> list[Json]:
        """Unknown senders."""

    def adopt(self, address: str, name: str, report: Report) -> Json:
        """Take an unknown sender in as a source of a device."""

    def purge(self, name: str, report: Report, *, consent: Consent) -> Json:
        """Take our groups off a device: `{deleted, obstacles, complete, sentence}`."""

    def policy(self, name: str, question: str, table: Json, report: Report) -> Json:
        """`why`, `dropped`, `diff`, `rollback`, `pause` or `resume` of a device's policy."""

    def rebuild_events(self, name: str, report: Report) -> Json:
        """Count anew what the log of a device still tells."""

    def report(self, name: str, options: Json, report: Report) -> Json:
        """What the lists did on a device."""

    def doctor(self, name: str | None, report: Report) -> Json:
        """`{findings}` about a device's chain; without a name about host and manager."""

    def history(self, name: str) -> Json:
        """Generations that are kept, and the latest updates."""

    def versions(self) -> list[Json]:
        """Modules and their versions."""


def open_backend(layout: Layout) -> Backend:
    """
    The manager where one answers on the control socket, else the stored settings.

    Raises `ControlUnavailable` where there is a socket that must not or cannot be used.
    """
    if manager_answers(layout):
        from tscm.cli.client import ManagerBackend

        return ManagerBackend(layout.control_socket)
    from tscm.cli.direct import DirectBackend

    return DirectBackend(layout)


def manager_answers(layout: Layout) -> bool:
    """Does anybody listen on the control socket of this root?"""
    path = str(layout.control_socket)
    fault = layout.control_folder_fault
    if fault:
        raise ControlUnavailable(path, fault)
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_CONNECT_SECONDS)
        try:
            probe.connect(path)
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            return False
        except PermissionError:
            raise ControlUnavailable(
                path, "no right to use it; run this as root or as a member of the group tscm"
            ) from None
        except OSError as error:
            raise ControlUnavailable(path, error.strerror or str(error)) from None
    return True
