//! H17: an invited person sets a password and thereby gets the account.
//!
//! Opening the link spends nothing; only the form's post does (R-REC-02). The person is signed in
//! afterwards: the link went to them alone, and they have just chosen the password.

use actix_web::{HttpResponse, http::StatusCode};

use super::{
    fault::Fault,
    form::Form,
    login,
    pages::{FieldErrors, Frame, Invite},
    register::{LINK_USED, field_errors},
    respond,
    visit::Visit,
};
use crate::accounts::AccountError;

const ADDRESS_TAKEN: Fault = Fault::new(
    StatusCode::CONFLICT,
    "address_taken",
    "You have an account already",
    "Somebody created an account with your address before you accepted this invitation. If it was you, sign in with it. If not, tell the people who invited you.",
);

/// `GET /invite`
pub async fn get(visit: Visit) -> HttpResponse {
    let result = page(&visit).await;
    respond::answer(&visit, result)
}

async fn page(visit: &Visit) -> Result<HttpResponse, Fault> {
    let query = visit.query()?;
    let token = query.get("token").ok_or(LINK_USED)?;
    show(visit, token, FieldErrors::default()).await
}

/// `POST /invite`
pub async fn post(mut visit: Visit, form: Form) -> HttpResponse {
    let result = accept(&mut visit, form).await;
    respond::answer(&visit, result)
}

async fn accept(visit: &mut Visit, form: Form) -> Result<HttpResponse, Fault> {
    let params = form.for_page()?;
    visit.check_post(&params)?;
    let token = params.get("token").ok_or(LINK_USED)?;
    let password = params.get("password").unwrap_or_default();
    let tenant = &visit.tenant;
    match tenant
        .node()
        .accounts()
        .accept_invitation(tenant, token, password)
        .await
    {
        Ok(user) => {
            let member = visit.sign_in(user).await?;
            login::after(visit, None, &member).await
        }
        Err(AccountError::EmailTaken) => Err(ADDRESS_TAKEN),
        Err(error) => show(visit, token, field_errors(error)?).await,
    }
}

async fn show(visit: &Visit, token: &str, errors: FieldErrors) -> Result<HttpResponse, Fault> {
    let tenant = &visit.tenant;
    let invitation = match tenant.node().accounts().invitation(tenant, token).await {
        Ok(invitation) => invitation,
        Err(error) => return Err(field_errors(error).err().unwrap_or(LINK_USED)),
    };
    let status = if errors.any() {
        StatusCode::BAD_REQUEST
    } else {
        StatusCode::OK
    };
    let page = Invite {
        frame: Frame::new(Some(tenant)),
        action: tenant.place().path("invite"),
        csrf: visit.csrf(),
        token,
        email: &invitation.email,
        inviter: &invitation.inviter,
        purpose: &invitation.purpose,
        expires_at: invitation
            .expires_at
            .format("%-d %B %Y, %H:%M UTC")
            .to_string(),
        min_length: tenant.policies().password.min_length,
        errors,
    };
    respond::show(status, &page, None)
}
