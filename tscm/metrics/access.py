"""
Who may look at the metrics listener: its certificate and its account, as their files say.

Both are read again when a file changes.  One that cannot be used then leaves what is in force, and is
told; at the start it keeps the manager from beginning, since the operator asked for it to be closed.
"""

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from attrs import define, field
from twisted.logger import Logger

from tscm.base.http_gate import Account
from tscm.base.safe_files import read_private
from tscm.errors import TscmError
from tscm.intake.tls import TlsFiles, TlsServer
from tscm.settings.node import Listen

FOLLOW_SECONDS = 10.0
_ACCOUNT_BYTES = 4096
_LISTENER = "metrics listener"


@define(eq=False)
class AccountUnusable(TscmError):
    """
    The file with the account of the metrics listener cannot be used.
    """

    exit_status = 4

    path: str
    cause: str

    def __str__(self) -> str:
        return (
            f"{_LISTENER}: {self.path}: {self.cause}; [listen] metrics_account_file is a file of mode "
            f"0600 with user:password as its first line"
        )


@define(eq=False)
class WatchAccess:
    """
    Certificate and account in force; None where the settings name none.
    """

    _log: ClassVar[Logger] = Logger()

    _listen: Listen
    _now: Callable[[], float]
    tls: TlsServer | None = field(default=None, init=False)
    fault: str | None = field(default=None, init=False)
    """Why the account's file, as it is now, is not in force."""
    _account: Account | None = field(default=None, init=False)
    _seen: tuple[int, int, int] | None = field(default=None, init=False)

    def load(self) -> None:
        """Read the files.  Raises `CertificateUnusable`, `AccountUnusable`."""
        listen = self._listen
        if listen.metrics_certificate or listen.metrics_key:
            files = TlsFiles(
                certificate=listen.metrics_certificate or "",
                key=listen.metrics_key or "",
                listener=_LISTENER,
                settings="[listen] metrics_certificate and metrics_key",
            )
            if not (files.certificate and files.key):
                raise files.unusable(
                    "metrics_certificate, metrics_key", "one is set without the other"
                )
            self.tls = TlsServer(files, self._now)
            self.tls.load()
        if listen.metrics_account_file:
            self._load_account(Path(listen.metrics_account_file))

    def account(self) -> Account | None:
        """What is asked for."""
        return self._account

    async def follow(self) -> None:
        """Look at the files again."""
        if self.tls is not None:
            self.tls.follow()
        if self._listen.metrics_account_file:
            path = Path(self._listen.metrics_account_file)
            if _signature(path) != self._seen:
                self._follow_account(path)

    def _follow_account(self, path: Path) -> None:
        try:
            self._load_account(path)
        except AccountUnusable as error:
            self.fault = str(error)
            self._log.error("{fault}; the previous account remains in force", fault=self.fault)
        else:
            self._log.info(
                "{listener}: account of {path} loaded", listener=_LISTENER, path=str(path)
            )

    def _load_account(self, path: Path) -> None:
        self._seen = _signature(path)
        try:
            self._account = Account.of(read_private(path, _ACCOUNT_BYTES))
        except OSError as error:
            raise AccountUnusable(str(path), error.strerror or str(error)) from None
        except ValueError as error:
            raise AccountUnusable(str(path), str(error)) from None
        self.fault = None


def _signature(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)
