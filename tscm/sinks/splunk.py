"""
Splunk's HTTP Event Collector: JSON events behind one another.

Codes of its answers: Splunk Enterprise, "Troubleshoot HTTP Event Collector", possible error codes.
"""

import json
from collections.abc import Mapping

from attrs import frozen

from tscm.settings.sinks import SinkSettings
from tscm.sinks.form import BAD_REQUEST, OK, TOO_LARGE, Answer, Request, at_fault, failed, refused
from tscm.sinks.outcome import Failed, Outcome, Taken
from tscm.sinks.records import Records

_OF_CONTENT = frozenset({5, 6, 12, 13, 15})
"""No data, data format, event field required or blank, indexed fields: about what was sent."""
_REMEDIES = {
    1: "enable the token at Splunk",
    4: "check the token in secret_file",
    7: "check index and which indexes the token may write",
    10: "set acknowledge to how the token is set up",
    14: "enable indexer acknowledgement for the token, or set acknowledge = false",
}


@frozen
class SplunkForm:
    """`/services/collector/event`."""

    path: str = "/services/collector/event"

    def headers(self, sink: SinkSettings, secret: str | None) -> Mapping[str, str]:
        """See `Form`."""
        del sink
        return {"Authorization": f"Splunk {secret or ''}"}

    def request(self, sink: SinkSettings, records: Records) -> Request:
        """See `Form`."""
        index = {} if sink.index is None else {"index": sink.index}
        common = {
            "source": "tscm",
            "sourcetype": sink.source_type,
            **index,
            "fields": {"tscm_device": records.device},
        }
        events = [
            json.dumps(
                {
                    "time": round(one.received_at, 3),
                    "host": one.host,
                    **common,
                    "event": one.text or " ",  # an event must not be blank (code 13)
                }
            )
            for one in records.lines
        ]
        return Request(path=self.path, body="\n".join(events).encode())

    def outcome(self, sink: SinkSettings, answer: Answer, lines: int) -> Outcome:
        """See `Form`."""
        del sink, lines
        found = answer.json if isinstance(answer.json, dict) else {}
        code = found.get("code")
        if answer.status == OK:
            if code == 0:
                return Taken()
            return Failed("answered 200 without the code of success; check that url is Splunk's")
        if at_fault(answer):
            return failed(answer)
        if answer.status == TOO_LARGE or (answer.status == BAD_REQUEST and code in _OF_CONTENT):
            return refused(answer)
        return failed(answer, _REMEDIES.get(code, "") if isinstance(code, int) else "")
