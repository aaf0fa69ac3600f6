//! Choosing whom or what to contain: first the kind, then which one. Other pages lead here with both in the address.
//!
//! Nothing is changed here: both steps are GET forms that end at the review.

use actix_web::HttpResponse;
use contract::{containment::Subject, permission::Permission};
use control_plane::PageRequest;
use leptos::prelude::*;

use crate::{fault::Fault, form::Form, kit::*, visit::Visit};

pub(super) const TITLE: &str = "Contain something";
pub(super) const STEPS: [&str; 3] = ["What", "Which one", "Consequences"];
/// As many as one question may bring; more are reached by their ids.
const MOST: u64 = 100;

/// A kind of thing that can be contained.
struct Kind {
    key: &'static str,
    name: &'static str,
    detail: &'static str,
    icon: &'static str,
}

const KINDS: [Kind; 5] = [
    Kind {
        key: "user",
        name: "A user",
        detail: "No sign-in, no session, no token of this person.",
        icon: "user",
    },
    Kind {
        key: "session",
        name: "A session",
        detail: "One browser session, with the tokens that came of it.",
        icon: "monitor",
    },
    Kind {
        key: "application",
        name: "An application",
        detail: "Nobody signs in to it, and it gets no token.",
        icon: "app",
    },
    Kind {
        key: "signing_key",
        name: "A signing key",
        detail: "It signs nothing more, and what it signed is not believed.",
        icon: "key",
    },
    Kind {
        key: "tenant",
        name: "The whole tenant",
        detail: "Nobody signs in and no application gets a token.",
        icon: "tenant",
    },
];

/// `GET containments/new`, with `kind` and `id` if they are known.
pub(in crate::pages::tenant) async fn show(visit: Visit) -> Result<HttpResponse, Fault> {
    let kind = visit.query("kind").unwrap_or_default();
    let form = Form::with([
        ("kind", kind),
        ("id", visit.query("id").unwrap_or_default()),
    ]);
    page(&visit, &form).await
}

/// The step that the form is at. With a problem it is told at its field.
pub(super) async fn page(visit: &Visit, form: &Form) -> Result<HttpResponse, Fault> {
    let known = KINDS.iter().find(|kind| kind.key == form.text("kind"));
    let Some(kind) = known.filter(|kind| kind.key != "tenant") else {
        return Ok(answer(visit, form, || choose(visit, form)));
    };
    let options = options(visit, kind.key).await?;
    Ok(answer(visit, form, || which(visit, form, kind, options)))
}

fn answer(visit: &Visit, form: &Form, view: impl FnOnce() -> AnyView) -> HttpResponse {
    match form.is_valid() {
        true => visit.page(TITLE, view),
        false => visit.refused(TITLE, view),
    }
}

/// What there is to choose from, as (id, name); `None` where an id has to be typed.
async fn options(visit: &Visit, kind: &str) -> Result<Option<Vec<(String, String)>>, Fault> {
    let (control_plane, caller, tenant) =
        (visit.control_plane(), visit.caller(), visit.tenant().id);
    match kind {
        "application" if visit.may(Permission::ApplicationsView) => {
            let all = PageRequest::parse(Some(MOST), None)?;
            let page = control_plane
                .list_applications(caller, tenant, None, &all)
                .await?;
            if page.next.is_some() {
                return Ok(None);
            }
            let named = page.items.into_iter().filter(|record| !record.built_in);
            let named = named.map(|record| {
                let application = record.application;
                (application.id.to_string(), application.name)
            });
            Ok(Some(named.collect()))
        }
        "signing_key" if visit.may(Permission::KeysView) => {
            let keys = control_plane.list_keys(caller, tenant).await?;
            let named = keys.into_iter().map(|key| (key.kid.clone(), key.kid));
            Ok(Some(named.collect()))
        }
        _ => Ok(None),
    }
}

pub(super) fn head(visit: &Visit, step: usize) -> AnyView {
    let crumbs = crumbs(
        vec![("Containment".into(), visit.href("containments"))],
        TITLE,
    );
    view! {
        <PageHead title=TITLE sub="It is refused on every node that can be reached within moments, and ends by itself." crumbs=crumbs />
        {stepper(&STEPS, step)}
    }
    .into_any()
}

