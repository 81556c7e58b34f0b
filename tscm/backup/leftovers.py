"""
Files that a backup was writing when its process was killed.
"""

import os
from pathlib import Path


def being_written(final: Path) -> Path:
    """Where this process writes what is to lie at *final*."""
    return final.with_name(f".{final.name}.{os.getpid()}.new")


def remove_leftovers(folder: Path, pattern: str) -> None:
    """
    Delete what ended processes left in *folder* of files whose final names match *pattern*.  Raises `OSError`.
    """
    for path in folder.glob(f".{pattern}.new"):
        number = path.name.removesuffix(".new").rpartition(".")[2]
        if number.isdecimal() and not Path(f"/proc/{number}").exists():
            path.unlink(missing_ok=True)
