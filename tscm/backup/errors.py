"""
What hinders a backup or a restore.
"""

from attrs import define

from tscm.errors import TscmError


@define(eq=False)
class ArchiveRefused(TscmError):
    """
    An archive that cannot be restored: damaged, changed, or of a version that is not known here.
    """

    path: str
    cause: str

    def __str__(self) -> str:
        return f"{self.path} cannot be restored: {self.cause}"


@define(eq=False)
class PassphraseWrong(TscmError):
    """
    The passphrase does not open an archive, or the archive was changed since it was made.
    """

    path: str

    def __str__(self) -> str:
        return (
            f"{self.path} cannot be decrypted: the passphrase is wrong, or the file was "
            "changed after it was made; check the passphrase, or use another backup"
        )


@define(eq=False)
class BackupFailed(TscmError):
    """
    A backup could not be written.
    """

    path: str
    cause: str

    def __str__(self) -> str:
        return f"no backup was made at {self.path}: {self.cause}"


@define(eq=False)
class RootInUse(TscmError):
    """
    A restore into a root directory that has a node already.
    """

    path: str

    def __str__(self) -> str:
        return (
            f"{self.path} has the files of a node already; use another root directory "
            "(--root), or --replace, which keeps them in folders before-restore-TIME"
        )
