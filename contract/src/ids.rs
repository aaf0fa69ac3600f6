//! Typed identifiers: a prefix that says what the thing is, and a UUIDv7 that says when it began.
//!
//! The text form is `ten_` + 26 lower-case Crockford base32 characters. The prefix makes a pasted id
//! unambiguous (console palette, log search) and makes it impossible to pass a user where a tenant is
//! meant; the time-ordered UUID keeps database indexes dense. Ids are made by callers that own a
//! clock and randomness: this module only wraps, prints and parses.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Invalid;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const ENCODED_LEN: usize = 26;

/// What every typed id can do; lets stores and audit entries handle any of them.
pub trait TypedId: Copy + fmt::Display + FromStr<Err = Invalid> {
    /// The prefix without its underscore, for example `ten`.
    const PREFIX: &'static str;
    /// Wraps a UUID (version 7 by convention).
    fn from_uuid(uuid: Uuid) -> Self;
    /// The UUID inside.
    fn uuid(self) -> Uuid;
}

macro_rules! typed_ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Uuid);

        impl TypedId for $name {
            const PREFIX: &'static str = $prefix;
            fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }
            fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}_{}", $prefix, encode(self.0.as_u128()))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = Invalid;
            fn from_str(text: &str) -> Result<Self, Invalid> {
                text.strip_prefix($prefix)
                    .and_then(|rest| rest.strip_prefix('_'))
                    .and_then(decode)
                    .map(|value| Self(Uuid::from_u128(value)))
                    .ok_or_else(|| Invalid::new(concat!($prefix, "_ id"), "is not a well-formed identifier"))
            }
        }

        impl TryFrom<String> for $name {
            type Error = Invalid;
            fn try_from(text: String) -> Result<Self, Invalid> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }
    )*};
}

typed_ids! {
    /// A tenant: own issuer, keys and users.
    TenantId = "ten";
    /// An application; its text form is the `client_id` on the wire.
    ApplicationId = "app";
    /// A resource server.
    ApiId = "api";
    /// A permission for an application to call an API.
    ClientGrantId = "cgr";
    /// An end user of one tenant.
    UserId = "usr";
    /// A person signed in to the console.
    OperatorId = "opr";
    /// An operator's role in one scope.
    AssignmentId = "ras";
    /// A credential: here, one secret of an application.
    CredentialId = "crd";
    /// A data-plane node.
    NodeId = "nod";
    /// An audit event.
    EventId = "evt";
    /// A browser session.
    SessionId = "ses";
    /// A command sent to a node.
    CommandId = "cmd";
    /// Something or somebody contained.
    ContainmentId = "cnt";
    /// A release on its way from the canary ring to all nodes.
    RolloutId = "rol";
}

fn encode(value: u128) -> String {
    (0..ENCODED_LEN)
        .rev()
        .map(|position| ALPHABET[((value >> (position * 5)) & 31) as usize] as char)
        .collect()
}

/// Strict: exactly one text form per value, so that an id compares as text wherever it travels.
fn decode(text: &str) -> Option<u128> {
    let bytes = text.as_bytes();
    // 26 characters hold 130 bits; the first may only carry the top three of 128.
    if bytes.len() != ENCODED_LEN || bytes[0] > b'7' {
        return None;
    }
    bytes.iter().try_fold(0_u128, |value, byte| {
        let digit = ALPHABET.iter().position(|letter| letter == byte)?;
        Some((value << 5) | digit as u128)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_id_survives_its_text_form(raw in any::<u128>()) {
            let id = TenantId::from_uuid(Uuid::from_u128(raw));
            prop_assert_eq!(id.to_string().parse::<TenantId>().unwrap(), id);
            prop_assert_eq!(id.to_string().len(), 30);
        }

        #[test]
        fn no_text_parses_into_a_different_text(text in "ten_[0-9a-z]{26}") {
            if let Ok(id) = text.parse::<TenantId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }

    #[test]
    fn malformed_ids_are_refused() {
        let good = UserId::from_uuid(Uuid::from_u128(7)).to_string();
        for bad in [
            "",
            "usr",
            "usr_",
            &good[1..],
            &good[..29],
            &good.to_uppercase(),
            &good.replace("usr", "ten"),
            &format!("{good}0"),
            "usr_8zzzzzzzzzzzzzzzzzzzzzzzzz",
            "usr_0000000000000000000000000i",
        ] {
            assert!(bad.parse::<UserId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn text_order_is_time_order() {
        let older = EventId::from_uuid(Uuid::from_u128(1 << 100));
        let newer = EventId::from_uuid(Uuid::from_u128(1 << 101));
        assert!(older.to_string() < newer.to_string());
    }
}
