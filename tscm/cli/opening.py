"""
Who carries this command out: a manager where one listens on the control socket of the root.
"""

import socket

from tscm import __version__
from tscm.cli import say
from tscm.errors import ControlUnavailable
from tscm.faces.backend import Backend
from tscm.settings.layout import Layout

_CONNECT_SECONDS = 5.0


def open_backend(layout: Layout) -> Backend:
    """
    The manager where one answers on the control socket, else the stored files.

    Raises `ControlUnavailable` where there is a socket that must not or cannot be used.
    """
    if manager_answers(layout):
        from tscm.faces.client import ManagerBackend

        return ManagerBackend(layout.control_socket, differs=_warn_of_version)
    from tscm.cli.standalone import StandaloneBackend

    return StandaloneBackend(layout)


def _warn_of_version(version: str) -> None:
    say.warn(
        f"the manager runs version {version}, tsadmin is version {__version__}; restart the manager "
        "with `systemctl restart tscm.service`"
    )


def manager_answers(layout: Layout) -> bool:
    """Does a process listen on the control socket of this root?"""
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
                path, "permission denied; run tsadmin as root or as a member of group tscm"
            ) from None
        except OSError as error:
            raise ControlUnavailable(path, error.strerror or str(error)) from None
    return True
