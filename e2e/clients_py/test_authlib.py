"""Python `authlib`, as published: client_credentials and code with PKCE (Must show 3)."""

from __future__ import annotations

import secrets
import unittest

import requests
from authlib.integrations.requests_client import OAuth2Session, OAuthError
from joserfc import jwt
from joserfc.jwk import KeySet

from agent import authorize
from product import Product, canary

REDIRECT = "http://127.0.0.1:49152/callback"
GROUP = ("access_token", "refresh_token", "id_token")


class Authlib(unittest.TestCase):
    """One product for all tests of the class."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.product = Product()
        cls.addClassCleanup(cls.product.stop)
        cls.demo = cls.product.demo
        address = f"{cls.demo['issuer']}/.well-known/openid-configuration"
        cls.metadata = requests.get(address, timeout=20).json()

    def test_client_credentials_give_an_access_token(self) -> None:
        machine = self.demo["machine"]
        with OAuth2Session(machine["client_id"], machine["client_secret"], scope=machine["scope"]) as session:
            token = session.fetch_token(self.metadata["token_endpoint"], grant_type="client_credentials")
        canary(token["access_token"])
        self.assertEqual(token["token_type"].lower(), "bearer")
        self.assertGreater(token["expires_in"], 0)
        self.assertNotIn("refresh_token", token)

    def test_a_wrong_secret_is_refused_by_name(self) -> None:
        machine = self.demo["machine"]
        with OAuth2Session(machine["client_id"], machine["client_secret"] + "x") as session:
            with self.assertRaises(OAuthError) as refused:
                session.fetch_token(self.metadata["token_endpoint"], grant_type="client_credentials")
        self.assertEqual(refused.exception.error, "invalid_client")

    def test_code_with_pkce_signs_a_person_in(self) -> None:
        session, token, nonce = self.sign_in("openid profile email offline_access")
        claims = self.verified(token["id_token"])
        self.assertEqual(claims["nonce"], nonce)
        self.assertEqual(claims["aud"], self.demo["application"]["client_id"])
        person = session.get(self.metadata["userinfo_endpoint"], timeout=20).json()
        self.assertEqual((person["sub"], person["email"]), (claims["sub"], self.demo["user"]["email"]))

    def test_a_refresh_token_is_rotated(self) -> None:
        session, token, _ = self.sign_in("openid offline_access")
        renewed = session.refresh_token(self.metadata["token_endpoint"], refresh_token=token["refresh_token"])
        canary(*(renewed.get(kind) for kind in GROUP))
        self.assertNotEqual(renewed["refresh_token"], token["refresh_token"])

    def sign_in(self, scope: str) -> tuple[OAuth2Session, dict, str]:
        """A session holding tokens of the demo user, the tokens, and the nonce that was asked for."""
        application = self.demo["application"]
        session = OAuth2Session(
            application["client_id"],
            application["client_secret"],
            scope=scope,
            redirect_uri=REDIRECT,
            code_challenge_method="S256",
        )
        self.addCleanup(session.close)
        verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
        address, state = session.create_authorization_url(
            self.metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce
        )
        arrived = authorize(address, self.demo["user"], REDIRECT)
        token = session.fetch_token(
            self.metadata["token_endpoint"], authorization_response=arrived, state=state, code_verifier=verifier
        )
        canary(verifier, *(token.get(kind) for kind in GROUP))
        return session, token, nonce

    def verified(self, token: str) -> dict:
        """The claims of a token that the issuer's published keys confirm."""
        keys = KeySet.import_key_set(requests.get(self.metadata["jwks_uri"], timeout=20).json())
        decoded = jwt.decode(token, keys, algorithms=["ES256"])
        registry = jwt.JWTClaimsRegistry(iss={"essential": True, "value": self.demo["issuer"]})
        registry.validate(decoded.claims)
        return decoded.claims


if __name__ == "__main__":
    unittest.main()
