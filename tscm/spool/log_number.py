"""
The number of a log, in a file beside it: what receivers outside know its lines by, besides their place.  Blocking.
"""

import re
from pathlib import Path
from secrets import token_hex
from threading import Lock

from tscm.base.safe_files import read_regular
from tscm.settings.files import write_private

_BYTES = 64
_NUMBER = re.compile(r"[0-9a-f]{8}")
_MAKING = Lock()


def number_file(log_folder: Path) -> Path:
    """Where the number of the log in *log_folder* stands."""
    return log_folder / ".spool" / "id"


def log_number(log_folder: Path) -> str:
    """
    8 hex digits, made where there are none: a new log of the same name has none.  Raises `OSError`.
    """
    with _MAKING:  # several receivers of one log ask at the same time
        try:
            text = read_regular(number_file(log_folder), _BYTES).decode("ascii", "replace").strip()
        except FileNotFoundError:
            text = ""
        return text if _NUMBER.fullmatch(text) else new_number(log_folder)


def new_number(log_folder: Path) -> str:
    """Another number than before: the log goes on as another one.  Raises `OSError`."""
    number = token_hex(4)
    write_private(number_file(log_folder), f"{number}\n".encode())
    return number
