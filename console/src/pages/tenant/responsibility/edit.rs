//! T20: changing one row. The change is read back as sentences before it counts, because it gives and
//! takes power at once.

use actix_web::HttpResponse;
use contract::{
    duty::DutyKey, permission::Permission, responsibility::Responsibility, role::Party,
};
use control_plane::{At, Denial, Mode, refusal::Why, responsibilities::MatrixRow};
use leptos::prelude::*;

use super::{TITLE, lock};
use crate::{
    denial::again,
    fault::Fault,
    flash::Flash,
    form::Form,
    kit::*,
    pages::{
        list::seen_version,
        tenant::party::{acting, party},
    },
    visit::Visit,
};

/// `GET responsibility/{duty}`.
pub(in crate::pages::tenant) async fn show(visit: Visit) -> Result<HttpResponse, Fault> {
    let row = load(&visit).await?;
    let mut form = Form::with([("accountable", row.responsibility.accountable.as_str())]);
    row.responsibility
        .actors
        .iter()
        .for_each(|party| form.set("actors", party.as_str()));
    Ok(visit.page(&heading(&row), || page(&visit, &row, &form)))
}

/// `POST responsibility/{duty}/review`: tries the change and says what it would do.
pub(in crate::pages::tenant) async fn review(
    visit: Visit,
    form: Form,
) -> Result<HttpResponse, Fault> {
    submit(&visit, form, Mode::DryRun, |row, wanted| {
        visit.page(&heading(row), || review_view(&visit, row, wanted))
    })
    .await
}

/// `POST responsibility/{duty}/save`.
pub(in crate::pages::tenant) async fn save(
    visit: Visit,
    form: Form,
) -> Result<HttpResponse, Fault> {
    submit(&visit, form, Mode::Commit, |row, _| {
        let duty = row.responsibility.duty;
        let log = visit.href(&format!("audit?object={duty}"));
        let text = format!("Changed who is responsible for {}.", duty.duty().title);
        let flash = Flash::done(text).with_link("Audit event", log);
        visit.done(&flash, &visit.href(&format!("responsibility#{duty}")))
    })
    .await
}

/// Tries or makes the change that the form asks for; `answer` says what it does, or the form comes again.
async fn submit(
    visit: &Visit,
    mut form: Form,
    mode: Mode,
    answer: impl FnOnce(&MatrixRow, &Responsibility) -> HttpResponse,
) -> Result<HttpResponse, Fault> {
    let row = load(visit).await?;
    if let Some(wanted) = attempt(visit, &row, &mut form, mode).await? {
        return Ok(answer(&row, &wanted));
    }
    let title = heading(&row);
    again(visit, Permission::ResponsibilitiesEdit, &title, || {
        page(visit, &row, &form)
    })
    .await
}

async fn load(visit: &Visit) -> Result<MatrixRow, Fault> {
    let duty: DutyKey = visit.param("duty")?;
    Ok(visit
        .control_plane()
        .get_responsibility(visit.caller(), visit.tenant().id, duty)
        .await?)
}

/// Reads the form and makes or tries the change; `None` leaves the problems in the form.
async fn attempt(
    visit: &Visit,
    row: &MatrixRow,
    form: &mut Form,
    mode: Mode,
) -> Result<Option<Responsibility>, Fault> {
    let accountable = form.read::<Party>("accountable");
    if form.all("actors").next().is_none() {
        form.refuse("actors", "Tick at least one party.");
    }
    let (Some(accountable), true) = (accountable, form.is_valid()) else {
        return Ok(None);
    };
    let wanted = Responsibility {
        duty: row.responsibility.duty,
        accountable,
        actors: form
            .all("actors")
            .filter_map(|party| party.parse().ok())
            .collect(),
    };
    if wanted == row.responsibility {
        form.refuse(
            "accountable",
            "This is how it is already. Change something, or cancel.",
        );
        return Ok(None);
    }
    let at = At {
        tenant: visit.tenant().id,
        expected: seen_version(form),
    };
    match visit
        .control_plane()
        .update_responsibility(visit.caller(), at, wanted.clone(), mode)
        .await
    {
        Ok(_) => Ok(Some(wanted)),
        Err(refusal) => {
            form.absorb(refusal, &[("platform_tenant", "accountable")])?;
            Ok(None)
        }
    }
}

