//! The rules of making and believing tokens, as tables.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use chrono::{DateTime, Duration, Utc};
use contract::application::SigningAlgorithm;
use serde_json::{Value, json};

use super::*;

const ISSUER: &str = "https://auth.example/t/acme";

fn ring() -> KeyRing {
    let keys = SigningAlgorithm::ALL
        .into_iter()
        .map(|alg| make::generate(alg, DateTime::UNIX_EPOCH).unwrap())
        .collect();
    KeyRing::standing(keys, |_| Standing::GOOD).unwrap()
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn expected<'a>(typ: &'a str) -> Expected<'a> {
    Expected {
        typ,
        issuer: ISSUER,
        audience: Some("urn:api"),
        now: now(),
        accept_expired: false,
    }
}

fn claims() -> Value {
    let now = now().timestamp();
    json!({ "iss": ISSUER, "aud": "urn:api", "iat": now, "exp": now + 600, "sub": "s" })
}

#[test]
fn what_is_signed_is_believed_as_what_it_is_r_jwt_01() {
    let ring = ring();
    for alg in SigningAlgorithm::ALL {
        let token = ring.sign(alg, "at+jwt", &claims()).unwrap();
        let read: Value = ring.verify(&token, &expected("at+jwt")).unwrap();
        assert_eq!(read, claims());
        assert!(
            ring.verify::<Value>(&token, &expected("application/AT+JWT"))
                .is_ok()
        );
        assert!(ring.verify::<Value>(&token, &expected("JWT")).is_err());
        let other = Expected {
            issuer: "https://auth.example/t/other",
            ..expected("at+jwt")
        };
        assert!(ring.verify::<Value>(&token, &other).is_err());
        let other = Expected {
            audience: Some("urn:other"),
            ..expected("at+jwt")
        };
        assert!(ring.verify::<Value>(&token, &other).is_err());
        assert!(
            self::ring()
                .verify::<Value>(&token, &expected("at+jwt"))
                .is_err()
        );
    }
}

#[test]
fn the_header_chooses_neither_algorithm_nor_key_r_jwt_02() {
    let ring = ring();
    let token = ring
        .sign(SigningAlgorithm::ES256, "at+jwt", &claims())
        .unwrap();
    let (_, rest) = token.split_once('.').unwrap();
    let kid = &ring.public_keys()[0].kid;
    for header in [
        json!({ "alg": "none", "kid": kid, "typ": "at+jwt" }),
        json!({ "alg": "nOnE", "kid": kid, "typ": "at+jwt" }),
        json!({ "alg": "HS256", "kid": kid, "typ": "at+jwt" }),
        json!({ "alg": "RS256", "kid": kid, "typ": "at+jwt" }),
        json!({ "alg": "ES256", "kid": "../../etc/passwd", "typ": "at+jwt" }),
        json!({ "alg": "ES256", "kid": kid, "typ": "at+jwt", "crit": ["x"], "x": 1 }),
        json!({ "alg": "ES256", "typ": "at+jwt" }),
    ] {
        let forged = format!("{}.{rest}", B64.encode(header.to_string()));
        assert!(
            ring.verify::<Value>(&forged, &expected("at+jwt")).is_err(),
            "{header}"
        );
    }
    for noise in ["", ".", "..", "a.b.c", &"x".repeat(20_000)] {
        assert!(ring.verify::<Value>(noise, &expected("at+jwt")).is_err());
    }
}

#[test]
fn time_is_enforced_with_ten_seconds_of_leeway_r_jwt_05() {
    let ring = ring();
    // (seconds from now to iat, to exp, believed)
    for (iat, exp, good) in [
        (0, 600, true),
        (8, 600, true),
        (61, 600, false),
        (-600, -8, true),
        (-600, -61, false),
    ] {
        let mut claims = claims();
        claims["iat"] = (now() + Duration::seconds(iat)).timestamp().into();
        claims["exp"] = (now() + Duration::seconds(exp)).timestamp().into();
        let token = ring.sign(SigningAlgorithm::ES256, "JWT", &claims).unwrap();
        let found = ring.verify::<Value>(&token, &expected("JWT"));
        assert_eq!(found.is_ok(), good, "{iat} {exp}");
        let hint = Expected {
            accept_expired: true,
            ..expected("JWT")
        };
        assert_eq!(ring.verify::<Value>(&token, &hint).is_ok(), iat <= 10);
    }
}

#[test]
fn the_jwks_is_public_r_disc_05() {
    let ring = ring();
    let jwks: Value = serde_json::from_slice(&ring.jwks()).unwrap();
    let keys = jwks["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2);
    assert_ne!(keys[0]["kid"], keys[1]["kid"]);
    for key in keys {
        assert_eq!(key["use"], "sig");
        assert!(key["alg"].is_string() && key["kid"].is_string());
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert!(key.get(private).is_none(), "{private}");
        }
    }
}

#[test]
fn a_key_that_may_not_sign_still_verifies_and_one_that_is_hidden_is_in_no_jwks() {
    let keys: Vec<_> = (0..2)
        .map(|_| make::generate(SigningAlgorithm::ES256, DateTime::UNIX_EPOCH).unwrap())
        .collect();
    let kids: Vec<String> = keys.iter().map(|key| key.public.kid.clone()).collect();
    let newest = kids[1].clone();
    let ring = KeyRing::standing(keys, |kid| Standing {
        signs: kid != newest,
        shown: kid != newest,
    })
    .unwrap();
    let token = ring
        .sign(SigningAlgorithm::ES256, "at+jwt", &claims())
        .unwrap();
    let header: Value =
        serde_json::from_slice(&B64.decode(token.split('.').next().unwrap()).unwrap()).unwrap();
    assert_eq!(header["kid"], kids[0].as_str());
    let canary = ring.sign_by(&kids[1], "at+jwt", &claims()).unwrap();
    assert!(ring.verify::<Value>(&canary, &expected("at+jwt")).is_ok());
    let jwks = String::from_utf8(ring.jwks().to_vec()).unwrap();
    assert!(jwks.contains(&kids[0]) && !jwks.contains(&kids[1]));
    assert_eq!(ring.public_keys().len(), 1);
}
