//! Public keys as JSON (RFC 7517), and nothing but public: the material of a key that verifies tokens.
//!
//! A JWK is a bag of members, and the private half of a key is only a few more of them. What a region
//! reports is stored and shown, so the types here have no place for such a member: a JWK that carries one, or
//! any other that is not named here, is refused as a whole rather than trimmed, because whoever sent it must
//! learn that a secret left the region (R-KEY-03). `kid`, `alg` and `use` are no material; they belong to
//! [`crate::frames::PublicKey`], so that they cannot be said twice and differently.
//!
//! It must never compute with a key: whether a point lies on its curve is for whoever verifies with it.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use serde::{Deserialize, Serialize};

use crate::{Invalid, application::SigningAlgorithm};

/// A public key of one of the two kinds that sign tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kty", deny_unknown_fields)]
pub enum PublicJwk {
    /// A point on a curve (RFC 7518 section 6.2.1).
    #[serde(rename = "EC")]
    Ec {
        /// The curve.
        crv: Curve,
        /// The point's first coordinate.
        x: Coordinate,
        /// The point's second coordinate.
        y: Coordinate,
    },
    /// A modulus and an exponent (RFC 7518 section 6.3.1).
    #[serde(rename = "RSA")]
    Rsa {
        /// The modulus, of at least 2048 bits (RFC 7518 section 3.3).
        n: Modulus,
        /// The exponent.
        e: Exponent,
    },
}

impl PublicJwk {
    /// The one algorithm that keys of this kind are used with.
    pub fn algorithm(&self) -> SigningAlgorithm {
        match self {
            Self::Ec { .. } => SigningAlgorithm::ES256,
            Self::Rsa { .. } => SigningAlgorithm::RS256,
        }
    }
}

/// The curve of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Curve {
    /// NIST P-256, the curve of `ES256`.
    #[serde(rename = "P-256")]
    P256,
}

/// A coordinate of a P-256 point.
pub type Coordinate = Octets<32, 32>;
/// An RSA modulus of 2048 to 4096 bits.
pub type Modulus = Octets<256, 512>;
/// An RSA exponent.
pub type Exponent = Octets<1, 8>;

/// `MIN` to `MAX` bytes, written in base64url without padding (RFC 7515 section 2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Octets<const MIN: usize, const MAX: usize>(String);

impl<const MIN: usize, const MAX: usize> Octets<MIN, MAX> {
    /// Writes bytes.
    ///
    /// # Errors
    /// Too few or too many of them.
    pub fn encode(bytes: &[u8]) -> Result<Self, Invalid> {
        if !(MIN..=MAX).contains(&bytes.len()) {
            return Err(Invalid::new("jwk", "has a member of the wrong length"));
        }
        Ok(Self(B64.encode(bytes)))
    }
}

impl<const MIN: usize, const MAX: usize> TryFrom<String> for Octets<MIN, MAX> {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        let bytes = B64
            .decode(text)
            .map_err(|_| Invalid::new("jwk", "has a member that is not base64url"))?;
        Self::encode(&bytes)
    }
}

impl<const MIN: usize, const MAX: usize> From<Octets<MIN, MAX>> for String {
    fn from(octets: Octets<MIN, MAX>) -> Self {
        octets.0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn ec() -> Value {
        let coordinate = B64.encode([7; 32]);
        json!({ "kty": "EC", "crv": "P-256", "x": coordinate, "y": coordinate })
    }

    fn rsa() -> Value {
        json!({ "kty": "RSA", "n": B64.encode([7; 256]), "e": "AQAB" })
    }

    fn read(jwk: &Value, member: &str, value: impl Into<Value>) -> Option<PublicJwk> {
        let mut jwk = jwk.clone();
        jwk[member] = value.into();
        serde_json::from_value(jwk).ok()
    }

    #[test]
    fn public_keys_round_trip() {
        for (jwk, algorithm) in [
            (ec(), SigningAlgorithm::ES256),
            (rsa(), SigningAlgorithm::RS256),
        ] {
            let read: PublicJwk = serde_json::from_value(jwk.clone()).unwrap();
            assert_eq!(read.algorithm(), algorithm);
            assert_eq!(serde_json::to_value(read).unwrap(), jwk);
        }
    }

    #[test]
    fn a_key_with_a_private_or_an_unknown_member_is_refused_r_key_03() {
        for member in [
            "d", "p", "q", "dp", "dq", "qi", "oth", "k", "key_ops", "x5c",
        ] {
            for jwk in [ec(), rsa()] {
                assert_eq!(read(&jwk, member, "AQAB"), None, "{member}");
            }
        }
    }

    #[test]
    fn material_of_another_shape_is_refused() {
        for (jwk, member, value) in [
            (ec(), "kty", "oct"),
            (ec(), "kty", "RSA"),
            (ec(), "crv", "P-384"),
            (ec(), "x", ""),
            (ec(), "y", &B64.encode([7; 31])),
            (ec(), "y", "not base64url!"),
            (rsa(), "n", &B64.encode([7; 128])),
            (rsa(), "n", &B64.encode([7; 513])),
            (rsa(), "e", ""),
        ] {
            assert_eq!(read(&jwk, member, value), None, "{member} = {value}");
        }
    }
}
