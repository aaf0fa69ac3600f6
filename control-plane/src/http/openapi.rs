//! The OpenAPI 3.1 document, made from the list of operations: it cannot name a route that does not exist.

use actix_web::{
    HttpResponse,
    http::{Method, StatusCode},
};
use serde_json::json;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ComponentsBuilder, Content, ContentBuilder, Info, OpenApi, OpenApiBuilder, Ref, RefOr,
        Required, Response, ResponseBuilder,
        extensions::ExtensionsBuilder,
        header::{Header, HeaderBuilder},
        path::{
            HttpMethod, Operation as Documented, OperationBuilder, Parameter, ParameterBuilder,
            ParameterIn, PathItem, PathsBuilder,
        },
        request_body::RequestBodyBuilder,
        schema::{ObjectBuilder, Type},
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

use super::{
    operation::Operation,
    problem::{Document, PROBLEM_JSON},
};

const SCHEME: &str = "platform_access_token";

/// Serves the document; it is the same for everyone and holds nothing secret.
pub(super) async fn serve() -> HttpResponse {
    HttpResponse::Ok().json(document())
}

/// The document.
pub(super) fn document() -> OpenApi {
    let operations = super::operations();
    let mut components = ComponentsBuilder::new()
        .schema(Document::name(), Document::schema())
        .schemas_from_iter(schemas_of::<Document>())
        .security_scheme(SCHEME, scheme());
    let mut paths = PathsBuilder::new();
    for operation in operations {
        components = components.schemas_from_iter(operation.schemas.clone());
        let item = PathItem::new(method(&operation.method), documented(&operation));
        paths = paths.path(format!("/v1{}", operation.path), item);
    }
    OpenApiBuilder::new()
        .info(info())
        .paths(paths)
        .components(Some(components.build()))
        .security(Some([SecurityRequirement::new(
            SCHEME,
            [contract::api::ADMIN_SCOPE],
        )]))
        .build()
}

fn schemas_of<T: ToSchema>() -> Vec<(String, RefOr<utoipa::openapi::Schema>)> {
    let mut schemas = Vec::new();
    T::schemas(&mut schemas);
    schemas
}

fn info() -> Info {
    utoipa::openapi::InfoBuilder::new()
        .title("Bailiwick admin API")
        .version("1")
        .description(Some(
            "Everything the console can do. Each operation names the permission it needs in \
             `x-bailiwick-permission`; a tenant's responsibility matrix may keep one party out all the \
             same. Errors are problem documents (RFC 9457). Lists are paged by cursor. Changes take \
             `dry_run=true`, which tries everything and keeps nothing; what overwrites or removes \
             demands `If-Match`. A POST that carries an `Idempotency-Key` is carried out once: sent again \
             within 24 hours it gets the same answer, with `Idempotency-Replayed: true`. Refusals are not \
             remembered.",
        ))
        .build()
}

fn scheme() -> SecurityScheme {
    SecurityScheme::Http(
        HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("at+jwt")
            .description(Some(
                "An access token of the platform tenant for the resource urn:bailiwick:admin with scope admin.",
            ))
            .build(),
    )
}

fn method(method: &Method) -> HttpMethod {
    match method.as_str() {
        "POST" => HttpMethod::Post,
        "PUT" => HttpMethod::Put,
        "PATCH" => HttpMethod::Patch,
        "DELETE" => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}

fn documented(operation: &Operation) -> Documented {
    let mut built = OperationBuilder::new()
        .operation_id(Some(operation.id))
        .summary(Some(operation.summary))
        .tag(tag(operation.path))
        .extensions(Some(
            ExtensionsBuilder::new()
                .add("x-bailiwick-permission", operation.access.key())
                .build(),
        ));
    for parameter in parameters(operation) {
        built = built.parameter(parameter);
    }
    if let Some(body) = &operation.body {
        let content = ContentBuilder::new()
            .schema(Some(body.schema.clone()))
            .example(Some(body.example.clone()))
            .build();
        built = built.request_body(Some(
            RequestBodyBuilder::new()
                .content("application/json", content)
                .required(Some(Required::True))
                .build(),
        ));
    }
    built = built.response(operation.answer.status.as_str(), success(operation));
    if operation.is_conditional() {
        let unchanged = ResponseBuilder::new()
            .description("The caller has the current version already.")
            .header("ETag", header("The version."));
        built = built.response(StatusCode::NOT_MODIFIED.as_str(), unchanged.build());
    }
    for (status, reason) in problems(operation) {
        built = built.response(status.as_str(), problem(status, reason));
    }
    built.build()
}

/// The resource's name: the first part of the address that is neither a parameter nor the tenant.
fn tag(path: &str) -> String {
    path.split('/')
        .filter(|part| !part.is_empty() && !part.starts_with('{'))
        .find(|part| *part != "tenants")
        .unwrap_or("tenants")
        .to_owned()
}

fn parameters(operation: &Operation) -> Vec<Parameter> {
    let in_path = operation
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| {
            let description = if name == "tenant" {
                "The tenant's slug or id."
            } else {
                "Which one."
            };
            text(name, ParameterIn::Path, description)
        });
    in_path
        .chain(conditions(operation))
        .chain(operation.query.clone())
        .collect()
}

