"""
One setting as it is asked for.
"""

from typing import Any

import attrs
from attrs import frozen

from tscm.base.secrets import MASK, Secret
from tscm.settings.device import DeviceSettings
from tscm.settings.shapes import options

AUTO = "auto"
"""Leaves a setting to what the device says of itself."""


@frozen(kw_only=True)
class Question:
    """
    The prompt of a setting of *of*.

    *words* is the prompt without its `[default …]`, which follows after a blank, or on
    the next line where *words* end in a line end.  *only_with* names a yes/no setting or an optional
    one that must be on for the question to make sense, *instead* a setting that stands in for this one.
    """

    name: str
    words: str
    of: type[DeviceSettings] = DeviceSettings
    advanced: bool = False
    hidden: bool = False
    letters: bool = False
    """yes and no are shown as `y` and `n`."""
    only_with: str | None = None
    instead: str | None = None
    default: str | None = None
    """What is shown as default for a new device where it is not the setting's own."""
    unset: str = "none"
    """The word for a setting that is not set."""
    said: str | None = None
    """What is said of the answer, with the value as `{value}`."""

    @property
    def needed(self) -> bool:
        """Has it no default, or none but what stands in for it?"""
        return self.field.default is attrs.NOTHING or self.instead is not None

    @property
    def field(self) -> "attrs.Attribute[Any]":
        """The setting."""
        return options(self.of)[self.name]

    def read(self, answer: str) -> Any:
        """The value; raises `ValueError` with what would be right."""
        if self.default == AUTO and answer.strip().lower() == AUTO:
            return AUTO
        return self.field.metadata["read"](answer)

    def shown(self, value: Any) -> str | None:
        """*value* as the default in the prompt; None where there is none."""
        if value is attrs.NOTHING:
            return None
        if isinstance(value, Secret) or value == MASK:
            return "unchanged"
        if isinstance(value, bool):
            long = "yes" if value else "no"
            return long[0] if self.letters else long
        if value in (None, (), []):
            return self.unset
        if isinstance(value, tuple | list):
            return " ".join(value)
        return str(value)

    def prompt(self, default: str | None) -> str:
        """The prompt, with its default where there is one."""
        if default is None:
            return f"{self.words} "
        gap = "" if self.words.endswith("\n") else " "
        return f"{self.words}{gap}{'  ' if not gap else ''}[default {default}] "
