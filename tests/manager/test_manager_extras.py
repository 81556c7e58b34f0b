"""
A manager without the packages of the extras, or without the compiled helpers, starts like any other.
"""

import subprocess
import sys

import pytest

EXTRAS = ("nats", "confluent_kafka", "joserfc", "jinja2", "argon2", "pymispwarninglists")


HELPERS = ("tscm.intake._batch", "tscm.forward._send", "tscm.syslog._tags", "tscm.spool._sums")


@pytest.mark.parametrize("names", [EXTRAS, HELPERS], ids=["no extra", "no compiler"])
def test_all_code_is_loaded_where_what_may_be_absent_is(names: tuple[str, ...]) -> None:
    absent = "".join(f"sys.modules[{name!r}] = None; " for name in names)
    code = f"import sys; {absent}from tscm.manager.preload import preload; preload()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