fn heading(row: &MatrixRow) -> String {
    format!("Responsibility: {}", row.responsibility.duty.duty().title)
}

fn head(visit: &Visit, row: &MatrixRow) -> AnyView {
    let duty = row.responsibility.duty.duty();
    let crumbs = crumbs(
        vec![(TITLE.into(), visit.href("responsibility"))],
        duty.title,
    );
    view! { <PageHead title=duty.title sub=duty.sentence crumbs=crumbs /> }.into_any()
}

fn page(visit: &Visit, row: &MatrixRow, form: &Form) -> AnyView {
    let responsibility = &row.responsibility;
    let duty = responsibility.duty.duty();
    let now = view! { {party(responsibility.accountable)}" answers for it." };
    let mut facts = vec![
        kv("Accountable now", now),
        kv("Who acts now", acting(responsibility)),
        kv("NIST CSF 2.0", tag(duty.csf)),
    ];
    if !duty.obligation.is_empty() {
        facts.push(kv("Owed besides", duty.obligation));
    }
    if row.version > 1 {
        facts.push(kv(
            "Last changed",
            view! { {time(row.updated_at, visit.now())}" by "{row.updated_by.clone()} },
        ));
    }
    let editable = super::editable(visit, row);
    let content = if editable {
        edit(visit, row, form)
    } else {
        locked(visit, row)
    };
    view! {
        {head(visit, row)}
        <ErrorSummary form=form />
        {content}
        <Card title="Today" padded=true><KeyValue facts=facts /></Card>
    }
    .into_any()
}

fn edit(visit: &Visit, row: &MatrixRow, form: &Form) -> AnyView {
    let each = |meaning: [&'static str; 2]| {
        Party::ALL
            .into_iter()
            .zip(meaning)
            .map(|(party, meaning)| Choice::new(party.as_str(), party.title(), meaning))
            .collect()
    };
    let accountable = choices(
        form,
        "accountable",
        "Who answers for it",
        false,
        each([
            "The vendor answers for it, and only the vendor can change this row afterwards.",
            "The customer answers for it, and only the customer can change this row afterwards.",
        ]),
    );
    let actors = choices(
        form,
        "actors",
        "Whose people may act",
        true,
        each([
            "Vendor staff whose role has the permissions.",
            "Operators of this tenant whose role has the permissions.",
        ]),
    );
    let duty = row.responsibility.duty;
    let action = visit.command(&format!("responsibility/{duty}/review"));
    let (hidden, csrf) = (vec![("version", row.version.to_string())], visit.csrf());
    let cancel = visit.href(&format!("responsibility#{duty}"));
    view! {
        <PostForm action=action csrf=csrf hidden=hidden>
            {accountable}{actors}
            <p class="muted text-sm">"Tick both to share the duty: both may act, one answers for it."</p>
            <div class="form-actions">
                <Button kind=ButtonKind::Primary>"Review the change"</Button>
                <LinkButton href=cancel>"Cancel"</LinkButton>
            </div>
        </PostForm>
    }
    .into_any()
}

fn locked(visit: &Visit, row: &MatrixRow) -> AnyView {
    let responsibility = &row.responsibility;
    let why = match lock(visit, responsibility.duty.duty()) {
        Some(why) => why.to_owned(),
        None => {
            let permission = Permission::ResponsibilitiesEdit;
            let accountable = responsibility.accountable;
            let why = Why::NotAccountable {
                duty: responsibility.duty,
                accountable,
            };
            let denial = Denial { permission, why };
            let other = visit.caller().party() != accountable;
            if other {
                format!("{} {}", denial.detail(), denial.needed())
            } else {
                "None of your roles lets you change the matrix.".into()
            }
        }
    };
    view! { <Notice tone=Tone::Info title="You can't change this row">{why}</Notice> }.into_any()
}

