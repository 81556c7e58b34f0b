"""
A child process of the tests: does with its input what the first argument says.
"""

import sys
import time
from pathlib import Path

from tscm.base.parse_child import answer_once, begin


def peak() -> bytes:
    """The most that this process ever held, in KB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith("VmHWM:")).encode()


def answer(kind: str, content: bytearray) -> bytes:
    match kind:
        case "count":
            return str(len(content)).encode()
        case "echo":
            return bytes(content)
        case "peak":
            return peak()
        case "hunger":
            return bytes(bytearray(256 << 20)[:1])
        case "exit":
            sys.exit(7)
        case "spin":
            while True:
                pass
        case "sleep":
            time.sleep(600)
    raise ValueError(kind)


if __name__ == "__main__":
    begin(64 << 20, 1 if sys.argv[2:] else None)
    answer_once(lambda content: answer(sys.argv[1], content))
