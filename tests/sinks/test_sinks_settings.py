from typing import Any

import pytest

from tscm.settings.node import NodeSettings
from tscm.settings.schema import read_table
from tscm.settings.sinks import SinkSettings, sinks

SPLUNK = {
    "name": "siem",
    "type": "splunk",
    "url": "https://splunk.example:8088",
    "secret_file": "/etc/tscm/token",
}


def test_tables_are_read_with_the_rest_of_the_file() -> None:
    found, faults = read_table(NodeSettings, {"sink": [SPLUNK, {**SPLUNK, "name": "two"}]})
    assert not faults
    assert found is not None
    assert [one.reader for one in found.sink] == ["sink-siem", "sink-two"]
    assert str(found.sink[0]) == "sink siem (splunk at splunk.example:8088)"


@pytest.mark.parametrize(
    ("more", "wrong"),
    [
        ({"url": "http://splunk.example:8088"}, "a URL without TLS requires tls = false"),
        ({"tls": False}, "an https URL requires tls = true"),
        ({"url": None}, "splunk requires url"),
        ({"secret_file": None}, "splunk requires secret_file"),
        ({"user": "me"}, "has no user"),
        ({"tenant": "a"}, "tenant is only for loki"),
        ({"labels": ["a=b"]}, "labels is only for loki"),
        ({"servers": ["k:9092"]}, "has no servers"),
        ({"type": "opensearch"}, "opensearch requires index"),
        ({"type": "opensearch", "index": "asa", "acknowledge": True}, "acknowledge is only for"),
        ({"type": "loki", "index": "asa"}, "index is not for loki"),
        ({"type": "kafka"}, "kafka requires servers"),
        ({"type": "kafka", "url": None, "servers": ["k:9092"]}, "kafka requires index"),
        (
            {"type": "kafka", "url": None, "servers": ["k:9092"], "index": "asa"},
            "secret_file requires user",
        ),
        ({"name": "../x"}, "is no name of a sink"),
        ({"index": "a/../b"}, "is no name of an index"),
        ({"url": "https://user:pw@splunk.example"}, "is"),
        ({"batch_kb": 1 << 20}, "batch_kb"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_does(more: dict[str, Any], wrong: str) -> None:
    table = {name: value for name, value in {**SPLUNK, **more}.items() if value is not None}
    with pytest.raises(ValueError, match=wrong) as error:
        sinks([table])
    assert "; allowed: " in str(error.value)
    assert "user:pw" not in str(error.value)


def test_a_name_stands_once() -> None:
    with pytest.raises(ValueError, match="names two sinks"):
        sinks([SPLUNK, SPLUNK])


def test_there_are_not_many() -> None:
    with pytest.raises(ValueError, match="16"):
        sinks([{**SPLUNK, "name": f"s{n}"} for n in range(17)])


def test_secrets_are_files() -> None:
    assert "secret_file" in {one.name for one in SinkSettings.__attrs_attrs__}
