//! The admin API: the control plane's methods over HTTP, under `/v1`.
//!
//! Handlers extract, call one method, convert and return. Nothing is decided here: authorization is inside
//! the method, so that this door and the console cannot disagree. One list of operations ([`operations`])
//! drives the router, the OpenAPI document and the tests.

mod admit;
mod answer;
mod apis;
mod applications;
mod asking;
mod audit_events;
mod body;
mod catalogues;
mod client_grants;
mod containments;
mod idempotency;
mod node_authorities;
mod nodes;
mod openapi;
mod operation;
mod operators;
mod oversight;
mod policies;
mod problem;
mod releases;
mod resource_metadata;
mod responsibilities;
mod role_assignments;
mod rollouts;
mod scoped;
mod tenants;
mod token;
mod trust_root;
mod waiting;

use actix_web::{
    HttpResponse, Resource,
    dev::{ServiceFactory, ServiceRequest, ServiceResponse},
    middleware::from_fn,
    web::{self, Data, ServiceConfig},
};
use url::Url;

use self::{
    admit::admit,
    idempotency::once,
    operation::Operation,
    problem::{Problem, as_problems},
    resource_metadata::PublicUrl,
    token::authenticate,
};
use crate::ControlPlane;

/// Mounts the admin API. `public_url` is the address under which the world reaches this server.
///
/// Expects [`host::Observe`] around the whole application, which gives requests their ids.
pub fn configure(config: &mut ServiceConfig, plane: &ControlPlane, public_url: &Url) {
    let mut guarded = web::scope("/v1")
        .default_service(web::to(unknown))
        .wrap(from_fn(authenticate))
        .wrap(from_fn(as_problems));
    for (path, operations) in by_path(operations()) {
        guarded = guarded.service(resource(path, operations));
    }
    config
        .app_data(Data::new(plane.clone()))
        .app_data(Data::new(PublicUrl::new(public_url)))
        .service(public("/v1/openapi.json").route(web::get().to(openapi::serve)))
        .service(public(resource_metadata::PATH).route(web::get().to(resource_metadata::serve)))
        .service(public(trust_root::PATH).route(web::get().to(trust_root::serve)))
        .service(guarded);
}

/// What a resource is once something is wrapped around it.
trait Answers:
    ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse,
        Error = actix_web::Error,
        InitError = (),
    >
{
}

impl<S> Answers for S where
    S: ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse,
            Error = actix_web::Error,
            InitError = (),
        >
{
}

/// Every operation there is.
fn operations() -> Vec<Operation> {
    [
        tenants::operations(),
        oversight::operations(),
        policies::operations(),
        applications::operations(),
        apis::operations(),
        client_grants::operations(),
        containments::operations(),
        responsibilities::operations(),
        operators::operations(),
        role_assignments::operations(),
        releases::operations(),
        rollouts::operations(),
        audit_events::operations(),
        nodes::operations(),
        node_authorities::operations(),
        catalogues::operations(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Operations of the same address, together; in the order of the list.
fn by_path(operations: Vec<Operation>) -> Vec<(&'static str, Vec<Operation>)> {
    let mut paths: Vec<(&'static str, Vec<Operation>)> = Vec::new();
    for operation in operations {
        match paths.iter_mut().find(|(path, _)| *path == operation.path) {
            Some((_, same)) => same.push(operation),
            None => paths.push((operation.path, vec![operation])),
        }
    }
    paths
}

fn resource(path: &'static str, operations: Vec<Operation>) -> Resource<impl Answers> {
    let methods: Vec<String> = operations
        .iter()
        .map(|one| one.method.to_string())
        .collect();
    let allow = methods.join(", ");
    let resource = operations
        .into_iter()
        .fold(web::resource(path), |resource, one| {
            resource.route(one.into_route())
        });
    resource
        .default_service(web::to(move || {
            let problem = Problem::method_not_allowed(allow.clone());
            async move { Err::<HttpResponse, _>(problem) }
        }))
        .wrap(from_fn(once))
        .wrap(from_fn(admit))
}

fn public(path: &'static str) -> Resource<impl Answers> {
    web::resource(path)
        .default_service(web::to(|| async {
            Err::<HttpResponse, _>(Problem::method_not_allowed("GET".to_owned()))
        }))
        .wrap(from_fn(as_problems))
}

async fn unknown() -> Result<HttpResponse, Problem> {
    Err(Problem::unknown())
}
