"""
A metric in Prometheus's text form is what Prometheus's own library makes of it.
"""

from typing import Literal

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.parser import text_string_to_metric_families

from tscm.metrics.family import Family

TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
VALUES = st.integers(0, 1 << 60) | st.floats(allow_nan=False)


class _One:
    def __init__(self, family: CounterMetricFamily | GaugeMetricFamily) -> None:
        self._family = family

    def collect(self) -> list[CounterMetricFamily | GaugeMetricFamily]:
        return [self._family]


@given(
    st.sampled_from(["counter", "gauge"]),
    TEXT,
    st.lists(st.tuples(TEXT, TEXT, VALUES), max_size=5),
)
def test_a_page_is_read_as_that_of_the_library(
    kind: Literal["counter", "gauge"], about: str, rows: list[tuple[str, str, float]]
) -> None:
    labels = ["device", "reader"]
    ours = Family("tscm_x", about, labels, kind=kind)
    theirs = (CounterMetricFamily if kind == "counter" else GaugeMetricFamily)(
        "tscm_x", about, labels=labels
    )
    for one, other, value in rows:
        ours.add_metric([one, other], value)
        theirs.add_metric([one, other], value)
    page = generate_latest(_One(theirs)).decode()
    assert list(text_string_to_metric_families(ours.text())) == list(
        text_string_to_metric_families(page)
    )
    assert ours.text().splitlines()[:2] == page.splitlines()[:2]


def test_a_metric_without_labels() -> None:
    family = Family("tscm_devices", "Number of devices in force.")
    family.add_metric([], 3)
    assert family.text() == (
        "# HELP tscm_devices Number of devices in force.\n"
        "# TYPE tscm_devices gauge\n"
        "tscm_devices 3.0\n"
    )


def test_families_of_some_devices_are_joined() -> None:
    one, other = Family("tscm_x", "X.", ["device"]), Family("tscm_x", "X.", ["device"])
    one.add_metric(["a"], 1)
    other.add_metric(["b"], 2)
    one.take(other)
    assert one.text().splitlines()[2:] == ['tscm_x{device="a"} 1.0', 'tscm_x{device="b"} 2.0']
