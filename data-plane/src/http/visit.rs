//! A person's visit: which tenant, which browser, which session.
//!
//! Every hosted page takes a [`Visit`]. It makes the browser cookie on the first page, offers the CSRF
//! token for forms, and is the only way to read the session, so that no page can forget that a session
//! belongs to a person who may have been blocked since.

use std::{future::Future, net::IpAddr, pin::Pin};

use actix_web::{FromRequest, HttpRequest, HttpResponse, dev::Payload, error::InternalError};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use super::{
    client_ip::client_ip, contained, cookies::CookieKind, csrf, fault::Fault, flow::Flow,
    params::Params, step::SignedIn, tenant::Tenant,
};
use crate::{
    identity::{User, UserStatus},
    sessions::BrowserSession,
};

/// Who visits, as far as the cookies say.
pub struct Visit {
    /// The tenant.
    pub tenant: Tenant,
    /// The request, for headers and the query.
    pub request: HttpRequest,
    browser: String,
    is_new: bool,
    session: Option<String>,
    device: Option<String>,
}

/// A session and its person.
pub struct Member {
    /// The session.
    pub session: BrowserSession,
    /// The person, active at this moment.
    pub user: User,
}

impl Member {
    /// The session as the step rules see it.
    pub fn signed_in(&self) -> SignedIn {
        SignedIn {
            session: self.session.id,
            user: self.session.user,
            auth_time: self.session.auth_time,
        }
    }
}

impl FromRequest for Visit {
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Self::Error>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let tenant = Tenant::from_request(request, payload);
        let request = request.clone();
        Box::pin(async move {
            let tenant = tenant.await?;
            contained::check_page(&tenant).map_err(|fault| {
                let answer = fault.negotiate(&request, Some(&tenant));
                InternalError::from_response(fault.title, answer)
            })?;
            let known = CookieKind::Browser.read(&request, tenant.place());
            let session = CookieKind::Session.read(&request, tenant.place());
            let device = CookieKind::Device.read(&request, tenant.place());
            Ok(Self {
                is_new: known.is_none(),
                browser: known.unwrap_or_else(|| tenant.node().entropy().token()),
                session,
                device,
                tenant,
                request,
            })
        })
    }
}

impl Visit {
    /// The value of a form's hidden CSRF field.
    pub fn csrf(&self) -> String {
        csrf::token(&self.browser, self.tenant.id(), self.session.as_deref())
    }

    /// The query of a page; each parameter at most once.
    ///
    /// # Errors
    /// A page that says the link is broken.
    pub fn query(&self) -> Result<Params, Fault> {
        Params::parse(self.request.query_string())
            .ok()
            .filter(Params::is_once)
            .ok_or(Fault::bad_request(
                "The link that led here is not well-formed.",
            ))
    }

    /// Where the request came from, whatever headers claim (R-ENUM-05).
    pub fn ip(&self) -> Option<IpAddr> {
        client_ip(&self.request)
    }

    /// The device mark of whoever signed in last in this browser.
    pub fn device(&self) -> Option<&str> {
        self.device.as_deref()
    }

    /// A link to one of the tenant's pages that takes the sign-in attempt along.
    pub fn page_link(&self, page: &str, flow: Option<&Flow>) -> String {
        let path = self.tenant.place().path(page);
        match flow.and_then(Flow::id) {
            Some(id) => format!("{path}?flow={id}"),
            None => path,
        }
    }

    /// What an authorization request stores to recognise this browser again; not the cookie itself.
    pub fn browser_hash(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.browser.as_bytes()))
    }

    /// Refuses a post that did not come from a page we showed in this browser and session.
    ///
    /// # Errors
    /// [`Fault::FORGED`].
    pub fn check_post(&self, params: &Params) -> Result<(), Fault> {
        let token_ok = !self.is_new
            && csrf::accepts(
                params.get(csrf::FIELD),
                &self.browser,
                self.tenant.id(),
                self.session.as_deref(),
            );
        if token_ok && csrf::same_origin(self.request.headers(), self.tenant.origin()) {
            return Ok(());
        }
        Err(Fault::FORGED)
    }

    /// Who is signed in.
    ///
    /// # Errors
    /// A store does not answer.
    pub async fn member(&self) -> Result<Option<Member>, Fault> {
        let (node, tenant) = (self.tenant.node(), &self.tenant);
        let Some(cookie) = &self.session else {
            return Ok(None);
        };
        let policy = &tenant.policies().session;
        let Some(session) = node.sessions().find(tenant.id(), cookie, policy).await? else {
            return Ok(None);
        };
        let who = contained::member(session.user, Some(session.id), session.auth_time);
        if contained::ask(tenant, &who).is_err() {
            return Ok(None);
        }
        let user = node.identity().find_user(tenant.id(), session.user).await?;
        Ok(user
            .filter(|user| user.status == UserStatus::Active)
            .map(|user| Member { session, user }))
    }

    /// Begins a session for a person who just proved who they are; an earlier one in this browser ends
    /// (R-SESS-03). The browser is marked as theirs (R-ENUM-03).
    ///
    /// # Errors
    /// A store does not answer.
    pub async fn sign_in(&mut self, user: User) -> Result<Member, Fault> {
        self.end_session().await?;
        let tenant = &self.tenant;
        let who = contained::member(user.id, None, tenant.node().clock().now());
        contained::ask(tenant, &who).map_err(|_| Fault::CONTAINED)?;
        let (cookie, session) = tenant
            .node()
            .sessions()
            .start(tenant.id(), user.id, &["pwd"], &tenant.policies().session)
            .await?;
        let accounts = tenant.node().accounts();
        let mark = accounts.mark_device(&user, self.device()).await?;
        // Once more: what was contained meanwhile ends here, and the session is refused wherever it is shown.
        contained::ask(tenant, &who).map_err(|_| Fault::CONTAINED)?;
        self.device = Some(mark);
        self.session = Some(cookie);
        Ok(Member { session, user })
    }

    /// Ends the session, if there is one.
    ///
    /// # Errors
    /// A store does not answer.
    pub async fn end_session(&mut self) -> Result<(), Fault> {
        if let Some(cookie) = self.session.take() {
            self.tenant
                .node()
                .sessions()
                .end(self.tenant.id(), &cookie)
                .await?;
        }
        Ok(())
    }

    /// Adds the cookies that this visit changed.
    pub fn finish(&self, mut response: HttpResponse) -> HttpResponse {
        let place = self.tenant.place();
        let mut cookies = Vec::new();
        if self.is_new {
            cookies.push(CookieKind::Browser.set(place, &self.browser));
        }
        if self.device != CookieKind::Device.read(&self.request, place)
            && let Some(mark) = &self.device
        {
            cookies.push(CookieKind::Device.set(place, mark));
        }
        let sent = self.request.cookie(&CookieKind::Session.name(place));
        match (&self.session, sent) {
            (Some(now), sent) if sent.as_ref().is_none_or(|sent| sent.value() != now) => {
                cookies.push(CookieKind::Session.set(place, now));
            }
            (None, Some(_)) => cookies.push(CookieKind::Session.clear(place)),
            _ => {}
        }
        for cookie in &cookies {
            response
                .add_cookie(cookie)
                .expect("our cookie values are plain ASCII");
        }
        response
    }
}
