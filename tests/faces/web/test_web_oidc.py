"""
Signing in with an OpenID Connect provider: the good way, and every answer that must not sign a user in.
"""

import base64
import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faces.web.oidc_provider import CLIENT, ISSUER, FakeProvider, signing_key
from tests.faces.web.web_site import FakeSite, InPlace, Reply
from tscm.faces.web.accounts import AccountRefused, Accounts
from tscm.faces.web.database import AccountsUnusable
from tscm.faces.web.oidc.documents import MOST_BYTES, keys_of, metadata_of
from tscm.faces.web.oidc.fault import OidcFault, OidcUnusable
from tscm.faces.web.oidc.provider import Provider, Terms, provider_of
from tscm.faces.web.roles import Role
from tscm.settings.web import WebSettings

URL = "https://tscm.example"
SETTINGS = WebSettings(
    url=URL,
    oidc_issuer=ISSUER,
    oidc_client=CLIENT,
    oidc_operators=("fw-ops",),
    oidc_admins=("fw-admins",),
)


class Site(FakeSite):
    """The page with a provider beside it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, SETTINGS)
        self.other = FakeProvider(self.clock.seconds)
        threads: Any = InPlace()
        terms = Terms(
            issuer=ISSUER,
            client=CLIENT,
            way_back=f"{URL}/login/oidc/done",
            name_claim="preferred_username",
            roles_claim="groups",
            roles={"fw-ops": Role.OPERATOR, "fw-admins": Role.ADMIN},
        )
        self.desk.provider = Provider(terms, self.other.fetch, threads, self.clock.seconds)
        self.accounts.add_user("root", Role.ADMIN, "a hash", self.clock.seconds())

    def begin(self, way: str = "/devices") -> tuple[str, str]:
        """Where the browser is sent, and the cookie that it keeps."""
        reply = self.ask(f"/login/oidc?next={way}")
        assert reply.status == 303, reply.text
        (cookie,) = reply.cookies
        for part in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
            assert part in cookie
        return reply.headers["location"], cookie.partition(";")[0]

    def sign_in(self) -> Reply:
        there, cookie = self.begin()
        return self.ask(self.other.sign_in(there), cookie=cookie)

    def keys(self) -> list[str]:
        return [one.user for one in self.accounts.sessions(None, self.clock.seconds())]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.close()


def test_a_user_of_the_provider_signs_in_with_the_role_of_the_group(site: Site) -> None:
    assert "Sign in with login.example" in site.ask("/login").text
    reply = site.sign_in()
    assert (reply.status, reply.headers["location"]) == (303, "/devices")
    assert any("__Host-tscm-login=;" in one for one in reply.cookies)
    user = site.accounts.user("anna")
    assert user is not None
    assert user.role is Role.OPERATOR
    event = site.accounts.events(1)[0]
    assert (event.user, event.what, event.good) == ("anna", "login with the provider", True)
    assert site.ask("/about", key=reply.key).status == 200


def test_a_role_follows_the_provider_and_its_loss_ends_the_sessions(site: Site) -> None:
    key = site.sign_in().key
    site.other.user |= {"groups": "fw-admins", "preferred_username": "anna.b"}
    site.sign_in()
    user = site.accounts.user("anna")
    assert user is not None
    assert user.role is Role.ADMIN
    assert site.accounts.user("anna.b") is None
    site.other.user["groups"] = ["all"]
    reply = site.sign_in()
    assert reply.status == 403
    assert "gives you a role here" in reply.text
    assert site.keys() == []
    assert site.ask("/about", key=key).status == 303


def test_a_name_at_the_provider_takes_no_account_over(site: Site) -> None:
    for name in ("root", "ROOT"):
        site.other.user["preferred_username"] = name
        assert site.sign_in().status == 403
    site.other.user["preferred_username"] = "anna"
    assert site.sign_in().status == 303
    site.other.user["sub"] = "u-2"  # the name was given to another person
    assert site.sign_in().status == 403
    assert site.keys() == ["anna"]


def test_a_user_of_the_provider_has_no_password_here_and_is_not_the_last_admin(site: Site) -> None:
    site.other.user["groups"] = ["fw-admins"]
    site.sign_in()
    assert site.ask("/login", {"name": "anna", "password": "none"}).status == 403
    with pytest.raises(AccountRefused, match="no password here"):
        site.accounts.set_password("anna", "a hash")
    with pytest.raises(AccountRefused, match="only admin"):
        site.accounts.remove_user("root")
    with pytest.raises(AccountRefused, match="only admin"):
        site.accounts.set_role("root", Role.VIEWER)


CLAIMS = {
    "issuer": {"iss": "https://evil.example"},
    "issuer_of_the_same_beginning": {"iss": f"{ISSUER}/x"},
    "audience": {"aud": "other"},
    "audience_as_a_part": {"aud": "tscm2"},
    "audience_absent": {"aud": None},
    "audiences_without_a_party": {"aud": [CLIENT, "other"]},
    "party": {"azp": "other"},
    "expired": {"exp": 1_800_000_000 - 61},
    "ends_never": {"exp": float("inf")},
    "ends_at_no_number": {"exp": float("nan")},
    "ends_at_true": {"exp": True},
    "ends_at_a_huge_number": {"exp": 10**400},
    "without_an_end": {"exp": None},
    "made_later": {"iat": 1_800_000_000 + 120},
    "made_long_ago": {"iat": 1_800_000_000 - 700},
    "not_yet": {"nbf": 1_800_000_000 + 120},
    "nonce": {"nonce": "another"},
    "nonce_absent": {"nonce": None},
    "nonce_that_is_no_text": {"nonce": 5},
    "nonce_of_half_a_character": {"nonce": "\ud800"},
    "no_subject": {"sub": None},
    "subject_of_half_a_character": {"sub": "\ud800"},
    "long_subject": {"sub": "x" * 256},
    "name_of_markup": {"preferred_username": "<b>anna</b>"},
    "name_with_a_line": {"preferred_username": "anna\nroot"},
    "name_absent": {"preferred_username": None},
    "no_groups": {"groups": None},
    "groups_of_lists": {"groups": [["fw-admins"]]},
    "groups_as_an_object": {"groups": {"fw-admins": True}},
    "group_as_a_part": {"groups": "fw-admins,fw-ops"},
}


@pytest.mark.parametrize("claims", CLAIMS.values(), ids=CLAIMS.keys())
def test_a_token_with_a_wrong_claim_signs_no_user_in(site: Site, claims: dict[str, Any]) -> None:
    site.other.bend = claims
    reply = site.sign_in()
    assert reply.status in {403, 502}, reply.text
    assert 'role="alert"' in reply.text
    assert site.keys() == []
    assert site.accounts.user("anna") is None
    event = site.accounts.events(1)[0]
    assert not event.good
    assert "login with the provider" in event.what


@pytest.mark.parametrize("field", ["exp", "iat", "nbf"])
def test_clocks_may_differ_by_a_minute(site: Site, field: str) -> None:
    now = int(site.clock.seconds())
    site.other.bend = {field: now - 50 if field == "exp" else now + 50}
    assert site.sign_in().status == 303


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def hmac_signed(body: str, key: bytes) -> str:
    """The classic: the public key is taken for a shared secret."""
    signed = f"{part({'alg': 'HS256', 'kid': 'one'})}.{body}"
    mac = hmac.digest(key, signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def test_a_token_without_a_good_signature_signs_no_user_in(site: Site) -> None:
    from joserfc import jwk, jwt

    other, ec = signing_key("one"), jwk.ECKey.generate_key("P-256", {"kid": "one"})
    public = site.other.key.as_pem(private=False)
    montgomery = jwk.OKPKey.generate_key("X25519", {"kid": "one"})
    good = site.other.token("n")
    head, body, signature = good.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    tokens = [
        f"{part({'alg': 'none'})}.{body}.",
        f"{part({'alg': 'none', 'kid': 'one'})}.{body}.{signature}",
        f"{head}.{body}.",
        f"{head}.{part(claims | {'sub': 'u-2'})}.{signature}",
        f"{part({'alg': 'ES256', 'kid': 'one'})}.{body}.{signature}",
        f"{part({'alg': 'EdDSA', 'kid': 'one'})}.{body}.{signature}",
        f"{part({'alg': ['RS256'], 'kid': 'one'})}.{body}.{signature}",
        f"{part({'alg': 'RS256', 'kid': ['one']})}.{body}.{signature}",
        f"{part({'alg': 'RS256', 'kid': 'one', 'crit': ['x'], 'x': 1})}.{body}.{signature}",
        f"{part([])}.{body}.{signature}",
        hmac_signed(body, public),
        jwt.encode({"alg": "RS256", "kid": "one"}, claims, other),
        jwt.encode({"alg": "RS256", "kid": "two"}, claims, other),
        jwt.encode({"alg": "RS256", "jwk": other.as_dict(private=False)}, claims, other),
        jwt.encode({"alg": "ES256", "kid": "one"}, claims, ec),
        "..",
        "a.b.c",
        f"{head}.{body}.{signature}.{signature}.{signature}",
        "é.é.é",
        "x" * 40_000,
    ]
    keysets = [None, json.dumps({"keys": [montgomery.as_dict(private=False)]}).encode()]
    for keys in keysets:
        site.other.answers["/keys"] = keys
        for token in [*tokens, *([good] if keys else [])]:
            site.other.answers["/token"] = json.dumps({"id_token": token}).encode()
            there, cookie = site.begin()
            reply = site.ask(site.other.sign_in(there), cookie=cookie)
            assert reply.status == 502, (token, reply.text)
            assert site.keys() == []
            site.clock.advance(61)


def test_a_key_set_has_public_keys_for_signatures_alone() -> None:
    key = signing_key().as_dict(private=False)
    short = {**key, "n": key["n"][:170]}
    for bad in (
        *({"kty": "oct", "k": "AAAA", "kid": "one"}, {**key, "use": "enc"}, short),
        *({**key, "n": key["n"] * 5}, {**key, "e": "A" * 400}, {**key, "kid": 5}, {}, "text"),
    ):
        with pytest.raises(OidcFault, match="no public key"):
            keys_of(json.dumps({"keys": [bad]}).encode())
    assert len(keys_of(json.dumps({"keys": [short, key]}).encode())) == 1
    for body in (b"[" * 100_000, b"[]", b'{"keys": 5}', b"\xff", b" " * (MOST_BYTES + 1), b"{}"):
        with pytest.raises(OidcFault):
            keys_of(body)


def test_a_discovery_document_is_of_the_issuer_and_leads_to_https() -> None:
    good: dict[str, Any] = {
        "issuer": ISSUER,
        "authorization_endpoint": f"{ISSUER}/auth",
        "token_endpoint": f"{ISSUER}/token",
        "jwks_uri": f"{ISSUER}/keys",
    }
    assert (
        metadata_of(json.dumps(good | {"issuer": f"{ISSUER}/"}).encode(), ISSUER).issuer[-1] == "/"
    )
    changes: tuple[dict[str, Any], ...] = (
        *({"issuer": "https://evil.example"}, {"issuer": None}, {"issuer": [ISSUER]}),
        *(
            {"token_endpoint": value}
            for value in (None, 5, "http://login.example/token", "file:///")
        ),
        *(
            {"jwks_uri": value}
            for value in ("https://", "https://a b", "https://x:0/", "https://[/")
        ),
        *({"authorization_endpoint": value} for value in ("javascript:alert(1)", "https://u@x/")),
        {"authorization_endpoint": "https://x/\r\nset-cookie: a=b"},
    )
    for changed in changes:
        with pytest.raises(OidcFault):
            metadata_of(json.dumps(good | changed).encode(), ISSUER)


def test_new_keys_of_the_provider_are_fetched_and_not_more_often_than_needed(site: Site) -> None:
    assert site.sign_in().status == 303
    site.clock.advance(60)
    site.other.key = signing_key("two")
    assert site.sign_in().status == 303
    assert site.other.asked.count("/keys") == 2
    site.other.key = signing_key("three")
    assert site.sign_in().status == 502  # within seconds of the last look
    assert site.other.asked.count("/keys") == 2
    site.clock.advance(20)
    assert site.sign_in().status == 303


def test_without_the_provider_local_users_sign_in_and_it_is_asked_again_later(site: Site) -> None:
    site.other.answers["/.well-known/openid-configuration"] = OidcFault(
        "the provider cannot be reached"
    )
    for _ in range(20):
        reply = site.ask("/login/oidc")
        assert reply.status == 503
        assert "can still sign in" in reply.text
        assert 'name="password"' in reply.text
    assert len(site.other.asked) == 1
    site.other.answers.clear()
    site.clock.advance(16)
    assert site.sign_in().status == 303


def test_an_answer_belongs_to_the_login_of_this_browser_and_to_its_time(site: Site) -> None:
    there, cookie = site.begin()
    _, of_another = site.begin()
    back = site.other.sign_in(there)
    junk = "__Host-tscm-login=gAAAAABjunk"
    for given in (None, of_another, junk, "__Host-tscm-login=", cookie[:-4]):
        assert site.ask(back, cookie=given).status == 400
    assert site.ask("/login/oidc/done?state=x&code=y", cookie=cookie).status == 400
    assert site.ask("/login/oidc/done", cookie=cookie).status == 400
    site.clock.advance(601)
    assert site.ask(back, cookie=cookie).status == 400
    assert "/token" not in site.other.asked
    assert site.keys() == []


def test_a_refusal_and_another_issuer_sign_no_user_in(site: Site) -> None:
    there, cookie = site.begin()
    back = site.other.sign_in(there)
    refused = back.replace("code=code-0", "error=access_denied&error_description=%3Cb%3E")
    assert site.ask(refused, cookie=cookie).status == 403
    other = back.partition("&iss=")[0] + "&iss=https%3A%2F%2Fevil.example"
    assert site.ask(other, cookie=cookie).status == 502
    assert "/token" not in site.other.asked


def test_guesses_of_codes_are_throttled_and_do_not_slow_a_password(site: Site) -> None:
    there, cookie = site.begin()
    site.other.answers["/token"] = OidcFault("the provider answered with status 400")
    back = site.other.sign_in(there)
    statuses = [site.ask(back, cookie=cookie).status for _ in range(8)]
    assert statuses == [502] * 5 + [429] * 3
    assert site.ask("/login", {"name": "root", "password": "wrong"}).status == 403


@pytest.mark.parametrize("way", ["//evil.example", "https://evil.example", "/\\evil.example", "x"])
def test_the_way_back_stays_on_the_page(site: Site, way: str) -> None:
    there, cookie = site.begin(way)
    assert site.ask(site.other.sign_in(there), cookie=cookie).headers["location"] == "/"


def test_a_new_session_takes_the_place_of_the_old(site: Site) -> None:
    old = site.signed_in(Role.VIEWER)
    there, cookie = site.begin()
    reply = site.ask(site.other.sign_in(there), cookie=f"{cookie}; __Host-tscm={old}")
    assert reply.status == 303
    assert site.keys() == ["anna"]


def test_without_a_first_admin_and_without_settings_there_is_no_such_way_in(
    tmp_path: Path, web: FakeSite
) -> None:
    web.signed_in()
    assert web.ask("/login/oidc").status == 404
    assert web.ask("/login/oidc/done").status == 404
    assert "Sign in with" not in web.ask("/login").text
    made = Site(tmp_path / "other")
    made.accounts.database.do("DELETE FROM users")
    assert made.ask("/login/oidc").headers["location"] == "/setup"
    assert made.ask("/login/oidc/done").headers["location"] == "/setup"
    made.close()


def test_half_of_the_settings_is_told() -> None:
    threads: Any = InPlace()
    for given in (
        WebSettings(oidc_issuer=ISSUER, url=URL),
        WebSettings(oidc_issuer=ISSUER, oidc_client=CLIENT),
    ):
        with pytest.raises(OidcUnusable, match="oidc_client or url"):
            provider_of(given, threads, float)
    assert provider_of(WebSettings(), threads, float) is None
    made = provider_of(SETTINGS, threads, float)
    assert made is not None
    assert made.terms.roles == {"fw-ops": Role.OPERATOR, "fw-admins": Role.ADMIN}


def test_a_user_comes_with_the_subject_or_not_at_all(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path / "web.db")
    database = accounts.database
    database.open()
    database.do("DROP TABLE subjects")  # stands for a kill between the two
    database.do("CREATE TABLE subjects (user TEXT, issuer TEXT, subject TEXT CHECK (subject = ''))")
    with pytest.raises(AccountsUnusable):
        accounts.provided(ISSUER, "u-1", "anna", Role.VIEWER, 1.0)
    assert accounts.users() == []
    database.close()
