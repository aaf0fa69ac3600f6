//! Canonical JSON: one byte sequence per value, so that a hash names a document.
//!
//! The subset of RFC 8785 (JCS) that we use: objects sorted by key, no insignificant space, integers
//! only. Floating point numbers are refused rather than formatted, because their text form is where
//! canonicalizers disagree. Keys are sorted here explicitly: `serde_json`'s own map order depends on a
//! feature that any crate in the build could switch on.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::Invalid;

/// The canonical bytes of `value`.
///
/// # Errors
/// A value that does not serialize to JSON, or that contains a floating point number.
pub fn to_canonical<T: Serialize>(value: &T) -> Result<String, Invalid> {
    let value = serde_json::to_value(value)
        .map_err(|error| Invalid::new("document", format!("cannot be written as JSON: {error}")))?;
    let mut out = String::new();
    write(&value, &mut out)?;
    Ok(out)
}

/// Lower-case hexadecimal SHA-256 of `bytes`: the name of a section or manifest.
pub fn sha256_hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    Sha256::digest(bytes)
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("writing to a String cannot fail");
            hex
        })
}

fn write(value: &Value, out: &mut String) -> Result<(), Invalid> {
    match value {
        Value::Number(number) if !(number.is_i64() || number.is_u64()) => Err(Invalid::new(
            "document",
            "must not contain floating point numbers",
        )),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            out.push_str(&value.to_string());
            Ok(())
        }
        Value::Array(items) => {
            out.push('[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                write(item, out)?;
            }
            out.push(']');
            Ok(())
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by(|a, b| a.0.encode_utf16().cmp(b.0.encode_utf16()));
            out.push('{');
            for (position, (key, member)) in members.into_iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write(member, out)?;
            }
            out.push('}');
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn members_are_sorted_at_every_level() {
        let value = json!({"b": [1, {"z": null, "a": true}], "a": "é\n"});
        assert_eq!(
            to_canonical(&value).unwrap(),
            r#"{"a":"é\n","b":[1,{"a":true,"z":null}]}"#
        );
    }

    #[test]
    fn floats_are_refused() {
        assert!(to_canonical(&json!({"x": 0.5})).is_err());
    }

    proptest! {
        #[test]
        fn insertion_order_does_not_matter(mut pairs in proptest::collection::vec(("[a-z]{1,6}", 0_i64..99), 0..8)) {
            pairs.sort();
            pairs.dedup_by(|a, b| a.0 == b.0);
            let forward: Value = Value::Object(pairs.iter().cloned().map(|(k, v)| (k, json!(v))).collect());
            let backward: Value = Value::Object(pairs.iter().rev().cloned().map(|(k, v)| (k, json!(v))).collect());
            prop_assert_eq!(to_canonical(&forward).unwrap(), to_canonical(&backward).unwrap());
        }
    }
}
