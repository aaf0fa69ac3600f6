//! T10, Credentials: what proves the application. Rotation is "make a second one, move over, revoke the first".

use actix_web::HttpResponse;
use contract::{ids::CredentialId, permission::Permission};
use control_plane::{
    Mode,
    applications::{
        ApplicationRecord, SecretRecord,
        secrets::{MadeSecret, NewSecret},
    },
};
use leptos::prelude::*;

use super::{
    frame::{Tab, at, frame, href, load, offers},
    warnings::working,
};
use crate::{
    denial::{again, notice, why_not},
    fault::Fault,
    flash::Flash,
    form::Form,
    kit::*,
    visit::Visit,
};

/// How long the older secret goes on working: seconds, and the words for it.
const OVERLAPS: [(&str, &str); 5] = [
    ("86400", "1 day"),
    ("3600", "1 hour"),
    ("604800", "7 days"),
    ("2592000", "30 days"),
    ("0", "Not at all: it ends at once"),
];

/// `GET apps/{id}/credentials`.
pub(in crate::pages::tenant) async fn show(visit: Visit) -> Result<HttpResponse, Fault> {
    let record = load(&visit).await?;
    let denial = notice_for(&visit).await?;
    let form = Form::with([("overlap_seconds", OVERLAPS[0].0)]);
    Ok(visit.page(&Tab::Credentials.title(&record), || {
        let denial = notice(&visit, denial.as_ref());
        page(&visit, &record, &form, denial)
    }))
}

async fn notice_for(visit: &Visit) -> Result<Option<control_plane::Denial>, Fault> {
    why_not(visit, Permission::SecretsManage).await
}

/// `POST apps/{id}/credentials/create`.
pub(in crate::pages::tenant) async fn create(
    visit: Visit,
    mut form: Form,
) -> Result<HttpResponse, Fault> {
    let record = load(&visit).await?;
    let overlap = form.number("overlap_seconds", 0..=2_592_000);
    if let Some(seconds) = overlap {
        let new = NewSecret {
            overlap_seconds: u32::try_from(seconds).ok(),
        };
        let at = at(&visit, &form)?;
        let made = visit
            .control_plane()
            .add_application_secret(visit.caller(), at, new, Mode::Commit)
            .await;
        match made {
            Ok(made) => return Ok(answer(&visit, &made)),
            Err(refusal) => form.absorb(refusal, &[("two_secrets", "overlap_seconds")])?,
        }
    }
    again(
        &visit,
        Permission::SecretsManage,
        &Tab::Credentials.title(&record),
        || page(&visit, &record, &form, None),
    )
    .await
}

fn answer(visit: &Visit, made: &MadeSecret) -> HttpResponse {
    let secret = made
        .secret
        .as_ref()
        .map(|secret| secret.expose().to_owned())
        .unwrap_or_default();
    let back = href(visit, &made.record, Tab::Credentials);
    let older = made
        .record
        .secrets
        .iter()
        .find(|kept| kept.id != made.id)
        .and_then(|kept| kept.not_after);
    let next = match older {
        Some(end) => format!(
            "The older secret works until {}. Move your program over before then.",
            absolute(end)
        ),
        None => "No older secret works any more. Give the new one to your program now.".to_owned(),
    };
    visit.page("New secret", || {
        let content = view! {
            <Secret title="Copy the client secret now"
                explanation="It is shown only this once; we keep nothing but its hash." secret=secret />
            <p>{next}</p>
            <div class="row"><LinkButton href=back kind=ButtonKind::Primary>"I have copied it"</LinkButton></div>
        };
        frame(visit, &made.record, Tab::Credentials, content.into_any())
    })
}

/// `GET apps/{id}/credentials/{secret}`: what revoking it means.
pub(in crate::pages::tenant) async fn confirm(visit: Visit) -> Result<HttpResponse, Fault> {
    let record = load(&visit).await?;
    let secret: CredentialId = visit.param("secret")?;
    let known = record.secrets.iter().any(|kept| kept.id == secret);
    if !known {
        return Err(Fault::NotFound);
    }
    Ok(visit.page("Revoke a secret", || confirm_view(&visit, &record, secret)))
}

fn confirm_view(visit: &Visit, record: &ApplicationRecord, secret: CredentialId) -> AnyView {
    let left = working(record, visit.now())
        .iter()
        .filter(|kept| kept.id != secret)
        .count();
    let consequence = match left {
        0 => {
            "It is the only one that works: the application gets no tokens from the next release on, until you make another."
        }
        _ => {
            "Programs that still use it get no tokens from the next release on. The other secret keeps working."
        }
    };
    let action = visit.command(&format!(
        "apps/{}/credentials/{secret}/revoke",
        record.application.id
    ));
    let (hidden, csrf) = (vec![("version", record.version.to_string())], visit.csrf());
    let cancel = href(visit, record, Tab::Credentials);
    let content = view! {
        <DangerZone title="Revoke this secret" consequence=consequence>
            <p>{id(secret)}</p>
            <PostForm action=action csrf=csrf hidden=hidden bare=true>
                <div class="form-actions">
                    <Button kind=ButtonKind::DangerSolid>"Revoke secret"</Button>
                    <LinkButton href=cancel>"Keep it"</LinkButton>
                </div>
            </PostForm>
        </DangerZone>
    };
    frame(visit, record, Tab::Credentials, content.into_any())
}

