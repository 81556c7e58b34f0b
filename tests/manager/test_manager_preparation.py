"""
What calls need is there before lines come in.
"""

import subprocess
import sys

SCRIPT = """
import sys
from tscm.manager.preparation import prepare
from tscm.operations.registry import _HANDLERS
from tscm.operations.table.whole import TABLE
from tscm.update.figures import UpdateRecord
from tscm.wire import writing
prepare()
assert set(_HANDLERS) >= set(TABLE), set(TABLE) - set(_HANDLERS)
made = []
writing.make_dict_unstructure_fn = lambda *_, **__: made.append(_)
writing.prepare(UpdateRecord)
assert not made, "the writer was generated already"
"""


def test_handlers_and_writers_are_there_before_the_first_call() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False, timeout=300
    )
    assert ended.returncode == 0, ended.stderr
