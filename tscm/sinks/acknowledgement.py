"""
Splunk's indexer acknowledgement: a batch counts once the indexer has it, not once it was received.

Source: Splunk, "About HTTP Event Collector Indexer Acknowledgment".
"""

import json
from collections.abc import Callable

from attrs import frozen

from tscm.sinks.form import OK, Answer, Request, failed
from tscm.sinks.outcome import Failed, Outcome, Taken

_PATH = "/services/collector/ack"
_FIRST_SECONDS, _MOST_SECONDS = 0.25, 2.0


@frozen
class AckChannel:
    """
    Asks for the acknowledgement of one batch until it is there, for *seconds* at most.
    """

    _seconds: float
    _clock: Callable[[], float]
    _sleep: Callable[[float], None]

    def wait(self, answer: Answer, post: Callable[[Request], Answer]) -> Outcome:
        """What became of the batch that was answered *answer*; *post* asks the sink."""
        number = answer.json.get("ackId") if isinstance(answer.json, dict) else None
        if not isinstance(number, int) or isinstance(number, bool):
            return Failed(
                "gave no ackId; enable indexer acknowledgement for the token, or set acknowledge = false"
            )
        end, pause = self._clock() + self._seconds, _FIRST_SECONDS
        asked = Request(path=_PATH, body=json.dumps({"acks": [number]}).encode())
        while True:
            said = post(asked)
            if said.status != OK:
                return failed(said)
            acks = said.json.get("acks") if isinstance(said.json, dict) else None
            if isinstance(acks, dict) and acks.get(str(number)) is True:
                return Taken()
            if self._clock() + pause > end:
                return Failed(f"acknowledged nothing within {self._seconds:.0f} s")
            self._sleep(pause)
            pause = min(_MOST_SECONDS, pause * 2)
