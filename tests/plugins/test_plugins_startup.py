"""
What a plugin sets of its process before it binds.
"""

import errno
import os

import pytest
from twisted.application.service import Service

from tscm.plugins.startup import FrontService, sentence_and_status, umask_for


@pytest.mark.parametrize(("given", "used"), [(0o077, 0o027), (0o022, 0o022), (0o027, 0o027)])
def test_the_group_is_not_shut_out_by_the_umask_of_a_daemon(given: int, used: int) -> None:
    assert umask_for(given) == used


@pytest.mark.parametrize(("goes", "used"), [(True, 0o027), (False, 0o077)])
def test_only_a_process_of_its_own_sets_its_umask(*, goes: bool, used: int) -> None:
    before = os.umask(0o077)
    try:
        FrontService(Service(), goes=goes).privilegedStartService()
        assert os.umask(0o077) == used
    finally:
        os.umask(before)


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.EMFILE, "raise its limit of open files"),
        (errno.ENFILE, "fs.file-max"),
        (errno.ENOSPC, "make room"),
        (errno.EACCES, "start it as a user that may write there"),
    ],
)
def test_what_stands_in_the_way_of_a_start_is_told_with_what_helps(
    number: int, remedy: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.__stderr__", None)
    with pytest.raises(SystemExit), sentence_and_status():
        raise OSError(number, os.strerror(number), "/somewhere")
    said = capfd.readouterr().err
    assert said.startswith(f"[ERROR] : /somewhere: {os.strerror(number)}; ")
    assert remedy in said