/// What a change gives and takes, sentence by sentence.
fn sentences(before: &Responsibility, after: &Responsibility) -> Vec<String> {
    let mut sentences = Vec::new();
    if before.accountable != after.accountable {
        sentences.push(format!(
            "The {} answers for it instead of the {}, and alone can change this row from then on.",
            after.accountable, before.accountable
        ));
    }
    for party in Party::ALL {
        match (before.actors.contains(&party), after.actors.contains(&party)) {
            (false, true) => sentences.push(format!("People of the {party} may act from now on.")),
            (true, false) => sentences.push(format!(
                "People of the {party} may no longer act: what they try under this duty is refused at once."
            )),
            _ => {}
        }
    }
    if !before.is_shared() && after.is_shared() {
        sentences.push(format!(
            "The duty becomes shared; the {} answers for it.",
            after.accountable
        ));
    }
    sentences
}

fn words(row: &Responsibility) -> String {
    let actors: Vec<&str> = row.actors.iter().map(|party| party.title()).collect();
    actors.join(" and ")
}

/// The members of the row that differ, for the comparison.
fn differences(before: &Responsibility, wanted: &Responsibility) -> Vec<FieldChange> {
    let change = |name: &str, before: String, after: String| FieldChange {
        name: name.to_owned(),
        before: Some(before),
        after: Some(after),
    };
    [
        change(
            "Accountable",
            before.accountable.title().into(),
            wanted.accountable.title().into(),
        ),
        change("Who acts", words(before), words(wanted)),
    ]
    .into_iter()
    .filter(|change| change.before != change.after)
    .collect()
}

fn review_view(visit: &Visit, row: &MatrixRow, wanted: &Responsibility) -> AnyView {
    let before = &row.responsibility;
    let items: Vec<AnyView> = sentences(before, wanted)
        .into_iter()
        .map(|sentence| view! { <li>{sentence}</li> }.into_any())
        .collect();
    let permissions: Vec<AnyView> = before
        .duty
        .duty()
        .permissions
        .iter()
        .map(|permission| view! { <li class="tag">{permission.key()}</li> }.into_any())
        .collect();
    let mut hidden = vec![
        ("version", row.version.to_string()),
        ("accountable", wanted.accountable.as_str().to_owned()),
    ];
    hidden.extend(
        wanted
            .actors
            .iter()
            .map(|party| ("actors", party.as_str().to_owned())),
    );
    let action = visit.command(&format!("responsibility/{}/save", before.duty));
    let (csrf, cancel) = (
        visit.csrf(),
        visit.href(&format!("responsibility/{}", before.duty)),
    );
    view! {
        {head(visit, row)}
        <Card title="What will change" padded=true>
            <ul class="stack tight">{items}</ul>
            {changes(differences(before, wanted))}
            <p class="muted text-sm">"It counts for these permissions:"</p>
            <ul class="tags">{permissions}</ul>
        </Card>
        <PostForm action=action csrf=csrf hidden=hidden bare=true>
            <div class="form-actions">
                <Button kind=ButtonKind::Primary>"Save the change"</Button>
                <LinkButton href=cancel>"Cancel"</LinkButton>
            </div>
        </PostForm>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_from_both_sides() {
        let before = Responsibility::default_for("policy.sign_in".parse().unwrap());
        let mut after = before.clone();
        after.actors = Party::ALL.into();
        assert_eq!(
            sentences(&before, &after),
            [
                "People of the vendor may act from now on.",
                "The duty becomes shared; the customer answers for it.",
            ]
        );
        after.accountable = Party::Vendor;
        after.actors = [Party::Vendor].into();
        let told = sentences(&before, &after);
        assert!(told[0].starts_with("The vendor answers for it instead of the customer"));
        assert!(
            told[2].starts_with("People of the customer may no longer act"),
            "{told:?}"
        );
    }
}
