"""
What operations on targets, bundles and policies are given.
"""

from attrs import field, frozen

from tscm.model import Json
from tscm.operations.operation import WHOLE_BODY


@frozen(kw_only=True)
class ItemNamed:
    """One target, bundle or policy."""

    item: str


@frozen(kw_only=True)
class HeldConfirmed:
    """A policy that is held, and the mark of what was held when the operator read it: nothing else is published."""

    item: str
    mark: str


@frozen(kw_only=True)
class ItemKept:
    """
    A target, bundle or policy as it is to be: the body is its `content`, and the `version` that was looked at.

    Without a version whichever there is is replaced; 0 says that there is none yet.
    """

    item: str
    document: Json = field(metadata={WHOLE_BODY: True})


@frozen(kw_only=True)
class TargetSwitched:
    """A target that is to be fetched, or no longer."""

    item: str
    on: bool = True
    accept_terms: bool = False


@frozen(kw_only=True)
class AddressAsked:
    """An address or a network, in every policy."""

    address: str