/// The headers that make a request conditional, or harmless to repeat.
fn conditions(operation: &Operation) -> Vec<Parameter> {
    let mut headers = Vec::new();
    if operation.guarded {
        let about = "The ETag of the version the caller has seen, or `*` to overwrite any.";
        let mut guard = text("If-Match", ParameterIn::Header, about);
        if operation.may_be_first {
            guard.required = Required::False;
            headers.push(optional(
                "If-None-Match",
                "`*`, in place of If-Match: the caller has seen that there is none yet.",
            ));
        }
        headers.insert(0, guard);
    }
    if operation.is_conditional() {
        headers.push(optional(
            "If-None-Match",
            "The ETag of what the caller has; 304 if it is still that.",
        ));
    }
    if operation.is_repeatable() {
        headers.push(optional(
            "Idempotency-Key",
            "1 to 255 visible ASCII characters, new for each request; makes it harmless to send again. Counts per operator and tenant, for 24 hours.",
        ));
    }
    headers
}

fn optional(name: &str, description: &str) -> Parameter {
    let mut header = text(name, ParameterIn::Header, description);
    header.required = Required::False;
    header
}

fn text(name: &str, place: ParameterIn, description: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(Required::True)
        .description(Some(description))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build()
}

fn success(operation: &Operation) -> Response {
    let mut response = ResponseBuilder::new().description("Done.");
    if let Some(schema) = &operation.answer.schema {
        response = response.content(operation.answer.media, Content::new(Some(schema.clone())));
    }
    if operation.versioned {
        response = response.header("ETag", header("The version, for If-Match."));
    }
    if operation.points {
        let point = "A check that carries this header is never answered from an older state of containments.";
        response = response.header("Bailiwick-As-Of", header(point));
    }
    if operation.answer.status == StatusCode::CREATED {
        response = response.header("Location", header("Where the new thing is."));
    }
    if operation.is_change() {
        response = response.header("Bailiwick-Dry-Run", header("`true` if nothing was kept."));
    }
    if operation.is_repeatable() {
        let replayed = "`true` if this is the answer to an earlier request with the same key.";
        response = response.header("Idempotency-Replayed", header(replayed));
    }
    response.build()
}

fn header(description: &str) -> Header {
    HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .description(Some(description))
        .build()
}

/// What can go wrong, beyond what can go wrong everywhere.
fn problems(operation: &Operation) -> Vec<(StatusCode, &'static str)> {
    let mut problems = vec![
        (StatusCode::BAD_REQUEST, "The request cannot be read."),
        (
            StatusCode::UNAUTHORIZED,
            "No access token, or one that is not believed.",
        ),
        (
            StatusCode::FORBIDDEN,
            "The caller's roles or the responsibility matrix do not allow it.",
        ),
    ];
    if operation.path.contains('{') || operation.names {
        problems.push((
            StatusCode::NOT_FOUND,
            "It does not exist, or the caller may not know that it does.",
        ));
    }
    if operation.is_change() {
        problems.push((
            StatusCode::CONFLICT,
            "It contradicts what is there already.",
        ));
    }
    if operation.compares {
        problems.push((
            StatusCode::PRECONDITION_FAILED,
            "It was changed in the meantime.",
        ));
    }
    if operation.guarded {
        problems.push((StatusCode::PRECONDITION_REQUIRED, "If-Match is missing."));
    }
    if operation.body.is_some() || operation.is_repeatable() {
        problems.push((
            StatusCode::REQUEST_TIMEOUT,
            "The body stopped arriving; nothing was changed.",
        ));
        problems.push((
            StatusCode::PAYLOAD_TOO_LARGE,
            "The body is larger than 1 MiB.",
        ));
    }
    if operation.body.is_some() {
        problems.push((StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body is not JSON."));
    }
    if operation.is_change() {
        problems.push((
            StatusCode::UNPROCESSABLE_ENTITY,
            if operation.is_repeatable() {
                "A value breaks a rule, or the Idempotency-Key was sent with another request."
            } else {
                "A value breaks a rule."
            },
        ));
    }
    problems.push((
        StatusCode::SERVICE_UNAVAILABLE,
        "What is needed is not there right now, such as a node; nothing was changed.",
    ));
    problems
}

fn problem(status: StatusCode, reason: &str) -> Response {
    let content = ContentBuilder::new()
        .schema(Some(RefOr::Ref(Ref::from_schema_name(Document::name()))))
        .example(Some(json!({"status": status.as_u16(), "detail": reason})))
        .build();
    ResponseBuilder::new()
        .description(reason)
        .content(PROBLEM_JSON, content)
        .build()
}
