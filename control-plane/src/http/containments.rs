//! `/v1/tenants/{tenant}/containments`: stopping something at once, and the proof that it stopped.

mod view;

use actix_web::{
    HttpResponse,
    http::{Method, header},
    web::Path,
};
use contract::{containment::Subject, ids::ContainmentId, permission::Permission as P};
use serde::Deserialize;
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use self::view::{ContainmentView, PreviewView, shown};
use super::{
    answer::{Answer, Listed},
    asking::{Adding, Asking, InTenant, Paging, Params},
    body::JsonBody,
    operation::Operation,
    problem::Problem,
    waiting::{Acting, WaitingParam},
};
use crate::{ContainmentChange, NewContainment, containments::ContainmentAt};

const OPEN: &str = "/containments";
const ALL: &str = "/tenants/{tenant}/containments";
const PREVIEW: &str = "/tenants/{tenant}/containments/preview";
const ONE: &str = "/tenants/{tenant}/containments/{containment}";
const LIFT: &str = "/tenants/{tenant}/containments/{containment}/lift";
const EXTEND: &str = "/tenants/{tenant}/containments/{containment}/extend";
const RECEIPT: &str = "/tenants/{tenant}/containments/{containment}/receipt";
/// A compact JWS (RFC 7515 section 9.2.1).
const JOSE: &str = "application/jose";

/// The operations of this resource.
pub(super) fn operations() -> Vec<Operation> {
    let somebody = json!({"kind": "user", "user": "usr_01h00000000000000000000000"});
    vec![
        Operation::new("listOpenContainments", Method::GET, OPEN, list_open)
            .summary("Lists what is in force in every tenant whose containments the caller may see, newest first, at most 200.")
            .gives::<Listed<ContainmentView>>(),
        Operation::new("previewContainment", Method::POST, PREVIEW, preview)
            .summary("Counts what containing something would hit. Changes nothing.")
            .needs(P::ContainmentsManage)
            .takes::<PreviewBody>(json!({ "subject": somebody }))
            .gives::<PreviewView>()
            .names(),
        Operation::new("listContainments", Method::GET, ALL, list)
            .summary("Lists the tenant's containments, newest first, those that are over included.")
            .needs(P::ContainmentsView)
            .query::<Paging>()
            .gives::<Listed<ContainmentView>>(),
        Operation::new("contain", Method::POST, ALL, contain)
            .summary("Contains a user, a session, an application, a signing key or the whole tenant at once; Bailiwick-As-Of names the point from which on nodes must know it.")
            .needs(P::ContainmentsManage)
            .query::<WaitingParam>()
            .takes::<NewContainment>(json!({
                "subject": somebody,
                "reason": "The account was taken over",
                "minutes": 60,
                "ends_existing": true,
            }))
            .creates::<ContainmentView>()
            .names()
            .points()
            .versioned(),
        Operation::new("getContainment", Method::GET, ONE, get)
            .summary("Reads a containment, and what each node did about it.")
            .needs(P::ContainmentsView)
            .gives::<ContainmentView>()
            .points()
            .versioned(),
        Operation::new("liftContainment", Method::POST, LIFT, lift)
            .summary("Ends a containment now. If-Match is compared if it is sent.")
            .needs(P::ContainmentsManage)
            .query::<WaitingParam>()
            .takes::<LiftBody>(json!({"reason": "The password was reset"}))
            .gives::<ContainmentView>()
            .compares()
            .points()
            .versioned(),
        Operation::new("extendContainment", Method::POST, EXTEND, extend)
            .summary("Lets a containment end so many minutes from now, later or earlier than it would have. If-Match is compared if it is sent.")
            .needs(P::ContainmentsManage)
            .query::<WaitingParam>()
            .takes::<ExtendBody>(json!({"minutes": 120}))
            .gives::<ContainmentView>()
            .compares()
            .points()
            .versioned(),
        Operation::new("getContainmentReceipt", Method::GET, RECEIPT, receipt)
            .summary("Makes the signed receipt, with each node's own signed word inside; `bailiwick verify` checks it against the keys of /v1/trust-root.")
            .needs(P::ContainmentsView)
            .query::<OfRevision>()
            .gives_text(JOSE),
    ]
}

