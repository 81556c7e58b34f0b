"""
Batches to a Kafka topic: one message a line, the device as its key, so that a device's lines keep their order.

The library is librdkafka by its Python client, which has threads of its own: one producer for each sink.
"""

from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import TYPE_CHECKING, Any

from attrs import define, field

from tscm.base.deadline import CutOff
from tscm.printable import quoted
from tscm.settings.layout import Layout
from tscm.settings.secret_file import SecretFileFaulty, read_secret
from tscm.settings.sinks import SinkSettings
from tscm.sinks.outcome import Failed, Outcome, Refused, Taken
from tscm.sinks.pace import MOST_LINES
from tscm.sinks.records import Records

if TYPE_CHECKING:
    from confluent_kafka import Producer

_SHOWN = 300
_GRACE_SECONDS = 5.0
"""librdkafka looks at the age of messages about once a second."""
_MISSING = "cannot be used: the package confluent-kafka is missing; install tscm[kafka]"


def configuration(sink: SinkSettings, secret: str | None) -> Mapping[str, Any]:
    """What librdkafka is told (its CONFIGURATION.md): a line counts once all replicas in sync have it."""
    found: dict[str, Any] = {
        "bootstrap.servers": sink.place,
        "client.id": "tscm",
        "acks": "all",
        "enable.idempotence": True,
        "compression.type": "lz4" if sink.compress else "none",
        "linger.ms": 5,
        "message.timeout.ms": int(sink.timeout_seconds * 1000),
        "message.max.bytes": 8_000_000,
        # all batches that may be on their way, and as much again for what the library adds
        "queue.buffering.max.kbytes": max(65_536, 2 * sink.parallel * sink.batch_kb),
        "queue.buffering.max.messages": 2 * sink.parallel * MOST_LINES,
        "socket.timeout.ms": min(60_000, int(sink.timeout_seconds * 1000)),
        "log_level": 0,
    }
    scheme = "SSL" if sink.tls else "PLAINTEXT"
    if secret is not None:
        scheme = f"SASL_{scheme}"
        found |= {
            "sasl.mechanism": sink.mechanism,
            "sasl.username": sink.user,
            "sasl.password": secret,
        }
    if sink.tls:
        found["ssl.endpoint.identification.algorithm"] = "https"
        if sink.ca_file is not None:
            found["ssl.ca.location"] = sink.ca_file
    return found | {"security.protocol": scheme}


def _library() -> ModuleType | None:
    try:
        import confluent_kafka
    except ImportError:
        return None
    return confluent_kafka


@define(eq=False)
class _Delivery:
    """What librdkafka says of each line of a batch."""

    waiting: int = 0
    error: Any = None

    def told(self, error: Any, _: Any) -> None:
        self.waiting -= 1
        if error is not None and self.error is None:
            self.error = error


@define(eq=False)
class KafkaSender:
    """
    Sends batches to one sink.
    """

    _sink: SinkSettings
    _layout: Layout | None = None
    _kafka: Any = field(factory=_library, init=False)
    """The library; loaded with the sink, for an upgrade may replace its files later."""
    _producer: "Producer | None" = field(default=None, init=False)
    _making: Lock = field(factory=Lock, init=False)

    def send(self, records: Records) -> Outcome:
        """Send one batch.  Blocking, for the timeout of the sink and some seconds at most."""
        if self._kafka is None:
            return Failed(_MISSING)
        try:
            producer = self._ready()
        except SecretFileFaulty as error:
            return Failed(f"cannot be used: {error}")
        except self._kafka.KafkaException as error:
            return Failed(f"cannot be used: {_said(error.args[0])}; correct the settings")
        delivery, cut = _Delivery(), CutOff()
        with cut.within(self._sink.timeout_seconds + _GRACE_SECONDS):
            refused = self._produce(producer, records, delivery)
            while delivery.waiting > 0 and not cut.over:
                producer.poll(0.1)
        if cut.stopped:
            return Failed("was left because the manager is stopping")
        if refused is not None:
            return refused
        if delivery.error is not None:
            return self._outcome(delivery.error)
        if delivery.waiting:
            return Failed(f"acknowledged nothing within {self._sink.timeout_seconds:.0f} s")
        return Taken()

    def close(self) -> None:
        """Let the producer go; what it still holds was never confirmed, and is sent again."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.purge()

    def _produce(
        self, producer: "Producer", records: Records, delivery: _Delivery
    ) -> Outcome | None:
        """Hand the lines to the library; what hinders that."""
        topic, key = self._sink.index or "", records.device.encode()
        try:
            for one in records.lines:
                producer.produce(
                    topic,
                    one.text.encode(),
                    key,
                    timestamp=int(one.received_at * 1000),
                    headers={"host": one.host, "device": records.device},
                    on_delivery=delivery.told,
                )
                delivery.waiting += 1
        except BufferError:  # what was handed over before still waits in the library
            return Failed("takes lines too slowly: the queue of the Kafka client is full")
        except self._kafka.KafkaException as error:
            return self._outcome(error.args[0])
        return None

    def _ready(self) -> "Producer":
        with self._making:
            if self._producer is None:
                sink, secret = self._sink, None
                if sink.secret_file is not None:
                    file, where = Path(sink.secret_file), f"sink/{sink.name}"
                    secret = read_secret(file, where, self._layout, "secret_file").reveal()
                self._producer = self._kafka.Producer(dict(configuration(sink, secret)))
            assert self._producer is not None
            return self._producer

    def _outcome(self, error: Any) -> Outcome:
        codes = self._kafka.KafkaError
        if error.code() in (codes.MSG_SIZE_TOO_LARGE, codes.INVALID_MSG, codes.INVALID_RECORD):
            return Refused(f"refused a message: {_said(error)}")
        return Failed(f"did not take a line: {_said(error)}")


def _said(error: Any) -> str:
    return quoted(error.str() if hasattr(error, "str") else str(error), _SHOWN)
