"""
The child process that reads one large answer of a firewall.

`python -m tscm.kinds.asa.rest.reader_process KIND PREFIX`: the body comes in by the socket, and its `Content` goes out as JSON.
"""

import json
import sys

from attrs import asdict

from tscm.base.parse_child import answer_once, begin
from tscm.kinds.asa.rest.content import read_content
from tscm.kinds.asa.rest.picks import Want

MEMORY_BYTES = 320 << 20
"""For 64 MB of text twice, as it came and as characters, and what is parsed of it: a million members of groups."""
PROCESSOR_SECONDS = 30
"""Twenty times what the largest answer takes."""


def main(kind: str, prefix: str) -> None:
    """Read standard input as *kind* says, within the limits."""
    want = Want(kind, prefix)
    begin(MEMORY_BYTES, PROCESSOR_SECONDS)
    answer_once(lambda content: json.dumps(asdict(read_content(content, want))).encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