/// What would be contained.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PreviewBody {
    subject: Subject,
}

/// Why a containment ends.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LiftBody {
    /// One line.
    #[schema(min_length = 1, max_length = 200)]
    reason: String,
}

/// When a containment is to end.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ExtendBody {
    /// Minutes from now.
    #[schema(minimum = 1, maximum = 525600)]
    minutes: u32,
}

/// Which revision a receipt is about.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct OfRevision {
    /// Its number: 1 is how it began; the newest if left out.
    revision: Option<u32>,
}

async fn list_open(ask: Asking) -> Result<Listed<ContainmentView>, Problem> {
    let open = ask.plane.list_open_containments(&ask.caller).await?;
    Ok(Listed::all(open))
}

async fn list(
    ask: InTenant,
    Params(paging): Params<Paging>,
) -> Result<Listed<ContainmentView>, Problem> {
    let page = paging.page()?;
    let found = ask
        .plane
        .list_containments(&ask.caller, ask.tenant, &page)
        .await?;
    Ok(Listed::page(found))
}

/// It takes `dry_run` as every POST does; it never keeps anything.
async fn preview(
    ask: InTenant,
    write: Adding,
    JsonBody(body): JsonBody<PreviewBody>,
) -> Result<Answer<PreviewView>, Problem> {
    let preview = ask
        .plane
        .preview_containment(&ask.caller, ask.tenant, body.subject)
        .await?;
    Ok(Answer::ok(preview.into()).mode(write.mode))
}

async fn contain(
    ask: InTenant,
    act: Acting,
    JsonBody(new): JsonBody<NewContainment>,
) -> Result<Answer<ContainmentView>, Problem> {
    let state = ask
        .plane
        .contain(&ask.caller, ask.tenant, new, (act.wait, act.mode))
        .await?;
    let location = ask.location(ALL, state.containment.id);
    Ok(shown(state).made_at(location).mode(act.mode))
}

async fn get(
    ask: InTenant,
    path: Path<(String, ContainmentId)>,
) -> Result<Answer<ContainmentView>, Problem> {
    let state = ask
        .plane
        .get_containment(&ask.caller, ask.tenant, path.1)
        .await?;
    Ok(shown(state))
}

async fn lift(
    ask: InTenant,
    path: Path<(String, ContainmentId)>,
    act: Acting,
    JsonBody(body): JsonBody<LiftBody>,
) -> Result<Answer<ContainmentView>, Problem> {
    let change = ContainmentChange::Lift {
        reason: body.reason,
    };
    revise(ask, path.1, act, change).await
}

async fn extend(
    ask: InTenant,
    path: Path<(String, ContainmentId)>,
    act: Acting,
    JsonBody(body): JsonBody<ExtendBody>,
) -> Result<Answer<ContainmentView>, Problem> {
    let change = ContainmentChange::Until {
        minutes: body.minutes,
    };
    revise(ask, path.1, act, change).await
}

async fn revise(
    ask: InTenant,
    id: ContainmentId,
    act: Acting,
    change: ContainmentChange,
) -> Result<Answer<ContainmentView>, Problem> {
    let at = ContainmentAt {
        tenant: ask.tenant,
        id,
        expected: act.expected,
    };
    let state = ask
        .plane
        .change_containment(&ask.caller, at, change, (act.wait, act.mode))
        .await?;
    Ok(shown(state).mode(act.mode))
}

async fn receipt(
    ask: InTenant,
    path: Path<(String, ContainmentId)>,
    Params(of): Params<OfRevision>,
) -> Result<HttpResponse, Problem> {
    let receipt = ask
        .plane
        .containment_receipt_of(&ask.caller, ask.tenant, (path.1, of.revision))
        .await?;
    let name = format!("attachment; filename=\"{}.receipt.jws\"", path.1);
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::CONTENT_TYPE, JOSE))
        .insert_header((header::CONTENT_DISPOSITION, name))
        .body(receipt))
}
