"""
The embedded log service as a process that refuses uploads on demand.

`python log_service_process.py PORTAL MODE_FILE` says where it listens and which certificate it shows, and reads for
each request what to do: `pass`; `413 BYTES` takes no content over so many bytes; `429` and `503` ask to come again
after five seconds; `500` asks nothing.  What it takes lies where the log service puts it.
"""

import json
import sys
from pathlib import Path

from attrs import define
from twisted.internet import reactor

from tscm.base.host_port import HostPort
from tscm.base.threads import Threads
from tscm.services.log_service import LogService
from tscm.services.upload_request import Refusal, UploadRequest
from tscm.upload_format import BatchHead


@define(eq=False)
class RefusingService(LogService):
    """
    Judges as the log service does, and then as it is told to.
    """

    modes: Path = Path()

    def judge(self, request: UploadRequest, length: int | None) -> BatchHead | Refusal:
        """See `LogService.judge`."""
        found = super().judge(request, length)
        status, _, bound = self.modes.read_text().strip().partition(" ")
        if isinstance(found, Refusal) or status == "pass":
            return found
        if status == "413":
            small = length is not None and length <= int(bound)
            return found if small else Refusal(413, f"over {bound} bytes; split the batch")
        return Refusal(int(status), "told to refuse", later=status in {"429", "503"})


def main(portal: str, modes: str) -> None:
    threads = Threads(reactor, 2, "portal")
    service = RefusingService(
        reactor, threads, Path(portal), [HostPort("127.0.0.1", 0)], modes=Path(modes)
    )
    threads.startService()
    service.privilegedStartService()
    service.startService()
    place = {"logs": service.addresses()[0], "certificate": str(service.certificate)}
    print(json.dumps(place), flush=True)
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
