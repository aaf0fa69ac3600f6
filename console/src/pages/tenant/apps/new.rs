//! T9: a new application. First its kind, which decides everything else and stays; then its settings.
//!
//! The secret is shown in the answer to the form that made it, once, and is nowhere else: not in a flash,
//! an address or a log.

use actix_web::HttpResponse;
use contract::{application::ApplicationKind, permission::Permission};
use control_plane::{
    Mode,
    applications::{CreatedApplication, NewApplication},
};
use leptos::prelude::*;

use super::{fields, kind_name, sample};
use crate::{denial::again, fault::Fault, flash::Flash, form::Form, kit::*, visit::Visit};

const STEPS: [&str; 3] = ["Kind", "Settings", "Done"];
const TITLE: &str = "New application";

/// `GET apps/new`, with `?kind=` once it is chosen.
pub(in crate::pages::tenant) async fn show(visit: Visit) -> Result<HttpResponse, Fault> {
    let kind = visit
        .query("kind")
        .and_then(|kind| kind.parse::<ApplicationKind>().ok());
    Ok(match kind {
        Some(kind) => visit.page(TITLE, || settings(&visit, &first_form(kind), kind)),
        None => visit.page(TITLE, || choose(&visit, &Form::with([("kind", "web")]))),
    })
}

/// `POST apps/create`.
pub(in crate::pages::tenant) async fn create(
    visit: Visit,
    mut form: Form,
) -> Result<HttpResponse, Fault> {
    let Some(kind) = form.read::<ApplicationKind>("kind") else {
        return again(&visit, Permission::ApplicationsEdit, TITLE, || {
            choose(&visit, &form)
        })
        .await;
    };
    let new = read(&mut form, kind);
    if !form.is_valid() {
        return again(&visit, Permission::ApplicationsEdit, TITLE, || {
            settings(&visit, &form, kind)
        })
        .await;
    }
    let (control_plane, tenant) = (visit.control_plane(), visit.tenant().id);
    let made = control_plane
        .create_application(visit.caller(), tenant, new, Mode::Commit)
        .await;
    match made {
        Ok(created) => Ok(answer(&visit, created)),
        Err(refusal) => {
            form.absorb(refusal, &[("too_many_applications", "")])?;
            again(&visit, Permission::ApplicationsEdit, TITLE, || {
                settings(&visit, &form, kind)
            })
            .await
        }
    }
}

/// What is made for this kind unless the person asks for something else.
fn first_form(kind: ApplicationKind) -> Form {
    let mut form = Form::with([("kind", kind.as_str()), ("signing_algorithm", "ES256")]);
    for scope in ["openid", "profile", "email"] {
        form.set("scopes", scope);
    }
    if matches!(kind, ApplicationKind::Web | ApplicationKind::Native) {
        form.set("scopes", "offline_access");
    }
    form
}

fn read(form: &mut Form, kind: ApplicationKind) -> NewApplication {
    let mut new = NewApplication::of_kind(fields::read_name(form), kind);
    new.signing_algorithm = fields::read_algorithm(form);
    if kind.signs_people_in() {
        (new.redirect_uris, new.post_logout_redirect_uris) = fields::read_addresses(form);
        new.scopes = Some(fields::read_scopes(form));
    }
    new
}

fn head(visit: &Visit, step: usize) -> AnyView {
    let crumbs = crumbs(vec![("Applications".into(), visit.href("apps"))], TITLE);
    view! {
        <PageHead title=TITLE sub="Begins with the narrowest settings of its kind; you can widen them later." crumbs=crumbs />
        {stepper(&STEPS, step)}
    }
    .into_any()
}

