"""
Operations on targets, bundles and policies of the portal.
"""

from tscm.operations.arguments import Nothing
from tscm.operations.operation import Needs, Operation
from tscm.operations.portal_answers import (
    BundleRows,
    PolicyHolders,
    PolicyRows,
    PortalDone,
    TargetRows,
)
from tscm.operations.portal_arguments import (
    AddressAsked,
    HeldConfirmed,
    ItemKept,
    ItemNamed,
    TargetSwitched,
)

PORTAL_POLICIES: Operation[Nothing, PolicyRows] = Operation(
    answer=PolicyRows,
    name="portal_policies",
    room="portal",
    verb="GET",
    path="/v1/portal/policies",
    args=Nothing,
    needs=Needs.STORE,
    noun="the policies of the portal",
    long=True,
)
"""All policies and how they stand."""

KEEP_POLICY: Operation[ItemKept, PortalDone] = Operation(
    answer=PortalDone,
    name="keep_policy",
    room="portal",
    verb="PUT",
    path="/v1/portal/policies/<item>",
    args=ItemKept,
    needs=Needs.STORE,
    noun="a policy of the portal",
    long=True,
    changes=True,
)
"""Make or change a policy."""

ADOPT_POLICY: Operation[ItemNamed, PortalDone] = Operation(
    answer=PortalDone,
    name="adopt_policy",
    room="portal",
    verb="POST",
    path="/v1/portal/policies/<item>/adopt",
    args=ItemNamed,
    needs=Needs.STORE,
    noun="a shipped policy",
    long=True,
    changes=True,
)
"""Make a policy of a shipped pattern; its targets stay off."""

CONFIRM_POLICY: Operation[HeldConfirmed, PortalDone] = Operation(
    answer=PortalDone,
    name="confirm_policy",
    room="portal",
    verb="POST",
    path="/v1/portal/policies/<item>/confirm",
    args=HeldConfirmed,
    needs=Needs.MANAGER,
    noun="the confirmation of a policy",
    long=True,
    changes=True,
)
"""Publish what is held because it empties or halves a list, if it is still what `mark` stands for."""

DELETE_POLICY: Operation[ItemNamed, PortalDone] = Operation(
    answer=PortalDone,
    name="delete_policy",
    room="portal",
    verb="DELETE",
    path="/v1/portal/policies/<item>",
    args=ItemNamed,
    needs=Needs.STORE,
    noun="deleting a policy of the portal",
    long=True,
    changes=True,
    destructive=True,
)
"""Forget a policy and serve its lists no longer."""

PORTAL_TARGETS: Operation[Nothing, TargetRows] = Operation(
    answer=TargetRows,
    name="portal_targets",
    room="portal",
    verb="GET",
    path="/v1/portal/targets",
    args=Nothing,
    needs=Needs.STORE,
    noun="the targets",
    long=True,
)
"""All targets, shipped and own."""

KEEP_TARGET: Operation[ItemKept, PortalDone] = Operation(
    answer=PortalDone,
    name="keep_target",
    room="portal",
    verb="PUT",
    path="/v1/portal/targets/<item>",
    args=ItemKept,
    needs=Needs.STORE,
    noun="a target",
    long=True,
    changes=True,
)
"""Make or change a target."""

SWITCH_TARGET: Operation[TargetSwitched, PortalDone] = Operation(
    answer=PortalDone,
    name="switch_target",
    room="portal",
    verb="POST",
    path="/v1/portal/targets/<item>/switch",
    args=TargetSwitched,
    needs=Needs.STORE,
    noun="switching a target",
    long=True,
    changes=True,
)
"""Turn a target on or off; only what is on is fetched."""

DELETE_TARGET: Operation[ItemNamed, PortalDone] = Operation(
    answer=PortalDone,
    name="delete_target",
    room="portal",
    verb="DELETE",
    path="/v1/portal/targets/<item>",
    args=ItemNamed,
    needs=Needs.STORE,
    noun="deleting a target",
    long=True,
    changes=True,
    destructive=True,
)
"""Forget a target that operators made."""

PORTAL_BUNDLES: Operation[Nothing, BundleRows] = Operation(
    answer=BundleRows,
    name="portal_bundles",
    room="portal",
    verb="GET",
    path="/v1/portal/bundles",
    args=Nothing,
    needs=Needs.STORE,
    noun="the bundles",
    long=True,
)
"""All bundles and what they come to."""

KEEP_BUNDLE: Operation[ItemKept, PortalDone] = Operation(
    answer=PortalDone,
    name="keep_bundle",
    room="portal",
    verb="PUT",
    path="/v1/portal/bundles/<item>",
    args=ItemKept,
    needs=Needs.STORE,
    noun="a bundle",
    long=True,
    changes=True,
)
"""Make or change a bundle."""

DELETE_BUNDLE: Operation[ItemNamed, PortalDone] = Operation(
    answer=PortalDone,
    name="delete_bundle",
    room="portal",
    verb="DELETE",
    path="/v1/portal/bundles/<item>",
    args=ItemNamed,
    needs=Needs.STORE,
    noun="deleting a bundle",
    long=True,
    changes=True,
    destructive=True,
)
"""Forget a bundle."""

PORTAL_WHY: Operation[AddressAsked, PolicyHolders] = Operation(
    answer=PolicyHolders,
    name="portal_why",
    room="portal",
    verb="POST",
    path="/v1/portal/why",
    args=AddressAsked,
    needs=Needs.MANAGER,
    noun="a search in policies",
    long=True,
)
"""Which target, feed, list and author holds an address."""
