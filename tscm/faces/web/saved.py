"""
Reports that users keep under a name: the fields of the form as they were typed, so that `24h` moves with the time.
"""

from urllib.parse import parse_qsl

from attrs import frozen

from tscm.faces.web.accounts import AccountRefused
from tscm.faces.web.database import WebDatabase

MOST_SAVED = 50
"""Of one user."""
NAME_MOST = 60
QUERY_MOST = 2000


@frozen(kw_only=True)
class SavedReport:
    """A report by its name; *query* is the query of its address."""

    name: str
    query: str

    @property
    def href(self) -> str:
        """Where it is shown."""
        return f"/reports?{self.query}"

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The fields of a form that asks the same."""
        return tuple(parse_qsl(self.query, max_num_fields=1000))


def saved_reports(database: WebDatabase, user: str) -> tuple[SavedReport, ...]:
    """Those of a user, by name.  Raises `AccountsUnusable`."""
    rows = database.rows(
        "SELECT name, query FROM saved_reports WHERE user = ? ORDER BY name LIMIT ?",
        *(user, MOST_SAVED),
    )
    return tuple(SavedReport(name=name, query=query) for name, query in rows)


def save_report(database: WebDatabase, user: str, one: SavedReport) -> None:
    """Keep a report in the place of another of the name.  Raises `AccountRefused`, `AccountsUnusable`."""
    if not one.name or len(one.name) > NAME_MOST or not one.name.isprintable():
        raise AccountRefused(f"the name of a report has 1 to {NAME_MOST} printable characters")
    if len(one.query) > QUERY_MOST:
        raise AccountRefused(
            f"the report has more than {QUERY_MOST:,} characters; leave some devices out"
        )
    others = [each for each in saved_reports(database, user) if each.name != one.name]
    if len(others) >= MOST_SAVED:
        raise AccountRefused(f"you have {MOST_SAVED} saved reports already; delete some first")
    database.do(
        "INSERT OR REPLACE INTO saved_reports (user, name, query) VALUES (?, ?, ?)",
        *(user, one.name, one.query),
    )


def delete_report(database: WebDatabase, user: str, name: str) -> None:
    """Keep it no longer; no other user's is touched.  Raises `AccountsUnusable`."""
    database.do("DELETE FROM saved_reports WHERE user = ? AND name = ?", user, name)
