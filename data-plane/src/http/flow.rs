//! A sign-in attempt on behalf of a client, from the first request to the answer.
//!
//! What is stored is the request as the client sent it and what the person did since. The request is
//! judged again by the same rules at every step, so a client that is switched off meanwhile, or loses a
//! redirect URI, stops at once. The attempt is bound to the browser that began it (R-AUTHZ-11) and is
//! spent by the answer: of two tabs that finish it, one gets a code.

use actix_web::HttpResponse;
use chrono::Duration;
use contract::{application::Application, ids::SessionId, redirect_uri::RedirectUri};
use serde::{Deserialize, Serialize};

use super::{
    claims::{HintClaims, ID_TOKEN_TYPE},
    client::Client,
    contained,
    error::{ErrorCode, OAuthError},
    fault::Fault,
    pages::{Frame, HandOff},
    params::Params,
    redirect::{self, Outcome},
    request::{self, Authorization, ReturnTo},
    respond::{self, see_other},
    step::{self, Progress, Standing, Step},
    target::Target,
    trust,
    visit::{Member, Visit},
};
use crate::{
    codes::CodeGrant,
    grants::GrantId,
    identity::{AuthEvent, AuthEventKind},
    keys::Expected,
};

/// How long a person may take.
const FLOW_LIFE: Duration = Duration::minutes(30);

/// What is remembered of an attempt.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Stored {
    /// The request's query, as it came.
    query: String,
    /// The hash of the browser cookie.
    browser: String,
    /// The session begun by signing in within this attempt.
    signed_in: Option<SessionId>,
}

/// An attempt in this browser.
pub struct Flow {
    /// Its id, once it is stored.
    id: Option<String>,
    stored: Stored,
}

/// An attempt's request, judged by the rules of this moment.
pub struct Judged<'a> {
    /// The client.
    pub application: &'a Application,
    /// Where the answer goes.
    pub back: ReturnTo,
    /// The request, or why it is refused.
    pub request: Result<Authorization, OAuthError>,
    /// Anyone on the person's machine could pretend to be this client.
    pub is_impersonable: bool,
    /// The client asks for an administrator's rights without being the console.
    pub wants_admin: bool,
}

/// A grant that is about to be issued.
struct Granting {
    /// Its id, older than the answer to the question whether the person allows it.
    grant: GrantId,
    /// The person allowed it just now.
    allowed: bool,
}

impl Judged<'_> {
    /// Whether the person is asked however often they allowed it.
    pub fn asks_always(&self) -> bool {
        self.is_impersonable || self.wants_admin
    }
}

impl Flow {
    /// An attempt that begins with this query.
    pub fn begin(visit: &Visit, query: &str) -> Self {
        let stored = Stored {
            query: query.to_owned(),
            browser: visit.browser_hash(),
            signed_in: None,
        };
        Self { id: None, stored }
    }

    /// The attempt that a page or form names; `None` where it names none.
    ///
    /// # Errors
    /// [`Fault::FLOW_GONE`] for an attempt that is over or belongs to another browser.
    pub async fn find(visit: &Visit, id: Option<&str>) -> Result<Option<Self>, Fault> {
        let Some(id) = id else { return Ok(None) };
        let requests = visit.tenant.node().requests();
        let stored: Option<Stored> = requests.get(visit.tenant.id(), id).await?;
        match stored.filter(|stored| stored.browser == visit.browser_hash()) {
            Some(stored) => Ok(Some(Self {
                id: Some(id.to_owned()),
                stored,
            })),
            None => Err(Fault::FLOW_GONE),
        }
    }

