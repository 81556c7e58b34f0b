"""
Accidents to ASA lines, for as long as one likes: `make fuzz`, FUZZ_SECONDS for its length.

A block must tell what its lines tell one by one, and every line must have a header.  The seed is
shown, and FUZZ_SEED repeats a run; `tests/syslog/test_asa_bulk.py` does a few seconds of the same.
"""

import os
import random
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))

from tests.syslog.mutations import corpus, disagreement, mutants
from tscm.syslog.header import read_header

BLOCK = 16


def main() -> None:
    seconds = float(os.environ.get("FUZZ_SECONDS", "600"))
    seed = int(os.environ.get("FUZZ_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
    print(f"seed {seed}, {seconds:.0f} s", flush=True)
    made = mutants(corpus(), random.Random(seed))
    ends, tried = time.monotonic() + seconds, 0
    while time.monotonic() < ends:
        block = [next(made) for _ in range(BLOCK)]
        tried += BLOCK
        for line in block:
            assert 0 <= read_header(line).text <= len(line), line
        for found in (disagreement(block), *(disagreement([line]) for line in block)):
            if found is not None:
                sys.exit(f"{found}\nFUZZ_SEED={seed} repeats it")
    print(f"{tried:,} lines, no difference")


if __name__ == "__main__":
    main()
