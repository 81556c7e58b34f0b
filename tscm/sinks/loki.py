"""
The push API of Grafana Loki: one stream for each device and host.

Labels are few on purpose: each set of them is a stream of its own at Loki.
"""

import base64
import json
from collections.abc import Mapping

from attrs import frozen

from tscm.settings.sinks import SinkSettings
from tscm.sinks.form import (
    BAD_REQUEST,
    NO_CONTENT,
    OK,
    TOO_LARGE,
    Answer,
    Request,
    at_fault,
    failed,
    refused,
)
from tscm.sinks.outcome import Failed, Outcome, Taken
from tscm.sinks.records import Records

_MOST_HOSTS = 16
"""Names in headers are the sender's to choose; those beyond share the stream of the device."""


@frozen
class LokiForm:
    """`/loki/api/v1/push`."""

    path: str = "/loki/api/v1/push"

    def headers(self, sink: SinkSettings, secret: str | None) -> Mapping[str, str]:
        """See `Form`."""
        found = {"Content-Type": "application/json"}
        if sink.tenant is not None:
            found["X-Scope-OrgID"] = sink.tenant
        if secret is None:
            return found
        if sink.user is None:
            return found | {"Authorization": f"Bearer {secret}"}
        account = base64.b64encode(f"{sink.user}:{secret}".encode()).decode()
        return found | {"Authorization": f"Basic {account}"}

    def request(self, sink: SinkSettings, records: Records) -> Request:
        """See `Form`."""
        given = dict(one.split("=", 1) for one in sink.labels)
        streams: dict[str, list[tuple[str, str]]] = {}
        for one in records.lines:
            host = one.host if one.host in streams or len(streams) < _MOST_HOSTS else records.device
            streams.setdefault(host, []).append((str(one.nanoseconds), one.text))
        body = {
            "streams": [
                {
                    "stream": {"job": "tscm", "device": records.device, "host": host} | given,
                    "values": lines,
                }
                for host, lines in streams.items()
            ]
        }
        return Request(path=self.path, body=json.dumps(body).encode())

    def outcome(self, sink: SinkSettings, answer: Answer, lines: int) -> Outcome:
        """See `Form`."""
        del sink, lines
        if answer.status == NO_CONTENT or (answer.status == OK and not answer.text):
            return Taken()
        if answer.status == OK:  # the page of a login or of a proxy, say
            return Failed("answered 200 with a text of its own; check that url is Loki's")
        if at_fault(answer):
            return failed(answer)
        return refused(answer) if answer.status in (BAD_REQUEST, TOO_LARGE) else failed(answer)
