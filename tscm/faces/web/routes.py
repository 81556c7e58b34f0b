"""
The pages of the site, each with the least role that may open it.
"""

from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import TYPE_CHECKING

from attrs import frozen

from tscm.faces.web.roles import Role
from tscm.faces.web.visit import Answer, Visit

if TYPE_CHECKING:
    from tscm.faces.web.desk import Desk

Handler = Callable[["Desk", Visit], Awaitable[Answer]]
_ROOMS = (
    "overview",
    "devices",
    "device_more",
    "adding",
    "reports",
    "lines",
    "check",
    "plans",
    "jobs",
    "holds",
    "lists",
    "portal",
    "portal_entries",
    "bundles",
    "health",
    "alarms",
    "admin",
    "keys",
    "about",
    "signing",
    "oidc",
)


@frozen(kw_only=True)
class Route:
    """A path with its method, who may use it, and what answers."""

    path: str
    method: str
    role: Role
    handler: Handler


_ROUTES: dict[tuple[str, str], Route] = {}


@frozen(kw_only=True)
class page:  # noqa: N801 - a decorator
    """
    Register the decorated function for GET, or for another *method*, on *path*; no user below *role* gets there.
    """

    path: str
    role: Role
    method: str = "GET"

    def __call__(self, handler: Handler) -> Handler:
        """The function itself."""
        key = self.method, self.path
        assert key not in _ROUTES, f"two pages at {key}"
        _ROUTES[key] = Route(path=self.path, method=self.method, role=self.role, handler=handler)
        return handler


def routes() -> tuple[Route, ...]:
    """All of them."""
    for room in _ROOMS:
        import_module(f"tscm.faces.web.handlers.{room}")
    return tuple(_ROUTES.values())
