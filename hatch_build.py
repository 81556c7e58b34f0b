"""
Build hook: compile the helpers where a compiler is there; without one the wheel is pure Python.
"""

import os
import pathlib
import runpy
import shutil
import tempfile
from typing import Any

from cffi import FFI
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HERE = pathlib.Path(__file__).parent
SOURCES = (
    HERE / "tscm" / "intake" / "_batch_build.py",
    HERE / "tscm" / "forward" / "_send_build.py",
    HERE / "tscm" / "syslog" / "_tags_build.py",
    HERE / "tscm" / "spool" / "_sums_build.py",
)


class HelperHook(BuildHookInterface[Any]):
    """
    Build the helpers in place and tag the wheel for this platform.
    """

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before the wheel is packed."""
        if self.target_name != "wheel":
            return
        for source in SOURCES:
            try:
                built = compiled(source)
            except Exception as error:  # noqa: BLE001 - any compiler trouble means the pure wheel
                self.app.display_warning(f"no compiled helper: {error}")
                return
            build_data["pure_python"] = False
            build_data["infer_tag"] = True
            if version != "editable":
                build_data["artifacts"].append(str(built.relative_to(self.root)))


def compiled(source: pathlib.Path) -> pathlib.Path:
    """Compile what *source* declares, put the module beside it and return its file."""
    told = runpy.run_path(str(source))
    ffi = FFI()
    ffi.cdef(told["DECLARATIONS"])
    # Aside, so that setuptools does not take the project's settings for the helper's.
    with tempfile.TemporaryDirectory() as aside:
        ffi.set_source(
            source.stem.removesuffix("_build"),
            told["SOURCE"],
            # Two builds of one source are one file: the folder's random name is left out of it.
            extra_compile_args=["-O3", "-g0", f"-ffile-prefix-map={aside}=."],
            extra_link_args=["-Wl,--build-id=none"],
        )
        made = pathlib.Path(ffi.compile(tmpdir=aside))
        arriving = source.with_name(f".{made.name}.{os.getpid()}")
        shutil.copyfile(made, arriving)
        built = source.with_name(made.name)
        arriving.replace(built)  # a running manager keeps the old file
    return built
