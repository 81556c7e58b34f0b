"""
The demonstration as a user starts it, in processes of its own.
"""

import json
import subprocess
import sys


def test_every_figure_of_the_demonstration_balances() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tscm", "demo", "--json"],
        capture_output=True,
        text=True,
        timeout=480,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["balanced"]
    checks = {check["what"]: check for check in told["checks"]}
    for name in ("fw-udp", "fw-tcp", "fw-ssh", "fw-http"):
        lines = checks[f"{name}: lines"]["figures"]
        assert len(set(lines.values())) == 1
        assert lines["sent by the firewall"] > 10_000
        assert checks[f"{name}: entries fetched and pushed"]["figures"]["fetched"] == 12_200
        assert checks[f"{name}: entries added"]["figures"]["sent"] == 40
    pulled = checks["fw-pull: entries"]["figures"]
    assert set(pulled.values()) == {12_015}
    assert set(checks["fw-pull: denied by the list"]["figures"].values()) == {800}
    assert checks["policy hits"]["figures"]["seen in traffic"] > 0
    assert "Traceback" not in done.stderr
