"""
A web server over TLS that answers as a test tells it to, on a port of the kernel's choosing.
"""

import http.server
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tscm.services.certificate import ensure_certificate


@contextmanager
def https(
    folder: Path, respond: Callable[[http.server.BaseHTTPRequestHandler], None]
) -> Iterator[str]:
    """Every GET goes to *respond*; `folder/log-service.crt` is the CA to trust."""
    certificate, key = ensure_certificate(folder, [], time.time())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            respond(self)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as one:
        one.socket = context.wrap_socket(one.socket, server_side=True)
        thread = threading.Thread(target=one.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{one.server_port}/list"
        one.shutdown()
        thread.join()
