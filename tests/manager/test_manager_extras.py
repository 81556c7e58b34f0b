"""
A manager without the packages of the extras starts like any other.
"""

import subprocess
import sys

EXTRAS = ("nats", "confluent_kafka", "joserfc", "jinja2", "argon2", "pymispwarninglists")


def test_all_code_is_loaded_where_no_extra_is_installed() -> None:
    absent = "".join(f"sys.modules[{name!r}] = None; " for name in EXTRAS)
    code = f"import sys; {absent}from tscm.manager.preload import preload; preload()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