    /// Its id, if it was shown to the person before.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Judges the request.
    ///
    /// # Errors
    /// A page, if the client or its address is not good (any more).
    pub fn judge<'a>(&self, visit: &'a Visit) -> Result<Judged<'a>, Fault> {
        let params = Params::parse(&self.stored.query)
            .map_err(|_| Fault::bad_request("The link that led here is not well-formed."))?;
        let (application, back) = request::find_client(&params, &visit.tenant)?;
        contained::check_application(&visit.tenant, application.id)?;
        let client = Client::of(&visit.tenant, application);
        let request = Authorization::read(&params, &client);
        let wants_admin = request.as_ref().is_ok_and(|request| {
            trust::wants_admin(visit.tenant.slug(), application, &request.target)
        });
        Ok(Judged {
            is_impersonable: trust::is_impersonable(application, &back.redirect_uri),
            wants_admin,
            application,
            back,
            request,
        })
    }

    /// Remembers that the person signed in within this attempt.
    ///
    /// # Errors
    /// A store does not answer.
    pub async fn signed_in(&mut self, visit: &Visit, session: SessionId) -> Result<(), Fault> {
        self.stored.signed_in = Some(session);
        if let Some(id) = &self.id {
            let requests = visit.tenant.node().requests();
            requests
                .replace(visit.tenant.id(), id, &self.stored, FLOW_LIFE)
                .await?;
        }
        Ok(())
    }

    /// Does the next step: a redirect to one of our pages, or the answer to the client.
    ///
    /// # Errors
    /// A page: the attempt is over, or a store does not answer.
    pub async fn advance(
        mut self,
        visit: &Visit,
        member: Option<&Member>,
        allowed: bool,
    ) -> Result<HttpResponse, Fault> {
        let judged = self.judge(visit)?;
        let request = match &judged.request {
            Ok(request) => request,
            Err(error) => {
                return self.answer(visit, &judged, Outcome::Error(*error)).await;
            }
        };
        // Before the consents are read: a withdrawal that comes between the two then ends this grant (R-CONS-02).
        let node = visit.tenant.node();
        let grant = GrantId::new(node.clock(), node.entropy());
        let standing = standing(visit, &judged, request, member).await?;
        let progress = Progress {
            signed_in: self.stored.signed_in,
            allowed,
        };
        let who = member.map(Member::signed_in);
        match step::next(
            request,
            who.as_ref(),
            &standing,
            &progress,
            node.clock().now(),
        ) {
            Step::SignIn => self.show(visit, "login").await,
            Step::Consent => self.show(visit, "consent").await,
            Step::Refuse(code) => {
                let error = OAuthError::new(
                    code,
                    "The person has to be asked, which prompt=none forbids.",
                );
                self.answer(visit, &judged, Outcome::Error(error)).await
            }
            Step::Issue => {
                let member = member.expect("step::next issues only to someone who is signed in");
                let granting = Granting { grant, allowed };
                self.issue(visit, &judged, member, granting).await
            }
        }
    }

    /// Tells the client that the person declined.
    ///
    /// # Errors
    /// As [`Flow::advance`].
    pub async fn deny(self, visit: &Visit) -> Result<HttpResponse, Fault> {
        let judged = self.judge(visit)?;
        let error = OAuthError::new(ErrorCode::AccessDenied, "The person declined.");
        self.answer(visit, &judged, Outcome::Error(error)).await
    }

    /// Sends the browser to one of our pages; the attempt is stored on its first page.
    async fn show(&mut self, visit: &Visit, page: &str) -> Result<HttpResponse, Fault> {
        let tenant = &visit.tenant;
        let id = match &self.id {
            Some(id) => id.clone(),
            None => {
                tenant
                    .node()
                    .requests()
                    .put(tenant.id(), &self.stored, FLOW_LIFE)
                    .await?
            }
        };
        Ok(see_other(&format!(
            "{}?flow={id}",
            tenant.place().path(page)
        )))
    }

    /// Answers with a code. A decision is kept only now: one made in a session that was not good enough any
    /// more is asked for again, and must not count until then (R-CONS-01).
    async fn issue(
        self,
        visit: &Visit,
        judged: &Judged<'_>,
        member: &Member,
        Granting { grant, allowed }: Granting,
    ) -> Result<HttpResponse, Fault> {
        let request = judged
            .request
            .as_ref()
            .expect("step::next issues only for a request that is good");
        self.spend(visit).await?;
        let (tenant, node) = (&visit.tenant, visit.tenant.node());
        let grant = CodeGrant {
            grant,
            application: judged.application.id,
            user: member.user.id,
            redirect_uri: judged.back.redirect_uri.clone(),
            code_challenge: request.code_challenge.clone(),
            scopes: request.target.scopes.clone(),
            resource: request.target.audience.clone(),
            nonce: request.nonce.clone(),
            session: member.session.id,
            auth_time: member.session.auth_time,
            amr: member.session.amr.clone(),
        };
        let code = node
            .codes()
            .issue(tenant.id(), &grant, &tenant.policies().token)
            .await?;
        if allowed {
            keep(visit, judged.application, member, &request.target).await?;
        }
        respond(visit, judged, Outcome::Code(&code))
    }

    async fn answer(
        self,
        visit: &Visit,
        judged: &Judged<'_>,
        outcome: Outcome<'_>,
    ) -> Result<HttpResponse, Fault> {
        self.spend(visit).await?;
        respond(visit, judged, outcome)
    }

    /// Ends the attempt; whoever comes second finds nothing.
    async fn spend(self, visit: &Visit) -> Result<(), Fault> {
        let Some(id) = self.id else { return Ok(()) };
        let requests = visit.tenant.node().requests();
        let spent: Option<Stored> = requests.take(visit.tenant.id(), &id).await?;
        spent.map(|_| ()).ok_or(Fault::FLOW_GONE)
    }
}

