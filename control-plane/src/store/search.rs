//! Search in folded text, the same on both databases.
//!
//! SQLite folds only ASCII in `LOWER`, so names are folded when they are written, into a column of their
//! own, and the searched text is folded here.

use sea_orm::{
    ColumnTrait,
    sea_query::{LikeExpr, SimpleExpr},
};

/// "Occurs in" a column that holds folded text, with the pattern's own signs taken literally.
pub(super) fn folded(column: impl ColumnTrait, text: &str) -> SimpleExpr {
    let literal = text
        .to_lowercase()
        .replace('\\', "\\\\")
        .replace('%', "\\%")
        .replace('_', "\\_");
    column.like(LikeExpr::new(format!("%{literal}%")).escape('\\'))
}
