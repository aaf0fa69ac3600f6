//! What containing something would hit, and the form that does it: with a reason, an end, and for the whole tenant its
//! name.

use actix_web::HttpResponse;
use contract::{containment::Subject, receipt::Impact};
use control_plane::{Preview, Refusal};
use leptos::prelude::*;

use super::{
    length, new,
    words::{What, what},
};
use crate::{fault::Fault, form::Form, kit::*, pages::list::counted, visit::Visit};

/// The member that says whether what existed before stays ended.
pub(super) const EXISTING: &str = "existing";
/// It does.
pub(super) const STAYS_ENDED: &str = "stays_ended";
/// It does not.
pub(super) const COMES_BACK: &str = "comes_back";

/// `GET containments/review` with `kind` and `id`. A kind without its id leads to the question which one.
pub(in crate::pages::tenant) async fn show(visit: Visit) -> Result<HttpResponse, Fault> {
    let asked = |name| visit.query(name);
    let mut form = Form::with([
        ("kind", asked("kind").unwrap_or_default()),
        ("id", asked("id").unwrap_or_default()),
        (length::CHOICE, "60".to_owned()),
        (EXISTING, STAYS_ENDED.to_owned()),
    ]);
    // The first step asks only for the kind: that is no mistake of the second one.
    let asks_which = form.text("kind") != "tenant" && !form.text("kind").is_empty();
    if asks_which && !visit.query_has("id") {
        return new::page(&visit, &form).await;
    }
    let Some(subject) = new::read(&mut form) else {
        return new::page(&visit, &form).await;
    };
    match look(&visit, &subject, &mut form).await? {
        Some(preview) => Ok(visit.page(new::TITLE, || page(&visit, &preview, &form))),
        None => new::page(&visit, &form).await,
    }
}

/// What it would hit; `None` if it cannot be contained, which then stands in the form.
pub(super) async fn look(
    visit: &Visit,
    subject: &Subject,
    form: &mut Form,
) -> Result<Option<Preview>, Fault> {
    let control_plane = visit.control_plane();
    let looked = control_plane
        .preview_containment(visit.caller(), visit.tenant().id, subject.clone())
        .await;
    match looked {
        Ok(preview) => Ok(Some(preview)),
        Err(refusal) => {
            not_this(refusal, form)?;
            Ok(None)
        }
    }
}

/// Notes why something cannot be contained beside the field that named it.
pub(super) fn not_this(refusal: Refusal, form: &mut Form) -> Result<(), Fault> {
    let field = match form.text("kind") {
        "tenant" => "kind",
        _ => "id",
    };
    match refusal {
        Refusal::Invalid(violations) => {
            for violation in violations {
                match violation.member {
                    "subject" => form.refuse(field, format!("This {}.", violation.reason)),
                    _ => form.refuse_invalid(&contract::Invalid::new(
                        violation.member, violation.reason,
                    )),
                }
            }
            Ok(())
        }
        other => form.absorb(
            other,
            &[
                ("contained", field),
                ("built_in", field),
                ("too_many_containments", ""),
            ],
        ),
    }
}

pub(super) fn page(visit: &Visit, preview: &Preview, form: &Form) -> AnyView {
    let subject = what(&preview.subject, preview.subject_name.as_deref());
    view! {
        {new::head(visit, 2)}
        <ErrorSummary form=form />
        {told(preview)}
        {tiles(preview)}
        {ask(visit, preview, &subject, form)}
    }
    .into_any()
}

fn told(preview: &Preview) -> AnyView {
    let uncounted = preview.impact.as_ref().err().map(|why| {
        let why = why.clone();
        view! {
            <Notice tone=Tone::Info title="Nobody could count what this hits">
                {why}" It can be contained all the same: counting is not needed for it."
            </Notice>
        }
    });
    let warnings = preview
        .warnings
        .iter()
        .map(|warning| {
            let warning = warning.clone();
            view! { <Notice tone=Tone::Warn title="Know this first">{warning}</Notice> }
        })
        .collect_view();
    view! { {warnings}{uncounted} }.into_any()
}

