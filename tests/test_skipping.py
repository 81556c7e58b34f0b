"""
What the end of a run says of tests that could not run here.
"""

from tests.skipping import lacking, skipped_lines


def test_each_cause_has_one_line_and_the_packages_one_command() -> None:
    reasons = [
        *[lacking("knotd", "knot")] * 3,
        lacking("dig", "bind9-dnsutils"),
        "needs the right to mount (root): /tmp/one: permission denied",
        "needs the right to mount (root): /tmp/two: permission denied",
    ]
    assert skipped_lines(reasons) == [
        "skipped 3 tests: needs knotd - apt-get install knot",
        "skipped 2 tests: needs the right to mount (root): /tmp/one: permission denied",
        "skipped 1 test: needs dig - apt-get install bind9-dnsutils",
        "to run all of these that need a package: apt-get install bind9-dnsutils knot",
    ]


def test_a_whole_run_says_nothing() -> None:
    assert skipped_lines([]) == []
