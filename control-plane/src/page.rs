//! Paging by key: a page begins after the last thing of the one before it.
//!
//! Keys instead of offsets, because a list that grows while someone reads it must neither repeat nor skip
//! anything. The cursor is opaque: callers return it unchanged, so its content can change without notice.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::Refusal;

/// Fewest and most things per page.
const LIMITS: std::ops::RangeInclusive<u64> = 1..=100;
/// Things per page unless asked otherwise.
const DEFAULT_LIMIT: u64 = 25;

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(String);

impl Cursor {
    /// A cursor after the thing with this sort key.
    pub(crate) fn after(key: impl ToString) -> Self {
        Self(key.to_string())
    }

    /// The sort key inside.
    pub(crate) fn key(&self) -> &str {
        &self.0
    }

    /// The form that travels.
    pub fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.0)
    }

    /// Reads the form that travels.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] for anything we did not write ourselves.
    pub fn decode(text: &str) -> Result<Self, Refusal> {
        URL_SAFE_NO_PAD
            .decode(text)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .filter(|key| key.len() <= 200 && !key.chars().any(char::is_control))
            .map(Self)
            .ok_or_else(|| Refusal::invalid("cursor", "is not one that we gave"))
    }
}

/// Which page is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    limit: u64,
    after: Option<Cursor>,
}

impl Default for PageRequest {
    fn default() -> Self {
        Self {
            limit: DEFAULT_LIMIT,
            after: None,
        }
    }
}

impl PageRequest {
    /// Reads what a query string says.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] for a limit outside 1 to 100 or a cursor that we did not give.
    pub fn parse(limit: Option<u64>, cursor: Option<&str>) -> Result<Self, Refusal> {
        let limit = limit.unwrap_or(DEFAULT_LIMIT);
        if !LIMITS.contains(&limit) {
            return Err(Refusal::invalid("limit", "must be between 1 and 100"));
        }
        let after = cursor.map(Cursor::decode).transpose()?;
        Ok(Self { limit, after })
    }

    /// How many rows to read: one more than the page, to know whether another follows.
    pub(crate) fn fetch(&self) -> u64 {
        self.limit + 1
    }

    /// The sort key after which the page begins.
    pub(crate) fn after(&self) -> Option<&str> {
        self.after.as_ref().map(Cursor::key)
    }

    /// The sort key as a number. A cursor of another kind of list names nothing here, and nothing follows it.
    pub(crate) fn after_number(&self) -> Option<i64> {
        self.after().map(|key| key.parse().unwrap_or(i64::MIN))
    }

    /// Cuts the fetched rows to the page and says where the next one begins.
    pub(crate) fn page<T, K: ToString>(&self, mut items: Vec<T>, key: impl Fn(&T) -> K) -> Page<T> {
        let limit = usize::try_from(self.limit).expect("a limit is at most 100");
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items
            .last()
            .filter(|_| more)
            .map(|last| Cursor::after(key(last)));
        Page { items, next }
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The things on it.
    pub items: Vec<T>,
    /// Where the next page begins, if there is one.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// The same page of other things.
    pub fn map<U>(self, convert: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(convert).collect(),
            next: self.next,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_knows_whether_another_follows() {
        let request = PageRequest::parse(Some(2), None).unwrap();
        let first = request.page(vec![1, 2, 3], |n| *n);
        assert_eq!(
            (first.items, first.next.as_ref().map(Cursor::key)),
            (vec![1, 2], Some("2"))
        );
        assert_eq!(request.page(vec![1, 2], |n| *n).next, None);
    }

    #[test]
    fn limits_and_foreign_cursors_are_refused() {
        for bad in [0, 101] {
            assert!(PageRequest::parse(Some(bad), None).is_err());
        }
        assert!(PageRequest::parse(None, Some("***")).is_err());
        // No key of ours has a control character, and PostgreSQL cannot compare with a NUL.
        let nul = Cursor::after("ac\0me").encode();
        assert!(PageRequest::parse(None, Some(&nul)).is_err());
        let cursor = Cursor::after("acme");
        assert_eq!(Cursor::decode(&cursor.encode()).unwrap(), cursor);
    }
}
