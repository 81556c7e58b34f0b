"""
Requests to the provider on a real connection.
"""

import socket
import ssl
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from tests.forward.test_forward_tls import certificate
from tscm.faces.web.oidc.exchange import Exchange
from tscm.faces.web.oidc.fault import OidcFault


def test_an_answer_that_is_cut_off_is_late_and_not_wrong(tmp_path: Path) -> None:
    """Without a length the end of the connection is the end of the answer, also where this side cut it."""
    pem, key = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)

        def drip() -> None:
            peer, _ = listener.accept()
            with suppress(OSError), context.wrap_socket(peer, server_side=True) as secured:
                secured.settimeout(60)
                secured.recv(4096)
                secured.sendall(b"HTTP/1.1 200 OK\r\n\r\n{")
                while not over.wait(0.2):
                    secured.sendall(b" ")

        thread = threading.Thread(target=drip)
        thread.start()
        exchange = Exchange(client="tscm", ca_file=str(pem), seconds=1.0)
        with pytest.raises(OidcFault, match="did not answer in time"):
            exchange(f"https://127.0.0.1:{listener.getsockname()[1]}/keys")
        over.set()
        thread.join(60)
