"""
What operations on targets, bundles and policies answer.
"""

from attrs import field, frozen

from tscm.model import Json
from tscm.portal.compiling import HeldBack
from tscm.portal.publishing import Holder
from tscm.store.user_list_values import UserEntry


@frozen(kw_only=True)
class PolicyRow:
    """
    A policy: what it is made of, and how it stands; without a manager only the former is known.
    """

    name: str
    content: Json = field(factory=dict)
    version: int = 0
    block_entries: int = 0
    allow_entries: int = 0
    published_at: float | None = None
    held: str = ""
    held_mark: str = ""
    """What a confirmation of it names; empty where there is nothing to confirm."""
    fault: str = ""
    off: tuple[str, ...] = ()
    held_back: tuple[HeldBack, ...] = ()


@frozen(kw_only=True)
class PolicyRows:
    """All policies, those that are shipped as a pattern, and documents that cannot be used."""

    policies: tuple[PolicyRow, ...] = ()
    shipped: tuple[PolicyRow, ...] = ()
    faults: tuple[str, ...] = ()


@frozen(kw_only=True)
class TargetRow:
    """A target: what it is, whether it is on, who uses it, and what it holds."""

    name: str
    content: Json = field(factory=dict)
    queries: str = ""
    """Another word for other queries of its URLs, which are not told."""
    version: int = 0
    shipped: bool = False
    on: bool = False
    used_by: tuple[str, ...] = ()
    entries: int = 0
    good_at: float | None = None
    left_out: tuple[str, ...] = ()
    fault: str = ""


@frozen(kw_only=True)
class TargetRows:
    """All targets."""

    targets: tuple[TargetRow, ...] = ()


@frozen(kw_only=True)
class BundleRow:
    """A bundle, and the targets that it comes to now."""

    name: str
    content: Json = field(factory=dict)
    version: int = 0
    targets: tuple[str, ...] = ()


@frozen(kw_only=True)
class BundleRows:
    """All bundles."""

    bundles: tuple[BundleRow, ...] = ()


@frozen(kw_only=True)
class PortalDone:
    """What was done."""

    item: str = ""
    version: int = 0
    sentence: str = ""


@frozen(kw_only=True)
class PolicyHolders:
    """Parts of policies that hold an address, and the entries of user lists with their authors."""

    holders: tuple[Holder, ...] = ()
    lists: tuple[UserEntry, ...] = ()
