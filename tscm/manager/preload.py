"""
All code that a manager may ever run, loaded before it is ready: an upgrade replaces the files below it.

Between the unpacking of a package and the restart of the service, an import would mix two versions.  It would also
hold up the reactor for a tenth of a second, in which no line is taken.
"""

from collections.abc import Iterator
from contextlib import nullcontext, suppress
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules

import tscm

ELSEWHERE = (
    "tscm.__main__",
    "tscm.cli",
    "tscm.demo",
    "tscm.faces.web",
    "tscm.plugins",
    "tscm.simulator",
)
"""Programs of their own: each of them is started again with the files that it finds."""
EXTRAS = {"tscm.cluster.client": "nats"}
"""Modules that import the package of an extra, which need not be installed."""
COMPILED = frozenset(
    {
        "tscm.forward._send",
        "tscm.intake._batch",
        "tscm.intake.batch_compiled",
        "tscm.spool._sums",
        "tscm.syslog._tags",
    }
)
"""Helpers that a compiler made, and what needs them: where one cannot be imported, slower code does the same."""
LIBRARIES = (
    "OpenSSL.SSL",
    "cryptography.hazmat.primitives.asymmetric.ec",
    "cryptography.hazmat.primitives.ciphers.aead",
    "cryptography.hazmat.primitives.kdf.scrypt",
    "cryptography.x509.oid",
    "dns.message",
    "dns.rrset",
    "dns.tsig",
    "httpx",
    "numpy",
    "tomlkit",
    "twisted.internet.inotify",
    "twisted.internet.ssl",
    "twisted.protocols.tls",
    "zstandard",
)
"""What functions of this package import when they are first called, from packages that are replaced with it."""


def preload() -> None:
    """
    Import every module of this package that a manager may use, and what those import when they are called.

    Raises `ImportError` of an installation that is not whole.
    """
    for name in modules():
        extra = EXTRAS.get(name)
        if extra is None or find_spec(extra) is not None:
            with suppress(ImportError) if name in COMPILED else nullcontext():
                import_module(name)
    for name in LIBRARIES:
        import_module(name)
    from dns.rdata import load_all_types

    load_all_types()  # dnspython imports the module of a record's type with its first record


def modules() -> Iterator[str]:
    """Names of the modules, in the order of the folders; nothing is imported to find them."""
    for folder in tscm.__path__:
        yield from _below(folder, "tscm")


def _below(folder: str, package: str) -> Iterator[str]:
    for found in iter_modules([folder]):
        name = f"{package}.{found.name}"
        if name not in ELSEWHERE:
            yield name
            if found.ispkg:
                yield from _below(f"{folder}/{found.name}", name)