fn tiles(preview: &Preview) -> AnyView {
    let counts = preview.impact.as_ref().ok().map(|impact| {
        let number = |count: u64| number(count, impact);
        view! {
            <StatTile label="People" value=number(impact.users) detail="who can no longer sign in" />
            <StatTile label="Sessions" value=number(impact.sessions) detail="in browsers, alive now" />
            <StatTile label="Grants" value=number(impact.grants) detail="with a refresh token, alive now" />
        }
    });
    let nodes = preview.nodes.to_string();
    view! {
        <dl class="tiles">
            {counts}
            <StatTile label="Nodes" value=nodes detail="that would refuse it" />
        </dl>
    }
    .into_any()
}

/// A count as people read it; one that stopped at its limit says so.
pub(super) fn number(count: u64, impact: &Impact) -> String {
    match impact.at_least && count > 0 {
        true => format!("≥ {count}"),
        false => count.to_string(),
    }
}

fn ask(visit: &Visit, preview: &Preview, subject: &What, form: &Form) -> AnyView {
    let (kind, id) = (
        preview.subject.kind().to_owned(),
        preview.subject.id().unwrap_or_default(),
    );
    let whole = matches!(preview.subject, Subject::Tenant {});
    let confirm = whole.then(|| {
        let slug = &visit.tenant().slug;
        Field::text("confirm", format!("Type {slug} to confirm"))
            .hint("The tenant's short name: everybody in it is locked out until this ends.")
            .mono()
            .view(form)
    });
    let title = match whole {
        true => "Contain the whole tenant".to_owned(),
        false => format!("Contain the {}", subject.kind.to_lowercase()),
    };
    let reason = Field::text("reason", "Reason")
        .hint("Stands in the tenant's log, on this page and in the receipt. Name no person in it.")
        .wide()
        .view(form);
    let wait = check(
        form,
        "wait",
        "reachable",
        "Wait until every node that can be heard has confirmed",
        "At most 10 s. Otherwise the next page shows them confirm.",
    );
    let again = visit.href(&format!("containments/new?kind={kind}"));
    let hidden = vec![("kind", kind), ("id", id)];
    let (action, csrf) = (visit.command("containments/begin"), visit.csrf());
    let cancel = visit.href("containments");
    let named = named(&preview.subject, subject);
    view! {
        <DangerZone title=title consequence="Both sides see it in the tenant's log. It can be lifted at any time, and ends by itself.">
            <PostForm action=action csrf=csrf hidden=hidden>
                <p class="row">{named}<a href=again>"Choose something else"</a></p>
                {reason}
                {length::fields(form, "Ends by itself after")}
                {existing(form)}
                {wait}
                {confirm}
                <div class="form-actions">
                    <Button kind=ButtonKind::DangerSolid icon="lock">"Contain now"</Button>
                    <LinkButton href=cancel>"Cancel"</LinkButton>
                </div>
            </PostForm>
        </DangerZone>
    }
    .into_any()
}

/// What it is, by name and id.
pub(super) fn named(subject: &Subject, what: &What) -> AnyView {
    let name = match subject {
        Subject::Application { .. } => Some(what.short.clone()),
        _ => None,
    };
    view! { {tag(what.kind)}{name}{subject.id().map(id)} }.into_any()
}

fn existing(form: &Form) -> AnyView {
    choices(
        form,
        EXISTING,
        "Afterwards, what existed before",
        false,
        vec![
            Choice::new(
                STAYS_ENDED,
                "Stays ended",
                "Sessions, grants and tokens from before the end stay dead: people sign in again. For an attack.",
            ),
            Choice::new(
                COMES_BACK,
                "Goes on as if nothing had happened",
                "Sessions and grants that have not expired work again. For a precaution that may turn out to be a mistake.",
            ),
        ],
    )
}

/// `12 people, 14 sessions and 3 grants`, or that nobody counted.
pub(super) fn hit(impact: Option<&Impact>) -> String {
    let Some(impact) = impact else {
        return "Nobody has counted it.".to_owned();
    };
    let count = |count: u64, one: &str, many: &str| {
        counted(usize::try_from(count).unwrap_or(usize::MAX), one, many)
    };
    let least = if impact.at_least { "At least " } else { "" };
    format!(
        "{least}{}, {} and {}",
        count(impact.users, "person", "people"),
        count(impact.sessions, "session", "sessions"),
        count(impact.grants, "grant", "grants"),
    )
}
