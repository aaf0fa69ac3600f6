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

/// Writes a count column. Counts that we give stay far below 2^63; one that a caller or a node names may not.
pub(super) fn signed(table: &'static str, value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::TooLarge { table, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_no_column_can_hold_is_an_error() {
        assert_eq!(signed("releases", 7).unwrap(), 7);
        assert_eq!(signed("releases", i64::MAX as u64).unwrap(), i64::MAX);
        let too_large = signed("releases", i64::MAX as u64 + 1).unwrap_err();
        assert!(too_large.to_string().contains("releases"), "{too_large}");
        assert!(unsigned("releases", -1).is_err());
    }
}
