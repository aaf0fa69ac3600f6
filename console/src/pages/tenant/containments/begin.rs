//! Containing: what the review's form is posted to.

use actix_web::HttpResponse;
use contract::{containment::Subject, permission::Permission};
use control_plane::{Mode, NewContainment, Wait};

use super::{length, new, review, words::what};
use crate::{fault::Fault, flash::Flash, form::Form, visit::Visit};

/// `POST containments/begin`.
pub(in crate::pages::tenant) async fn begin(
    visit: Visit,
    mut form: Form,
) -> Result<HttpResponse, Fault> {
    // Whoever may not contain anything learns that first, and leaves a trace.
    visit.require(Some(Permission::ContainmentsManage)).await?;
    let Some(subject) = new::read(&mut form) else {
        return new::page(&visit, &form).await;
    };
    let new = read(&visit, &mut form, &subject);
    if let Some(new) = new.filter(|_| form.is_valid()) {
        let (control_plane, tenant) = (visit.control_plane(), visit.tenant().id);
        let how = (wait(&form), Mode::Commit);
        match control_plane
            .contain(visit.caller(), tenant, new, how)
            .await
        {
            Ok(state) => {
                let id = state.containment.id;
                let what = what(&subject, state.subject_name.as_deref());
                let text = format!("Contained {}.", what.a_kind);
                let log = visit.href(&format!("audit?object={id}"));
                let flash = Flash::done(text).with_link("Audit event", log);
                return Ok(visit.done(&flash, &visit.href(&format!("containments/{id}"))));
            }
            Err(refusal) => review::not_this(refusal, &mut form)?,
        }
    }
    again(&visit, &subject, form).await
}

/// The review again. What cannot be contained at all leads back to the choice.
async fn again(visit: &Visit, subject: &Subject, mut form: Form) -> Result<HttpResponse, Fault> {
    let mut others = Form::with([("kind", form.text("kind"))]);
    match review::look(visit, subject, &mut others).await? {
        Some(preview) => Ok(visit.refused(new::TITLE, || review::page(visit, &preview, &form))),
        None => {
            if form.is_valid() {
                form = others;
            }
            new::page(visit, &form).await
        }
    }
}

fn read(visit: &Visit, form: &mut Form, subject: &Subject) -> Option<NewContainment> {
    let reason = form.text("reason").to_owned();
    if reason.is_empty() {
        form.refuse("reason", "Say why: others will want to know.");
    }
    let minutes = length::read(form);
    let chosen = form.text(review::EXISTING).to_owned();
    let ends_existing = match chosen.as_str() {
        review::STAYS_ENDED => true,
        review::COMES_BACK => false,
        _ => {
            form.refuse(review::EXISTING, "Choose what becomes of it.");
            return None;
        }
    };
    if matches!(subject, Subject::Tenant {}) {
        form.confirms(visit.tenant().slug.as_str());
    }
    Some(NewContainment {
        subject: subject.clone(),
        reason,
        minutes: minutes?,
        ends_existing,
    })
}

/// Whether nodes are waited for, as the form says.
pub(super) fn wait(form: &Form) -> Wait {
    match form.has("wait", "reachable") {
        true => Wait::Reachable,
        false => Wait::No,
    }
}
