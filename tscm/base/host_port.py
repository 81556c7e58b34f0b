"""
A host and a port, as settings name places.
"""

from attrs import frozen


@frozen
class HostPort:
    """An address or name, and a port where one was given."""

    host: str
    port: int | None = None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"
