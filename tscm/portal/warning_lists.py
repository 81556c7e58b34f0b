"""
Warning lists: networks that a policy never blocks, whatever feed has them.  Blocking.

Some are shipped.  Where the package `pymispwarninglists` is installed, each of its lists of networks is there too,
as `misp-NAME`: read from its files, for its code loads every list there is, millions of names among them.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tscm.base.safe_files import read_regular
from tscm.policy.cidr import CidrSet
from tscm.portal.items import ItemFaulty

MISP = "misp-"
_FILE_BYTES = 16 << 20
_PACKAGE = "pymispwarninglists"


@cache
def known() -> frozenset[str]:
    """Names of the lists that there are."""
    found = set(_shipped())
    folder = _misp_folder()
    if folder is not None:
        found |= {f"{MISP}{one.parent.name}" for one in folder.glob("*/list.json")}
    return frozenset(found)


@cache
def networks(name: str) -> CidrSet:
    """The networks of a list.  Raises `ItemFaulty` where it cannot be read, or holds none."""
    shipped = _shipped().get(name)
    if shipped is not None:
        return CidrSet.of_texts(shipped)
    folder = _misp_folder()
    if folder is None or name not in known():
        raise ItemFaulty(
            f"there is no warning list {name!r}; install {_PACKAGE}, or take it out of the policy"
        )
    try:
        told: Any = json.loads(
            read_regular(folder / name.removeprefix(MISP) / "list.json", _FILE_BYTES)
        )
        found = CidrSet.of_texts(str(one) for one in told["list"])
    except (OSError, ValueError, TypeError, KeyError):
        raise ItemFaulty(
            f"warning list {name!r} is not a list of networks; take it out of the policy"
        ) from None
    if not found:
        raise ItemFaulty(f"warning list {name!r} is empty; take it out of the policy")
    return found


@cache
def _shipped() -> Mapping[str, tuple[str, ...]]:
    import tomllib

    folder = files("tscm.portal").joinpath("catalogue", "refusals")
    return {
        one.name.removesuffix(".toml"): tuple(tomllib.loads(one.read_text("utf-8"))["networks"])
        for one in folder.iterdir()
        if one.name.endswith(".toml")
    }


def _misp_folder() -> Path | None:
    """Where the lists of the package lie; None where it is not installed."""
    spec = find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "data" / "misp-warninglists" / "lists"
