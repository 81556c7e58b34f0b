"""
Batches to the brokers that librdkafka itself simulates: they speak the protocol over TCP.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer

from tests.ports import held_port
from tests.sinks.test_sinks_http import records
from tscm.base.deadline import Scope
from tscm.base.host_port import HostPort
from tscm.settings.sinks import SinkSettings
from tscm.sinks import kafka
from tscm.sinks.kafka import KafkaSender, configuration
from tscm.sinks.outcome import Failed, Refused, Taken


@pytest.fixture(scope="module")
def brokers() -> Iterator[tuple[HostPort, ...]]:
    owner = Producer({"test.mock.num.brokers": 3, "log_level": 0})
    found = owner.list_topics(timeout=10).brokers.values()
    yield tuple(HostPort(one.host, one.port) for one in found)
    owner.flush(1)


def sink(servers: tuple[HostPort, ...], **more: Any) -> SinkSettings:
    given: dict[str, Any] = {"tls": False, "index": "asa"} | more
    return SinkSettings(name="bus", type="kafka", servers=servers, **given)


def consumed(servers: tuple[HostPort, ...], topic: str, count: int) -> list[Any]:
    consumer = Consumer(
        {
            "bootstrap.servers": ",".join(map(str, servers)),
            "group.id": f"test-{topic}",
            "auto.offset.reset": "earliest",
            "log_level": 0,
        }
    )
    consumer.subscribe([topic])
    found: list[Any] = []
    for _ in range(600):
        one = consumer.poll(0.1)
        if one is not None and one.error() is None:
            found.append(one)
        if len(found) >= count:
            break
    consumer.close()
    return found


def test_lines_arrive_in_order_with_their_device_as_key(brokers: tuple[HostPort, ...]) -> None:
    sender = KafkaSender(sink(brokers, index="lines"))
    texts = [f"line {n}" for n in range(500)]
    assert sender.send(records(*texts)) == Taken()
    assert sender.send(records("last")) == Taken()
    found = consumed(brokers, "lines", 501)
    assert [one.value().decode() for one in found] == [*texts, "last"]
    assert {one.key() for one in found} == {b"fw"}
    assert dict(found[0].headers()) == {"host": b"edge-1", "device": b"fw"}
    assert found[0].timestamp()[1] == 1764550000125
    sender.close()


def test_a_message_that_is_too_long_is_refused(brokers: tuple[HostPort, ...]) -> None:
    sender = KafkaSender(sink(brokers))
    outcome = sender.send(records("x" * 9_000_000))
    assert isinstance(outcome, Refused)
    assert sender.send(records("short")) == Taken()
    sender.close()


def test_brokers_that_are_away_are_a_failure() -> None:
    sender = KafkaSender(sink((HostPort("127.0.0.1", held_port()),), timeout_seconds=1.0))
    outcome = sender.send(records("one"))
    assert isinstance(outcome, Failed)
    sender.close()


def test_a_stop_ends_the_waiting() -> None:
    scope = Scope()
    scope.cut()
    sender = KafkaSender(sink((HostPort("127.0.0.1", held_port()),), timeout_seconds=60.0))
    outcome = scope.run(sender.send, records("one"))
    assert outcome == Failed("was left because the manager is stopping")
    sender.close()


def test_settings_that_the_library_refuses_are_told(brokers: tuple[HostPort, ...]) -> None:
    outcome = KafkaSender(sink(brokers, tls=True, ca_file="/none")).send(records("one"))
    assert isinstance(outcome, Failed)
    assert outcome.sentence.startswith("cannot be used: ")


def test_without_the_library_it_says_how_to_get_it(
    brokers: tuple[HostPort, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka, "_library", lambda: None)
    sender = KafkaSender(sink(brokers))
    sender._kafka = None
    outcome = sender.send(records("one"))
    assert outcome == Failed(
        "cannot be used: the package confluent-kafka is missing; install tscm[kafka]"
    )


def test_tls_checks_the_name_and_sasl_is_only_with_a_secret() -> None:
    secure = configuration(sink((HostPort("k", 9093),), tls=True, user="me"), "secret")
    assert secure["security.protocol"] == "SASL_SSL"
    assert secure["ssl.endpoint.identification.algorithm"] == "https"
    assert secure["sasl.mechanism"] == "SCRAM-SHA-512"
    plain = configuration(sink((HostPort("k", 9092),)), None)
    assert plain["security.protocol"] == "PLAINTEXT"
    assert secure["acks"] == plain["acks"] == "all"


def test_all_batches_that_may_be_on_their_way_find_room() -> None:
    found = configuration(sink((HostPort("k", 9092),), parallel=32, batch_kb=8192), None)
    assert found["queue.buffering.max.kbytes"] >= 32 * 8192
    assert found["queue.buffering.max.messages"] >= 32 * 5000
