"""
Look up the pinned versions in the advisory database of the Python Package Index: `make audit`.

Exit status 1 when a pinned version has a known vulnerability that is not in `ACCEPTED`.  Where the
database cannot be asked, which is so in a closed network, this says so and ends with 0: an audit
that did not take place is no finding.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

PINNED = Path(__file__).with_name("all.txt")
# Vulnerability id: why it does not concern us.  Remove an entry with the release that mends it.
ACCEPTED: dict[str, str] = {}
AUDIT = (
    *(sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off"),
    *("--disable-pip", "--require-hashes", "--timeout", "20", "--requirement", str(PINNED)),
)


def verdict(report: dict[str, Any]) -> tuple[bool, list[str]]:
    """
    Whether *report*, pip-audit's JSON, is good, and the lines to print.

    pip-audit counts a distribution that the database does not answer for as skipped, and ends
    well: a network that answers "not found" to every question looks like a clean result.
    """
    looked_up = [one for one in report["dependencies"] if "skip_reason" not in one]
    skipped = [one for one in report["dependencies"] if "skip_reason" in one]
    if not looked_up:
        why = skipped[0]["skip_reason"] if skipped else "it gave no answer"
        return True, [f"audit: not carried out, the advisory database cannot be reached: {why}"]
    found = [
        f"audit: {one['name']} {one['version']}: {each['id']}"
        f" (mended in {', '.join(each['fix_versions']) or 'no release yet'})"
        for one in looked_up
        for each in one["vulns"]
        if not ACCEPTED.keys() & {each["id"], *each.get("aliases", ())}
    ]
    lines = [*found]
    if skipped:
        names = ", ".join(sorted(one["name"] for one in skipped))
        lines.append(f"audit: {len(skipped)} not looked up, unknown to the database: {names}")
    lines.append(
        f"audit: {len(looked_up)} pinned versions looked up, {len(found)} known vulnerabilities"
    )
    return not found, lines


def main() -> int:
    """Run pip-audit, print what it found and return the exit status."""
    done = subprocess.run(
        [*AUDIT, *sys.argv[1:]], capture_output=True, text=True, check=False, timeout=1200
    )
    try:
        report = json.loads(done.stdout)
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["pip-audit printed nothing"])[-1]
        print(f"audit: not carried out: {last}")
        return 0
    good, lines = verdict(report)
    print("\n".join(lines))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
