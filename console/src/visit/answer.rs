//! The answers of a visit: a page inside the shell, a form again, or the way on after a command.

use actix_web::{
    HttpResponse, HttpResponseBuilder,
    http::{StatusCode, header},
};
use leptos::prelude::*;

use super::Visit;
use crate::{
    document::{self, Chrome, Head},
    flash::Flash,
    shell,
};

impl Visit {
    /// The page `title` with status 200. Build the view inside the closure: it runs where islands may live.
    pub fn page<V: IntoView>(&self, title: &str, view: impl FnOnce() -> V) -> HttpResponse {
        self.page_with(StatusCode::OK, title, view)
    }

    /// The page again with a form that has problems: status 422. The tab says so first (WCAG 3.3.1).
    pub fn refused<V: IntoView>(&self, title: &str, view: impl FnOnce() -> V) -> HttpResponse {
        let title = format!("Error: {title}");
        self.page_with(StatusCode::UNPROCESSABLE_ENTITY, &title, view)
    }

    /// The page with a status of one's own.
    pub fn page_with<V: IntoView>(
        &self,
        status: StatusCode,
        title: &str,
        view: impl FnOnce() -> V,
    ) -> HttpResponse {
        let head = Head {
            title: format!("{title} · {} · Bailiwick", self.scope_name()),
            chrome: self.chrome(),
            preferences: self.preferences(),
            form_target: Some(self.0.console.relying_party().issuer_origin().to_owned()),
        };
        document::answer(status, &head, || {
            shell::frame(self, self.0.flash.clone(), view)
        })
    }

    /// After a command: 303 to a page of ours, which says what was done. The route that ran the command
    /// keeps the message for that page.
    pub fn done(&self, flash: &Flash, to: &str) -> HttpResponse {
        let mut answer = see_other(to).finish();
        answer.extensions_mut().insert(flash.clone());
        answer
    }

    fn chrome(&self) -> Chrome {
        match &self.0.tenant {
            Some(_) if self.is_guest() => Chrome::Grant,
            Some(_) => Chrome::Tenant,
            None if self.0.on_platform => Chrome::Platform,
            None => Chrome::Tenant,
        }
    }
}

/// 303 to an own path. The path is checked here because it ends in a header.
pub fn see_other(path: &str) -> HttpResponseBuilder {
    let own =
        path.starts_with('/') && !path.starts_with("//") && !path.contains(['\\', '\r', '\n']);
    let path = if own { path } else { crate::return_path::START };
    let mut answer = HttpResponse::SeeOther();
    answer
        .insert_header((header::LOCATION, path))
        .insert_header((header::CACHE_CONTROL, "no-store"));
    answer
}
