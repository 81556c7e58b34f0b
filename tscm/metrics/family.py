"""
One metric with its samples, in Prometheus's text form (version 0.0.4).

Light: a page of 5,000 devices has 80,000 samples, and each is made into its line when it is added.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from attrs import define, field

_ESCAPES = {"\\": r"\\", "\n": r"\n", '"': r"\""}


@define(eq=False)
class Family:
    """
    A metric called *name*, a counter without its `_total`; *about* says what it tells, each sample has *labels*.
    """

    name: str
    about: str
    labels: Sequence[str] = ()
    kind: Literal["counter", "gauge"] = "gauge"
    lines: list[str] = field(factory=list, init=False)
    _shown: str = field(init=False)
    _form: str = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._shown = f"{self.name}_total" if self.kind == "counter" else self.name
        labels = ",".join(f'{label}="%s"' for label in self.labels)
        self._form = f"{self._shown}{{{labels}}} %s\n" if labels else f"{self._shown} %s\n"

    def add_metric(self, labels: Sequence[str], value: float) -> None:
        """A sample with the values of its labels, in their order."""
        text = f"{value}.0" if type(value) is int else repr(float(value))
        self.lines.append(self._form % (*map(escaped, labels), text))

    def take(self, other: "Family") -> None:
        """Add the samples of the same metric of other devices."""
        self.lines += other.lines

    def text(self) -> str:
        """The metric as a part of a page."""
        about = self.about.replace("\\", r"\\").replace("\n", r"\n")
        head = f"# HELP {self._shown} {about}\n# TYPE {self._shown} {self.kind}\n"
        return head + "".join(self.lines)


@lru_cache(maxsize=1 << 16)
def escaped(text: str) -> str:
    """The value of a label between its quotes."""
    return "".join(_ESCAPES.get(one, one) for one in text)
