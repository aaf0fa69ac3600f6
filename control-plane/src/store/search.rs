//! Search in folded text, the same on both databases.
//!
//! SQLite folds only ASCII in `LOWER`, so names are folded when they are written, into a column of their
//! own, and the searched text is folded here.

use sea_orm::{
    ColumnTrait, Condition,
    sea_query::{LikeExpr, SimpleExpr},
};

/// What people mean by a text when they look for a thing: a part of what it is called, or its whole id.
/// Without a text, everything.
pub(super) fn named<C: ColumnTrait>(id: C, names: &[C], text: Option<&str>) -> Condition {
    match text.filter(|text| !text.is_empty()) {
        None => Condition::all(),
        Some(text) => names
            .iter()
            .fold(Condition::any().add(id.eq(sought(text))), |found, name| {
                found.add(folded(*name, text))
            }),
    }
}

/// A text as it can be looked for: PostgreSQL takes no NUL, not even to find none. What stands in its place
/// is in no text that we keep either.
pub(super) fn sought(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// "Occurs in" a column that holds folded text, with the pattern's own signs taken literally.
pub(super) fn folded(column: impl ColumnTrait, text: &str) -> SimpleExpr {
    let literal = sought(text)
        .to_lowercase()
        .replace('\\', "\\\\")
        .replace('%', "\\%")
        .replace('_', "\\_");
    column.like(LikeExpr::new(format!("%{literal}%")).escape('\\'))
}
