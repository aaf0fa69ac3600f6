//! Between columns and domain types: what the database gives back is parsed as strictly as what people send.

use std::{fmt::Display, str::FromStr};

use serde::{Serialize, de::DeserializeOwned};

use super::StoreError;

/// Parses a text column.
pub(super) fn parse<T>(table: &'static str, text: &str) -> Result<T, StoreError>
where
    T: FromStr,
    T::Err: Display,
{
    text.parse()
        .map_err(|error: T::Err| StoreError::Unreadable {
            table,
            reason: error.to_string(),
        })
}

/// Parses a JSON column.
pub(super) fn from_json<T: DeserializeOwned>(
    table: &'static str,
    text: &str,
) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Unreadable {
        table,
        reason: error.to_string(),
    })
}

/// Writes a JSON column.
pub(super) fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("domain types have string keys and always serialize")
}

/// Reads a count column.
pub(super) fn unsigned(table: &'static str, value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|error| StoreError::Unreadable {
        table,
        reason: error.to_string(),
    })
}

/// Writes a count column.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).expect("versions and sequence numbers stay far below 2^63")
}
