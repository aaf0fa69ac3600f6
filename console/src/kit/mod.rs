//! The console's building blocks: small views that know markup and nothing else.
//!
//! Why hand-written: the component libraries of the ecosystem inject styles (our policy forbids inline
//! styles) or draw only in the browser (our pages are complete without it). Two shapes are used. What has
//! children is a component (`<Card title="…">…</Card>`); what is a leaf described by data is a function or
//! a builder (`Field::text("slug", "Address").view(&form)`), because that reads better and compiles faster.
//!
//! A piece must never load anything, decide a permission or hold text that belongs to one page. Class
//! names come from `ui-assets/CLASSES.md`; there are no inline styles and no inline scripts.

mod button;
mod card;
mod change;
mod choice;
mod content;
mod data;
mod empty;
mod field;
mod form;
mod icon;
mod layout;
mod notice;
mod table;
mod time;

#[cfg(test)]
mod tests;

pub use button::{Button, ButtonKind, LinkButton};
pub use card::{Card, DangerZone, StatTile};
pub use change::{Diff, FieldChange, changes, stepper};
pub use choice::{Choice, check, choice_cards, choices, segments, toggle};
pub use content::Content;
pub use data::{Code, KeyValue, Secret, Tone, count, id, kv, monogram, pill, tag};
pub use empty::Empty;
pub use field::{Field, Fieldset};
pub use form::{Confirmation, ConfirmedDanger, EditForm, PostForm};
pub use icon::icon;
pub use layout::{PageHead, crumbs, tabs};
pub use notice::{ErrorSummary, Notice, SaveBar};
pub use table::{Column, Pager, Table, chip, row_link};
pub use time::{absolute, relative, time};
