"""
Lines that are typed at a terminal.
"""

import sys

import pexpect
import pytest

INTERRUPTED = """
import os, signal, sys, threading
from tscm.cli.prompts import confirmed
from tscm.cli.typed import typed_line

def press():
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Event().wait(0.3)
    os.kill(os.getpid(), signal.SIGINT)

# ^C interrupts no system call of the main thread: so comes at any time
# what else comes only between a prompt and the read.
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
threading.Thread(target=press, daemon=True).start()
try:
    ASKED
except KeyboardInterrupt:
    print("heard")
"""
HIDDEN = """
from tscm.cli.typed import typed_line
import sys
print("go")
sys.stdin.readline()
print("got", typed_line("Password: ", hidden=True)[::-1])
print("got", typed_line("Name: "))
try:
    typed_line("More: ")
except EOFError:
    print("end")
"""


def child(script: str) -> pexpect.spawn:
    return pexpect.spawn(sys.executable, ["-c", script], encoding="utf-8", timeout=60)


@pytest.mark.parametrize(
    "asked",
    ['typed_line("Name: ")', 'typed_line("Password: ", hidden=True)', 'confirmed("Sure? ")'],
)
def test_an_interrupt_is_heard_between_a_prompt_and_the_read(asked: str) -> None:
    one = child(INTERRUPTED.replace("ASKED", asked))
    one.expect_exact("heard")
    one.expect(pexpect.EOF)
    one.close()

    assert one.exitstatus == 0


def test_a_hidden_line_is_not_shown_and_what_was_typed_ahead_is_not_taken_for_it() -> None:
    one = child(HIDDEN)
    one.expect_exact("go")
    one.send("\nahead\n")
    one.expect_exact("Password: ")
    one.sendline("s3cret")
    one.expect_exact("got terc3s")
    before = one.before
    one.expect_exact("Name: ")
    one.sendline("shown")
    one.expect_exact("got shown")
    one.expect_exact("More: ")
    one.sendeof()
    one.expect_exact("end")
    one.expect(pexpect.EOF)
    one.close()

    assert "s3cret" not in before
    assert one.exitstatus == 0
