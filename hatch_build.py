"""
Build hook: compile the UDP helper where a compiler is there; without one the wheel is pure Python.
"""

import importlib
import pathlib
import sys
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE = pathlib.Path(__file__).parent / "tscm" / "intake" / "_batch_build.py"


class HelperHook(BuildHookInterface[Any]):
    """
    Build `tscm.intake._batch` in place and tag the wheel for this platform.
    """

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before the wheel is packed."""
        if self.target_name != "wheel" or not SOURCE.exists():
            return
        sys.path.insert(0, str(SOURCE.parent))
        try:
            built = importlib.import_module("_batch_build").build()
        except Exception as error:  # noqa: BLE001 - any compiler trouble means the pure wheel
            self.app.display_warning(f"no compiled UDP helper: {error}")
            return
        finally:
            sys.path.pop(0)
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        if version != "editable":
            build_data["artifacts"].append(str(built.relative_to(self.root)))
