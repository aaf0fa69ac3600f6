//! What stands between a component's tags.
//!
//! The framework's own `Children` is a boxed closure that must be `Send` and own everything, because it may
//! run later and again in a browser. Our components draw once, on the server, at once: so their content is
//! drawn at once too, and may borrow the form and the visit it is made from.

use leptos::{
    children::{ChildrenOptContainer, ToChildren},
    prelude::*,
};

/// Content that was drawn already.
pub struct Content(pub(super) AnyView);

impl<F, V> ToChildren<F> for Content
where
    F: FnOnce() -> V,
    V: IntoView + 'static,
{
    fn to_children(draw: F) -> Self {
        Self(draw().into_any())
    }
}

/// How the macro passes content that is a single text.
impl<V: IntoAny + 'static> ToChildren<ChildrenOptContainer<V>> for Content {
    fn to_children(drawn: ChildrenOptContainer<V>) -> Self {
        Self(drawn.0.into_any())
    }
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Content")
    }
}
