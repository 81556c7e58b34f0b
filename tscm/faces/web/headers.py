"""
Headers of a request as text.

Twisted decodes them as UTF-8 and fails where they are not; here what is not UTF-8 is replaced.
"""

from twisted.web.server import Request


def header(request: Request, name: str) -> str | None:
    """The last value of the header *name*, or None."""
    values = headers(request, name)
    return values[-1] if values else None


def headers(request: Request, name: str) -> list[str]:
    """All values of the header *name*."""
    values = request.requestHeaders.getRawHeaders(name.encode("ascii"), [])
    return [one.decode("utf-8", "replace") for one in values]
