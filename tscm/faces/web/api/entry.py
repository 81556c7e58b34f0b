"""
The one point at which calls of the API enter: who calls, what is called, may the key do it; then the manager is asked.

In this order, so that a client without a key learns nothing of what there is.
"""

import secrets
from collections import OrderedDict
from collections.abc import Mapping
from math import ceil
from typing import Any, ClassVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import Map, MapAdapter, Rule

from tscm.errors import TscmError
from tscm.faces.web.accounts import Accounts
from tscm.faces.web.api.answers import (
    ApiAnswer,
    ApiCall,
    ApiRefused,
    arguments_of,
    carried_out,
    document_answer,
    error_body,
    is_detached,
    refusal,
)
from tscm.faces.web.api.openapi import DOCUMENT, document
from tscm.faces.web.api.pace import MOST_OPEN, Pace
from tscm.faces.web.api.rights import call_fault, role_for, role_with
from tscm.faces.web.asking import Asking
from tscm.faces.web.keys import ApiKey, Keys, is_within
from tscm.faces.web.roles import Role
from tscm.faces.web.throttle import place_of
from tscm.operations.operation import Operation
from tscm.operations.table.whole import TABLE
from tscm.settings.web import WebSettings

_ASK_FOR_KEY = ("www-authenticate", 'Bearer realm="tscm"')
_TOLD_SECONDS = 60.0
_MOST_PLACES = 1000
_KEY_MOST = 200


def _rules() -> Map:
    rules = [
        Rule(f"/api{one.path}", methods=[one.verb], endpoint=one.name) for one in TABLE.values()
    ]
    rules.append(Rule(DOCUMENT, methods=["GET"], endpoint="openapi"))
    return Map(rules, strict_slashes=True, merge_slashes=False, redirect_defaults=False)


@define(eq=False)
class Api:
    """
    Answers calls with a key.  *asking* has threads of its own: programs must not keep people waiting.
    """

    _log: ClassVar[Logger] = Logger()

    _settings: WebSettings
    _accounts: Accounts
    _asking: Asking
    _keys: Keys = field(init=False)
    _pace: Pace = field(factory=Pace, init=False)
    _map: MapAdapter = field(init=False)
    _told: "OrderedDict[str, float]" = field(factory=OrderedDict, init=False)
    """When the last rejected key of a place was noted."""

    def __attrs_post_init__(self) -> None:
        self._keys = Keys(self._accounts.database)
        self._map = _rules().bind("localhost", url_scheme="https")

    def answer(self, call: ApiCall) -> Deferred[ApiAnswer]:
        """
        What is answered; never fails.

        A client that goes away meanwhile stops nothing: the call goes on, and counts until it has ended.
        """
        told: Deferred[ApiAnswer] = Deferred()

        def tell(result: Any) -> None:
            if not told.called:
                told.callback(result)

        Deferred.fromCoroutine(self._answer(call)).addBoth(tell)
        return told

    async def _answer(self, call: ApiCall) -> ApiAnswer:
        key: ApiKey | None = None
        try:
            key = self._key_of(call)
            answer = await self._with_key(key, call)
        except TscmError as error:
            answer = refusal(error)
        except Exception:  # noqa: BLE001 - the end of a request: logged and told
            mark = secrets.token_hex(4)
            self._log.failure("API call {path} failed ({mark})", path=call.path, mark=mark)
            answer = document_answer(
                error_body(f"internal error {mark}; the log of the page has the details"), 500
            )
        if key is not None:
            self._note(key, call, answer.status)
        return answer

    def _note(self, key: ApiKey, call: ApiCall, status: int) -> None:
        """What was done is done, and the manager's audit has it: a full disk must not make the answer an error."""
        try:
            self._keys.note(key, call.address, f"{call.method} {call.path}", status, call.now)
        except TscmError as error:
            self._log.error("an API call was not written down: {error}", error=str(error))

    # -- who ------------------------------------------------------------------

    def _key_of(self, call: ApiCall) -> ApiKey:
        scheme, _, secret = call.authorization.strip().partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            raise ApiRefused(
                401, "this call needs a key in the header Authorization: Bearer KEY", _ASK_FOR_KEY
            )
        secret = secret.strip()
        key = self._keys.of_secret(secret) if len(secret) <= _KEY_MOST else None
        if key is None:
            self._reject(call, "", "unknown API key")
            raise ApiRefused(401, "the key is unknown, or was removed", _ASK_FOR_KEY)
        if not call.now < key.until:
            self._reject(call, key.actor, "expired API key")
            raise ApiRefused(401, f"the key {key.name} has expired", _ASK_FOR_KEY)
        if not is_within(call.address, key.networks):
            self._reject(call, key.actor, "API key from another network")
            raise ApiRefused(403, f"the key {key.name} may not be used from {call.address}")
        return key

    def _reject(self, call: ApiCall, who: str, what: str) -> None:
        """Write it down, once a minute and place: a client that tries keys must not push the logins out of the list."""
        place = place_of(call.address)
        if 0 <= call.now - self._told.get(place, -_TOLD_SECONDS) < _TOLD_SECONDS:
            return
        self._told[place] = call.now
        self._told.move_to_end(place)
        while len(self._told) > _MOST_PLACES:
            self._told.popitem(last=False)
        self._accounts.note(call.now, who, call.address, what, good=False)

    # -- what -----------------------------------------------------------------

    async def _with_key(self, key: ApiKey, call: ApiCall) -> ApiAnswer:
        wait = self._pace.wait(key.name, call.now)
        if wait > 0:
            raise ApiRefused(
                429, f"the key {key.name} calls too often", ("retry-after", str(ceil(wait)))
            )
        operation, parts = self._found(call)
        if operation is None:
            return document_answer(document())
        self._check(key, role_for(operation), operation)
        args = arguments_of(operation, parts, call)
        self._check(key, role_with(operation, args), operation)
        fault = call_fault(args, key.role, self._settings.analyst_hours)
        if fault is not None:
            raise ApiRefused(403 if key.role < Role.OPERATOR else 422, fault)
        detached = is_detached(operation, call)
        if not self._pace.begin(key.name):
            raise ApiRefused(
                429, f"the key {key.name} has {MOST_OPEN} calls open already", ("retry-after", "1")
            )
        try:
            return await self._asking.with_backend(
                carried_out, key.actor, operation, args, detached
            )
        finally:
            self._pace.end(key.name)

    def _check(self, key: ApiKey, role: Role, operation: Operation[Any, Any]) -> None:
        """Raise `ApiRefused` where the key may not."""
        if role > key.role:
            raise ApiRefused(
                403,
                f"this call takes the role {role.word}; the key {key.name} has the role {key.role.word}",
            )
        if key.nouns and operation.room not in key.nouns:
            raise ApiRefused(
                403,
                f"the key {key.name} is for calls of {', '.join(key.nouns)}; this one is of {operation.room}",
            )

    def _found(self, call: ApiCall) -> tuple[Operation[Any, Any] | None, Mapping[str, str]]:
        """The operation, or None for the description of the API.  Raises `ApiRefused`."""
        try:
            name, parts = self._map.match(call.path, method=call.method)
        except MethodNotAllowed as error:
            allowed = ", ".join(sorted(error.valid_methods or ()))
            raise ApiRefused(
                405, f"this path takes the methods {allowed}", ("allow", allowed)
            ) from None
        except HTTPException:
            raise ApiRefused(404, f"the API has no such path; see {DOCUMENT}") from None
        return (None if name == "openapi" else TABLE[name]), parts