/// Sends the browser to the client.
fn respond(
    visit: &Visit,
    judged: &Judged<'_>,
    outcome: Outcome<'_>,
) -> Result<HttpResponse, Fault> {
    let location = redirect::location(&judged.back, visit.tenant.issuer(), outcome);
    let after_post = visit.request.method() == actix_web::http::Method::POST;
    // A form post cannot end at a private-use scheme under our policy, so the person gets a page with a link
    // (console.md 5.1).
    if !(after_post && RedirectUri::is_private_use(&judged.back.redirect_uri)) {
        return Ok(see_other(&location));
    }
    let page = HandOff {
        frame: Frame::new(Some(&visit.tenant)),
        application: &judged.application.name,
        location: &location,
    };
    respond::show(actix_web::http::StatusCode::OK, &page, None)
}

/// Keeps the person's decision, and tells them of it among their events.
async fn keep(
    visit: &Visit,
    application: &Application,
    member: &Member,
    target: &Target,
) -> Result<(), Fault> {
    let (tenant, identity) = (visit.tenant.id(), visit.tenant.node().identity());
    let (user, application) = (member.user.id, application.id);
    identity
        .record_consent(tenant, (user, application), &target.allowances())
        .await?;
    let event = AuthEvent {
        kind: AuthEventKind::Consented,
        user: Some(user),
        application: Some(application),
    };
    Ok(identity.record_event(tenant, event).await?)
}

async fn standing(
    visit: &Visit,
    judged: &Judged<'_>,
    request: &Authorization,
    member: Option<&Member>,
) -> Result<Standing, Fault> {
    let (tenant, application) = (&visit.tenant, judged.application);
    let remembered = match member {
        Some(member) if !application.first_party => tenant
            .node()
            .identity()
            .consents_to(tenant.id(), member.user.id, application.id)
            .await
            .map(|consents| request.target.is_covered_by(&consents))?,
        _ => false,
    };
    Ok(Standing {
        first_party: application.first_party,
        asks_always: judged.asks_always(),
        remembered,
        expected: request
            .id_token_hint
            .as_deref()
            .and_then(|hint| read_hint(visit, hint))
            .map(|hint| hint.sub),
    })
}

/// Reads an ID token we issued, expired or not; `None` for anything else.
pub fn read_hint(visit: &Visit, hint: &str) -> Option<HintClaims> {
    let tenant = &visit.tenant;
    let expected = Expected {
        typ: ID_TOKEN_TYPE,
        issuer: tenant.issuer(),
        audience: None,
        now: tenant.node().clock().now(),
        accept_expired: true,
    };
    tenant.keys().verify(hint, &expected).ok()
}
