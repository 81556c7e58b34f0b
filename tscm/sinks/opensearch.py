"""
The bulk API of OpenSearch and Elasticsearch: one `create` for each line, with an id of its own.

The id is the line's place in its log and what it says, so a batch that is sent again makes no second document.  Fields are those of
the Elastic Common Schema.
"""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zlib import crc32

from attrs import frozen

from tscm.printable import quoted
from tscm.settings.sinks import SinkSettings
from tscm.sinks.form import OK, TOO_LARGE, Answer, Request, at_fault, failed, refused
from tscm.sinks.outcome import Failed, Outcome, Refused, Taken
from tscm.sinks.records import Record, Records

_EXISTS = 409
_BUSY = frozenset({429, 500, 502, 503, 504})
_TAKEN = frozenset({200, 201, _EXISTS})
_FILTER = "filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason"
_MOST_CAUSE = 300


@frozen
class OpenSearchForm:
    """`/INDEX/_bulk`."""

    path: str = "/{index}/_bulk"

    def headers(self, sink: SinkSettings, secret: str | None) -> Mapping[str, str]:
        """See `Form`."""
        found = {"Content-Type": "application/x-ndjson"}
        if secret is None:
            return found
        if sink.user is None:
            return found | {"Authorization": f"ApiKey {secret}"}
        account = base64.b64encode(f"{sink.user}:{secret}".encode()).decode()
        return found | {"Authorization": f"Basic {account}"}

    def request(self, sink: SinkSettings, records: Records) -> Request:
        """See `Form`."""
        lines: list[str] = []
        for one in records.lines:
            lines.append(json.dumps({"create": {"_id": _id(records, one)}}))
            lines.append(json.dumps(_document(records.device, one)))
        body = "\n".join([*lines, ""]).encode()
        return Request(path=f"{self.path.format(index=sink.index)}?{_FILTER}", body=body)

    def outcome(self, sink: SinkSettings, answer: Answer, lines: int) -> Outcome:
        """See `Form`."""
        del sink
        if answer.status == TOO_LARGE:
            return refused(answer)
        if answer.status != OK or at_fault(answer):
            return failed(answer)
        found = answer.json
        if not isinstance(found, dict) or not isinstance(found.get("errors"), bool):
            return Failed("answered 200 without a result; check that url is OpenSearch's")
        if not found["errors"]:
            return Taken()
        items = found.get("items")
        if not isinstance(items, list) or len(items) != lines:
            return Failed("answered with another number of results than lines")
        return _of_items([_result(one) for one in items])


def _id(records: Records, one: Record) -> str:
    """
    Of what stands in the log itself: the time of receipt is another one after a crash that took it.

    By the content a log that was set back, and has other lines in the same place, gets documents of its own.
    """
    content = crc32(one.text.encode("utf-8", "surrogatepass"))
    return f"{records.device}-{records.log}-{one.offset:x}-{content:08x}"


def _document(device: str, one: Record) -> dict[str, Any]:
    at = datetime.fromtimestamp(one.received_at, UTC).isoformat(timespec="milliseconds")
    found: dict[str, Any] = {
        "@timestamp": at,
        "message": one.text,
        "host": {"name": one.host},
        "observer": {"name": device, "vendor": "Cisco", "product": "ASA", "type": "firewall"},
        "event": {"module": "cisco", "dataset": "cisco.asa"},
    }
    if one.sender is not None:
        found["log"] = {"source": {"address": one.sender}}
    if one.number is not None:
        found["event"]["code"] = one.number
    if one.priority is not None:
        found.setdefault("log", {})["syslog"] = {
            "priority": one.priority,
            "facility": {"code": one.priority >> 3},
            "severity": {"code": one.priority & 7},
        }
    return found


def _result(item: Any) -> tuple[int, str]:
    """Status of one line, and what is wrong with it."""
    made = item.get("create") if isinstance(item, dict) else None
    if not isinstance(made, dict) or not isinstance(made.get("status"), int):
        return 0, "a result cannot be read"
    error = made.get("error")
    cause = f"{error.get('type')}: {error.get('reason')}" if isinstance(error, dict) else ""
    return made["status"], quoted(cause, _MOST_CAUSE)


def _of_items(results: list[tuple[int, str]]) -> Outcome:
    bad = [(status, cause) for status, cause in results if status not in _TAKEN]
    if not bad:
        return Taken()
    for status, cause in bad:
        if status in _BUSY or not status:
            return Failed(f"did not take some lines: {cause or status}")
    status, cause = bad[0]
    if len(bad) == len(results):
        return Refused(f"answered {status} for each line: {cause}")
    return Taken(rejected=len(bad), cause=f"{status}: {cause}")
