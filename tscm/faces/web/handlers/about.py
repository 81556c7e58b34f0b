"""
Versions, licences and the certificate.
"""

import tomllib
from importlib.resources import files

from tscm.faces.web.desk import Desk
from tscm.faces.web.roles import Role
from tscm.faces.web.routes import page
from tscm.faces.web.views.about import About, Part
from tscm.faces.web.visit import Answer, Page, Visit
from tscm.operations.arguments import Nothing
from tscm.operations.table.manager import VERSIONS


def parts() -> tuple[Part, ...]:
    """What is vendored, as `vendor.toml` says."""
    told = tomllib.loads(files("tscm.faces.web").joinpath("vendor.toml").read_text("utf-8"))
    return tuple(
        Part(name=name, version=one["version"], licence=one["licence"])
        for name, one in told["shipped"].items()
    )


@page(path="/about", role=Role.VIEWER)
async def about(desk: Desk, visit: Visit) -> Answer:
    """What runs here."""
    del visit
    found = await desk.asking.latest(VERSIONS, Nothing(), fresh=60)
    view = About(
        versions=found.value or (),
        fault=found.fault or "",
        parts=parts(),
        fingerprint=desk.fingerprint(),
    )
    return Page(view=view, title="About")