/// `POST apps/{id}/credentials/{secret}/revoke`.
pub(in crate::pages::tenant) async fn revoke(
    visit: Visit,
    form: Form,
) -> Result<HttpResponse, Fault> {
    let at = at(&visit, &form)?;
    let secret: CredentialId = visit.param("secret")?;
    let control_plane = visit.control_plane();
    let record = control_plane
        .revoke_application_secret(visit.caller(), at, secret, Mode::Commit)
        .await?;
    let log = visit.href(&format!("audit?object={}", record.application.id));
    let text = format!("Revoked a secret of {}.", record.application.name);
    let flash = Flash::done(text).with_link("Audit event", log);
    Ok(visit.done(&flash, &href(&visit, &record, Tab::Credentials)))
}

fn page(
    visit: &Visit,
    record: &ApplicationRecord,
    form: &Form,
    denial: Option<AnyView>,
) -> AnyView {
    let content = if !record.application.kind.is_confidential() {
        view! {
            <section class="card">
                <Empty icon_name="key" title="No secret, on purpose"
                    text="This application runs where people could read a secret. PKCE proves each sign-in instead." />
            </section>
        }
        .into_any()
    } else {
        let summary = view! { <ErrorSummary form=form /> }.into_any();
        let add =
            offers(visit, record, Permission::SecretsManage).then(|| add(visit, record, form));
        view! { {summary}{denial}{secrets(visit, record)}{add} }.into_any()
    };
    frame(visit, record, Tab::Credentials, content)
}

fn secrets(visit: &Visit, record: &ApplicationRecord) -> AnyView {
    if record.secrets.is_empty() {
        return view! {
            <section class="card">
                <Empty icon_name="key" title="No secret works" text="The application cannot prove itself, so it gets no tokens. Make a secret below." />
            </section>
        }
        .into_any();
    }
    let rows: Vec<AnyView> = record
        .secrets
        .iter()
        .map(|secret| row(visit, record, secret))
        .collect();
    let columns = vec![
        Column::text("Secret"),
        Column::text("Made"),
        Column::text("Works until"),
        Column::actions(),
    ];
    view! {
        <Card title="Client secrets" sub="Only hashes are kept. At most two work at a time, so that you can rotate without an interruption.">
            <Table label="Client secrets" columns=columns>{rows}</Table>
        </Card>
    }
    .into_any()
}

fn row(visit: &Visit, record: &ApplicationRecord, secret: &SecretRecord) -> AnyView {
    let now = visit.now();
    let ended = secret.not_after.is_some_and(|end| end <= now);
    let until = match secret.not_after {
        None => view! { "You revoke it" }.into_any(),
        Some(end) if ended => view! { "Ended "{time(end, now)} }.into_any(),
        Some(end) => time(end, now),
    };
    let revoke = offers(visit, record, Permission::SecretsManage).then(|| {
        let href = visit.href(&format!(
            "apps/{}/credentials/{}",
            record.application.id, secret.id
        ));
        view! { <LinkButton href=href kind=ButtonKind::Danger small=true>"Revoke"</LinkButton> }
    });
    view! {
        <tr class=ended.then_some("off")>
            <td>{id(secret.id)}</td>
            <td>{time(secret.created_at, now)}</td>
            <td>{until}</td>
            <td class="end">{revoke}</td>
        </tr>
    }
    .into_any()
}

fn add(visit: &Visit, record: &ApplicationRecord, form: &Form) -> AnyView {
    if working(record, visit.now()).len() > 1 {
        return view! {
            <Notice tone=Tone::Info title="Two secrets work now">
                "Revoke one of them, or wait until it ends, before you make another."
            </Notice>
        }
        .into_any();
    }
    let options = OVERLAPS
        .map(|(value, words)| (value.to_owned(), words.to_owned()))
        .into();
    let overlap = Field::select(
        "overlap_seconds",
        "The older secret keeps working for",
        options,
    )
    .hint("Long enough to bring the new one to every place that uses it.")
    .short()
    .view(form);
    let action = visit.command(&format!(
        "apps/{}/credentials/create",
        record.application.id
    ));
    let (hidden, csrf) = (vec![("version", record.version.to_string())], visit.csrf());
    view! {
        <Card title="Make a new secret" padded=true>
            <PostForm action=action csrf=csrf hidden=hidden>
                {overlap}
                <div class="form-actions"><Button kind=ButtonKind::Primary icon="plus">"Make secret"</Button></div>
            </PostForm>
        </Card>
    }
    .into_any()
}
