//! `/setup`: the first operator, made by whoever can read the output of the process that started.
//!
//! The page asks for a name and an address and nothing else; the password is set on the issuer's own page,
//! to which the form leads. The token stays in the form and the address bar of this one page and is never
//! logged.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::{Data, Payload},
};
use control_plane::Refusal;
use host::Secret;
use leptos::prelude::*;

use super::query;
use crate::{Console, fault::Fault, form::Form, kit::*, routes::own_form, shell};

/// `GET /setup?token=…`
pub(crate) async fn show(console: Data<Console>, request: HttpRequest) -> HttpResponse {
    let token = query(&request, "token").unwrap_or_default();
    let form = Form::with([("token", token.as_str())]);
    match console
        .control_plane()
        .check_setup_token(&Secret::new(token))
        .await
    {
        Ok(()) => page(&console, StatusCode::OK, &form),
        Err(Refusal::NotFound { .. }) => spent(&console),
        Err(other) => Fault::from(other).outside(&console, &request),
    }
}

/// `POST /setup`
pub(crate) async fn run(
    console: Data<Console>,
    request: HttpRequest,
    body: Payload,
) -> HttpResponse {
    match complete(&console, &request, body).await {
        Ok(answer) => answer,
        Err(fault) => fault.outside(&console, &request),
    }
}

async fn complete(
    console: &Console,
    request: &HttpRequest,
    body: Payload,
) -> Result<HttpResponse, Fault> {
    // There is no session yet: the one-time token in the form is what nobody else can know.
    let mut form = own_form(console, request, body).await?;
    let invitee = form.invitee("name", "email");
    if !form.is_valid() {
        return Ok(page(console, StatusCode::UNPROCESSABLE_ENTITY, &form));
    }
    let token = Secret::new(form.raw("token"));
    match console
        .control_plane()
        .complete_setup(&token, invitee)
        .await
    {
        Ok(link) => Ok(HttpResponse::SeeOther()
            .insert_header((header::LOCATION, link))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .finish()),
        Err(Refusal::NotFound { .. }) => Ok(spent(console)),
        Err(Refusal::Unavailable { detail }) => {
            form.refuse("", detail);
            Ok(page(console, StatusCode::SERVICE_UNAVAILABLE, &form))
        }
        Err(refusal) => {
            form.absorb(refusal, &[("email_taken", "email")])?;
            Ok(page(console, StatusCode::UNPROCESSABLE_ENTITY, &form))
        }
    }
}

fn page(console: &Console, status: StatusCode, form: &Form) -> HttpResponse {
    let token = form.raw("token").to_owned();
    shell::signed_out(console, status, "Set up Bailiwick", || {
        view! {
            <h1>"Set up Bailiwick"</h1>
            <p class="lede">"You become the first platform owner. On the next page you choose a password."</p>
            <ErrorSummary form=form />
            <form class="form" method="post" action="/setup" novalidate>
                <input type="hidden" name="token" value=token />
                {Field::text("name", "Your name").autocomplete("name").view(form)}
                {Field::email("email", "Your e-mail address").autocomplete("email").view(form)}
                <Button kind=ButtonKind::Primary>"Continue"</Button>
            </form>
        }
    })
}

fn spent(console: &Console) -> HttpResponse {
    shell::signed_out(
        console,
        StatusCode::NOT_FOUND,
        "This link can't be used",
        || {
            view! {
                <h1>"This link can't be used"</h1>
                <p class="lede">"It was used, replaced by a newer one, or is older than a day."</p>
                <ul class="stack tight">
                    <li><b>"Is the platform owned already?"</b>" Sign in, or open the invitation in your mail and choose a password first."</li>
                    <li><b>"Nobody owns it yet?"</b>" Stop "<code>"bailiwick up"</code>" and start it again: each start prints a new link while \
                        nobody owns the platform, and only the newest one works."</li>
                </ul>
                <LinkButton href="/login">"Sign in"</LinkButton>
            }
        },
    )
}