fn choose(visit: &Visit, form: &Form) -> AnyView {
    let cards = KINDS
        .iter()
        .map(|kind| Choice::new(kind.key, kind.name, kind.detail).with_icon(kind.icon))
        .collect();
    let cards = choice_cards(form, "kind", "What is to be stopped?", cards);
    let (action, cancel) = (
        visit.href("containments/review"),
        visit.href("containments"),
    );
    view! {
        {head(visit, 0)}
        <ErrorSummary form=form />
        <form class="form" method="get" action=action>
            {cards}
            <div class="form-actions">
                <Button kind=ButtonKind::Primary>"Continue"</Button>
                <LinkButton href=cancel>"Cancel"</LinkButton>
            </div>
        </form>
    }
    .into_any()
}

fn which(
    visit: &Visit,
    form: &Form,
    kind: &Kind,
    options: Option<Vec<(String, String)>>,
) -> AnyView {
    // What was typed and refused stays to be seen, also where there is nothing to choose from.
    let options = match options {
        Some(options) if options.is_empty() && form.is_valid() => return nothing(visit, kind),
        options => options.filter(|options| !options.is_empty()),
    };
    let field = match (kind.key, options) {
        ("application", Some(options)) => {
            Field::select("id", "Application", options).hint("Programs of this tenant.")
        }
        (_, Some(options)) => {
            Field::select("id", "Key ID", options).hint("As “kid” in the tenant's JWKS and tokens.")
        }
        ("user", None) => Field::text("id", "User ID")
            .hint("Begins with usr_. It is the “sub” of the person's tokens.")
            .mono(),
        ("session", None) => Field::text("id", "Session ID")
            .hint("Begins with ses_. It is the “sid” of the session's tokens.")
            .mono(),
        ("application", None) => Field::text("id", "Client ID")
            .hint("Begins with app_.")
            .mono(),
        (_, None) => Field::text("id", "Key ID")
            .hint("As “kid” in the tenant's JWKS and tokens.")
            .mono(),
    };
    let (action, another) = (
        visit.href("containments/review"),
        visit.href("containments/new"),
    );
    let cancel = visit.href("containments");
    let (key, name, detail) = (kind.key, kind.name, kind.detail);
    view! {
        {head(visit, 1)}
        <ErrorSummary form=form />
        <form class="form" method="get" action=action novalidate>
            <input type="hidden" name="kind" value=key />
            <p class="row">{tag(name)}<a href=another>"Choose something else"</a></p>
            <p class="muted text-sm">{detail}</p>
            {field.view(form)}
            <div class="form-actions">
                <Button kind=ButtonKind::Primary>"See the consequences"</Button>
                <LinkButton href=cancel>"Cancel"</LinkButton>
            </div>
        </form>
    }
    .into_any()
}

fn nothing(visit: &Visit, kind: &Kind) -> AnyView {
    let another = visit.href("containments/new");
    let (title, text) = match kind.key {
        "application" => (
            "No application can be contained",
            "The tenant has none, or only those through which operators sign in.",
        ),
        _ => (
            "No signing key is known yet",
            "The tenant's region reports its keys once a node of it has connected.",
        ),
    };
    view! {
        {head(visit, 1)}
        <Empty icon_name=kind.icon title=title text=text>
            <LinkButton href=another>"Choose something else"</LinkButton>
        </Empty>
    }
    .into_any()
}

/// The subject that a form names; what is wrong with it becomes a problem of its field.
pub(super) fn read(form: &mut Form) -> Option<Subject> {
    let (kind, id) = (form.text("kind").to_owned(), form.text("id").to_owned());
    if !KINDS.iter().any(|known| known.key == kind) {
        form.refuse("kind", "Choose what is to be stopped.");
        return None;
    }
    match Subject::parse(&kind, &id) {
        Ok(subject) => Some(subject),
        Err(_) if id.is_empty() => {
            form.refuse("id", "Say which one.");
            None
        }
        Err(invalid) => {
            form.refuse("id", format!("This ID {}.", invalid.reason));
            None
        }
    }
}