fn choose(visit: &Visit, form: &Form) -> AnyView {
    let detail = |kind| match kind {
        ApplicationKind::Web => ("globe", "Runs on a server of yours and can keep a secret."),
        ApplicationKind::Spa => ("monitor", "Runs in the browser. No secret; PKCE proves it."),
        ApplicationKind::Native => (
            "app",
            "Installed on a phone or computer. No secret; PKCE proves it.",
        ),
        ApplicationKind::Machine => ("bot", "A program that acts for itself, without a person."),
    };
    let cards = ApplicationKind::ALL
        .into_iter()
        .map(|kind| {
            let (icon, detail) = detail(kind);
            Choice::new(kind.as_str(), kind_name(kind), detail).with_icon(icon)
        })
        .collect();
    let cards = choice_cards(
        form,
        "kind",
        "What sort of program is it? This stays.",
        cards,
    );
    let (action, cancel) = (visit.href("apps/new"), visit.href("apps"));
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

fn settings(visit: &Visit, form: &Form, kind: ApplicationKind) -> AnyView {
    let name = fields::name(form, kind);
    let people = kind.signs_people_in().then(|| {
        let (redirects, scopes) = (fields::redirects(form, kind), fields::scopes(form));
        view! { {redirects}{scopes} }
    });
    let machine = (!kind.signs_people_in()).then(|| {
        view! {
            <Notice tone=Tone::Info title="It can call no API yet">
                "Until you name an API and its scopes under API access, it gets no token for any."
            </Notice>
        }
    });
    let secret = if kind.is_confidential() {
        "Its secret is shown once, right after this."
    } else {
        "This kind has no secret: it runs where people could read one."
    };
    let algorithm = fields::algorithm(form);
    let (action, cancel) = (visit.command("apps/create"), visit.href("apps"));
    let hidden = vec![("kind", kind.as_str().to_owned())];
    let another = visit.href("apps/new");
    let csrf = visit.csrf();
    view! {
        {head(visit, 1)}
        <ErrorSummary form=form />
        <PostForm action=action csrf=csrf hidden=hidden>
            <p class="row">{tag(kind_name(kind))}<a href=another>"Choose another kind"</a></p>
            {name}{people}{machine}{algorithm}
            <p class="muted text-sm">{secret}</p>
            <div class="form-actions">
                <Button kind=ButtonKind::Primary>"Create application"</Button>
                <LinkButton href=cancel>"Cancel"</LinkButton>
            </div>
        </PostForm>
    }
    .into_any()
}

/// Only an answer that shows a secret stands at the command's address; everything else is a redirect, so
/// that reloading makes no second application.
fn answer(visit: &Visit, created: CreatedApplication) -> HttpResponse {
    let application = &created.record.application;
    let page = visit.href(&format!("apps/{}", application.id));
    match &created.secret {
        Some(secret) => {
            let issuer = visit.control_plane().issuer(visit.tenant());
            let title = format!("{} created", application.name);
            visit.page(&title, || done(visit, &created, secret.expose(), &issuer))
        }
        None => {
            let log = visit.href(&format!("audit?object={}", application.id));
            let flash =
                Flash::done(format!("Created {}.", application.name)).with_link("Audit event", log);
            visit.done(&flash, &page)
        }
    }
}

fn done(visit: &Visit, created: &CreatedApplication, secret: &str, issuer: &str) -> AnyView {
    let application = &created.record.application;
    let title = format!("{} is ready", application.name);
    let crumbs = crumbs(
        vec![("Applications".into(), visit.href("apps"))],
        application.name.clone(),
    );
    let (page, list) = (
        visit.href(&format!("apps/{}", application.id)),
        visit.href("apps"),
    );
    let secret = secret.to_owned();
    view! {
        <PageHead title=title crumbs=crumbs />
        {stepper(&STEPS, 2)}
        <Secret title="Copy the client secret now"
            explanation="It is shown only this once; we keep nothing but its hash. If it is lost, make a second one under Credentials."
            secret=secret />
        {sample::card(application, issuer)}
        <div class="row">
            <LinkButton href=page kind=ButtonKind::Primary>"Open the application"</LinkButton>
            <LinkButton href=list>"All applications"</LinkButton>
        </div>
    }
    .into_any()
}
