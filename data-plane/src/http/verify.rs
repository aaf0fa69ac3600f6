//! H10: the link in the mail proves the address, the password that it is the person who registered.
//!
//! Opening the link spends nothing, because scanners open links; only the form's post does (R-REC-02). It
//! asks for the password, because whoever can read the mail need not be the one who chose it (account
//! pre-hijacking). Whoever has both is signed in, and in the browser that registered goes on to the
//! application that asked.

use actix_web::{HttpResponse, http::StatusCode};

use super::{
    fault::Fault,
    flow::Flow,
    form::Form,
    login,
    pages::{Frame, Verify},
    register::{LINK_USED, field_errors},
    respond,
    visit::Visit,
};
use crate::accounts::{AccountError, ConfirmError, Confirmation, SignInError};

const REFUSED: &str = "This is not the password that was chosen for the account.";

/// `GET /verify`
pub async fn get(visit: Visit) -> HttpResponse {
    let result = page(&visit).await;
    respond::answer(&visit, result)
}

async fn page(visit: &Visit) -> Result<HttpResponse, Fault> {
    let query = visit.query()?;
    let token = query.get("token").ok_or(LINK_USED)?;
    show(visit, token, (StatusCode::OK, None)).await
}

/// `POST /verify`
pub async fn post(mut visit: Visit, form: Form) -> HttpResponse {
    let result = confirm(&mut visit, form).await;
    respond::answer(&visit, result)
}

async fn confirm(visit: &mut Visit, form: Form) -> Result<HttpResponse, Fault> {
    let params = form.for_page()?;
    visit.check_post(&params)?;
    let token = params.get("token").ok_or(LINK_USED)?;
    let confirmation = Confirmation {
        token,
        password: params.get("password").unwrap_or_default(),
        ip: visit.ip(),
    };
    let (tenant, accounts) = (&visit.tenant, visit.tenant.node().accounts());
    let confirmed = match accounts.confirm_registration(tenant, confirmation).await {
        Ok(confirmed) => confirmed,
        Err(ConfirmError::Account(error)) => return Err(gone(error)),
        Err(ConfirmError::Password(SignInError::Refused)) => {
            return show(visit, token, (StatusCode::BAD_REQUEST, Some(REFUSED))).await;
        }
        Err(ConfirmError::Password(SignInError::Wait { retry_after })) => {
            let text = login::wait_text(retry_after);
            let told = (StatusCode::TOO_MANY_REQUESTS, Some(text.as_str()));
            let response = show(visit, token, told).await?;
            return Ok(login::told_to_wait(response, retry_after));
        }
        Err(ConfirmError::Password(SignInError::Busy { retry_after })) => {
            return Err(Fault::busy(retry_after));
        }
        Err(ConfirmError::Password(SignInError::Unavailable(cause))) => return Err(cause.into()),
    };
    let member = visit.sign_in(confirmed.user).await?;
    // Another browser, or a sign-in that is over: then the person starts at the application again.
    let flow = Flow::find(visit, confirmed.resume.as_deref()).await;
    login::after(visit, flow.ok().flatten(), &member).await
}

async fn show(
    visit: &Visit,
    token: &str,
    (status, error): (StatusCode, Option<&str>),
) -> Result<HttpResponse, Fault> {
    let (tenant, accounts) = (&visit.tenant, visit.tenant.node().accounts());
    let email = accounts.pending_address(tenant, token).await;
    let page = Verify {
        frame: Frame::new(Some(tenant)),
        action: tenant.place().path("verify"),
        csrf: visit.csrf(),
        token,
        email: &email.map_err(gone)?,
        error,
    };
    respond::show(status, &page, None)
}

/// Nothing about the account can be corrected here, so a correctable error is a used-up link.
fn gone(error: AccountError) -> Fault {
    field_errors(error).err().unwrap_or(LINK_USED)
}
