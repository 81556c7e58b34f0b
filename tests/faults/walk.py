"""
One case of the walk over all files of a root, in a process of its own: `python -m tests.faults.walk REQUEST`.

The request, JSON: *base*, a root as a manager has left it; *work*, where it is copied for each case; *kind*, what
each file is replaced by; *part* and *of*, that each *of*-th file is, beginning with number *part*; *owner*, whose the
files are; *words*, what is done then (`START` begins a manager).  The answer, JSON: what went wrong.
Everything heavy is imported once, and each case is a fork.
"""

import ctypes
import json
import os
import resource
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

HANG_SECONDS = 120.0
"""A bound against waiting for ever, and no measure of anything."""
HUGE = 3 << 30
MEMORY_KB = 600 << 10
WRITTEN_BYTES = 64 << 20
SECRET = "root:$6$not-to-be-shown:19000:0:99999:7:::\n"
OWNER = 65534
_RUN_SECONDS = 0.5


def _linked(target: Path) -> Callable[[Path], None]:
    def link(path: Path) -> None:
        path.unlink()
        path.symlink_to(target)

    return link


def _node(path: Path) -> None:
    path.unlink()
    os.mknod(path, 0o020666, os.makedev(1, 5))


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _huge(path: Path) -> None:
    os.truncate(path, HUGE)


def _nowhere(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.with_name(path.name + ".nowhere"))


def replacing(kind: str, secret: Path) -> Callable[[Path], None]:
    """What puts the thing called *kind* in a file's place."""
    return {
        "a link to a device": _linked(Path("/dev/zero")),
        "a device": _node,
        "a pipe": _pipe,
        "a folder": _folder,
        "a huge file": _huge,
        "a link to a secret": _linked(secret),
        "a link to nowhere": _nowhere,
    }[kind]


def start(root: Path) -> None:
    """A manager for a moment, in the rights of whoever the files belong to."""
    from twisted.internet import reactor as installed
    from twisted.python import log

    from tscm.manager.service import NodeService
    from tscm.plugins.startup import FrontService, sentence_and_status
    from tscm.settings.layout import Layout

    reactor: Any = installed
    log.startLogging(sys.stderr)
    with sentence_and_status():
        node = NodeService.from_files(Layout(root), reactor)
    front = FrontService(node)
    front.privilegedStartService()
    front.startService()
    reactor.addSystemEventTrigger("before", "shutdown", front.stopService)
    reactor.callLater(_RUN_SECONDS, reactor.stop)
    reactor.run()


def _end_with_parent() -> None:
    """A run that was given up leaves no process that starts managers."""
    ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG


def _child(root: Path, words: Sequence[str], output: int) -> None:
    """Never returns."""
    status = 99
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        _end_with_parent()
        resource.setrlimit(resource.RLIMIT_FSIZE, (WRITTEN_BYTES, WRITTEN_BYTES))
        os.chdir("/")
        if words[0] == "START":
            start(root)
            status = 0
        else:
            from tscm.cli import main

            status = main.run(["--root", str(root), *words])
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def copied(base: Path, root: Path, owner: int) -> None:
    """*base* again at *root*, *owner*'s."""
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(base, root, symlinks=True)
    for path in (root, *root.rglob("*")):
        os.chown(path, owner, -1, follow_symlinks=False)


def faults_of(root: Path, secret: Path, words: Sequence[str]) -> Iterator[str]:
    """What is wrong with doing that in *root*."""
    text = root.with_name("output")
    output = os.open(text, os.O_CREAT | os.O_RDWR | os.O_TRUNC, 0o600)
    child = os.fork()
    if not child:
        _child(root, words, output)
    os.close(output)
    deadline = time.monotonic() + HANG_SECONDS
    ended, _, used = os.wait4(child, os.WNOHANG)
    while not ended and time.monotonic() < deadline:
        time.sleep(0.02)
        ended, _, used = os.wait4(child, os.WNOHANG)
    if not ended:
        os.kill(child, 9)
        os.waitpid(child, 0)
        yield "it hangs"
        return
    with text.open("rb") as file:
        said = file.read(1 << 20).decode("utf-8", "replace")
    if "Traceback" in said:
        yield f"a traceback: {said.strip().splitlines()[-1]}"
    if root.stat().st_uid != os.geteuid() and SECRET.split(":")[1] in said:
        yield "it shows what only root may read"
    if secret.read_text() != SECRET or sorted(secret.parent.iterdir()) != [secret]:
        yield "it wrote through the link"
    if secret.stat().st_mode & 0o777 != 0o600:
        yield "it changed the mode of what the link leads to"
    if used.ru_maxrss > MEMORY_KB:
        yield f"it took {used.ru_maxrss >> 10} MB"


def main(request: dict[str, Any]) -> list[str]:
    """All faults of all files."""
    import tscm.cli.main
    import tscm.faces.control
    import tscm.manager.service

    del tscm
    base, work = Path(request["base"]), Path(request["work"])
    root, secret = work / "root", work / "secret" / "file"
    secret.parent.mkdir(parents=True)
    files = sorted(path for path in base.rglob("*") if path.is_file() and not path.is_symlink())
    assert files
    found = []
    for file in files[request["part"] :: request["of"]]:
        name = file.relative_to(base)
        for words in request["words"]:
            copied(base, root, request["owner"])
            secret.write_text(SECRET)
            secret.chmod(0o600)
            replacing(request["kind"], secret)(root / name)
            found += [
                f"{name}, {request['kind']}, {' '.join(words)}: {fault}"
                for fault in faults_of(root, secret, words)
            ]
    return found


if __name__ == "__main__":
    _end_with_parent()
    print(json.dumps(main(json.loads(sys.argv[1]))))
