//! The pages: one file per screen, each loading what it shows through the control plane's methods and
//! drawing it with the kit. A page never decides a permission and never writes; commands do, below the
//! same folder, in the file of the thing they change.

pub mod common;
pub(crate) mod list;
pub(crate) mod people;
pub mod platform;
pub(crate) mod reach;
pub mod tenant;
