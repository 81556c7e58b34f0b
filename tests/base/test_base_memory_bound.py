"""
A child process that parses ends before it takes the host's memory.
"""

import subprocess
import sys

ASK = """
import resource, sys
from tscm.base.memory_bound import bound_memory
bound_memory(64 << 20)
kept = bytearray(32 << 20)
try:
    bytearray(96 << 20)
except MemoryError:
    print("bounded", open("/proc/self/oom_score_adj").read().strip())
"""


def test_more_than_the_bound_is_refused_and_less_is_not() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASK], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("bounded 500\n", "")
