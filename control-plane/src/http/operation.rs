//! One operation of the admin API: address, power, documents and handler in one value.
//!
//! The list of these ([`super::operations`]) drives the router, the OpenAPI document and the tests, so that
//! a route without a permission, or a permission without a route in the documents, cannot come to be
//! (R-ADM-01). The permission named here is what is documented and tested; what decides is the method that
//! the handler calls.

use actix_web::{
    FromRequest, Handler, Responder, Route,
    http::{Method, StatusCode},
    web,
};
use contract::permission::Permission;
use serde_json::Value;
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{
        RefOr, Schema,
        path::{Parameter, ParameterIn},
    },
};

/// Who may call an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Any operator: the answer is about themselves or the same for everyone.
    Operator,
    /// Whoever has this permission, in the tenant of the address or else on the platform.
    Permission(Permission),
    /// Whoever may draft the kind of policy in the address.
    DraftOfKind,
    /// Whoever may publish the kind of policy in the address.
    PublishOfKind,
}

impl Access {
    /// The form in the documents.
    pub(super) fn key(self) -> String {
        match self {
            Self::Operator => "operator".to_owned(),
            Self::Permission(permission) => permission.key(),
            Self::DraftOfKind => "tenant.policies.{kind}.draft".to_owned(),
            Self::PublishOfKind => "tenant.policies.{kind}.publish".to_owned(),
        }
    }
}

/// What a request carries.
pub(super) struct BodyDoc {
    /// Its schema.
    pub(super) schema: RefOr<Schema>,
    /// A body that the operation accepts; the tests send it.
    pub(super) example: Value,
}

/// What the answer carries.
pub(super) struct AnswerDoc {
    /// Its status.
    pub(super) status: StatusCode,
    /// Its schema, if it has a body.
    pub(super) schema: Option<RefOr<Schema>>,
    /// Its media type.
    pub(super) media: &'static str,
}

const JSON: &str = "application/json";

/// An operation.
pub(super) struct Operation {
    /// Its name in clients that are generated from the documents.
    pub(super) id: &'static str,
    /// Its method.
    pub(super) method: Method,
    /// Its address below `/v1`.
    pub(super) path: &'static str,
    /// Who may call it.
    pub(super) access: Access,
    /// What it does, in one sentence.
    pub(super) summary: &'static str,
    /// Its query parameters.
    pub(super) query: Vec<Parameter>,
    /// What the request carries.
    pub(super) body: Option<BodyDoc>,
    /// What the answer carries.
    pub(super) answer: AnswerDoc,
    /// Whether `If-Match` is demanded.
    pub(super) guarded: bool,
    /// Whether `If-None-Match: *` may stand in its place: there may be nothing to overwrite yet.
    pub(super) may_be_first: bool,
    /// Whether a version that is stale is refused, wherever the caller names it.
    pub(super) compares: bool,
    /// Whether the answer has an `ETag`.
    pub(super) versioned: bool,
    /// Whether the answer names a point in a region's containments.
    pub(super) points: bool,
    /// Whether the body names something that may not be there.
    pub(super) names: bool,
    /// The schemas it mentions.
    pub(super) schemas: Vec<(String, RefOr<Schema>)>,
    route: Route,
}

impl Operation {
    /// An operation that `handler` carries out. What overwrites or removes is guarded by `If-Match` unless
    /// said otherwise.
    pub(super) fn new<F, Args>(
        id: &'static str,
        method: Method,
        path: &'static str,
        handler: F,
    ) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let guarded = [Method::PUT, Method::PATCH, Method::DELETE].contains(&method);
        let operation = Self {
            id,
            path,
            access: Access::Operator,
            summary: "",
            query: Vec::new(),
            body: None,
            answer: AnswerDoc {
                status: StatusCode::NO_CONTENT,
                schema: None,
                media: JSON,
            },
            guarded,
            may_be_first: false,
            compares: guarded,
            versioned: false,
            points: false,
            names: false,
            schemas: Vec::new(),
            route: web::method(method.clone()).to(handler),
            method,
        };
        if operation.is_change() {
            operation.query::<super::asking::Writing>()
        } else {
            operation
        }
    }

    /// What it does, in one sentence.
    pub(super) fn summary(mut self, summary: &'static str) -> Self {
        self.summary = summary;
        self
    }

    /// Who may call it.
    pub(super) fn needs(mut self, access: impl Into<Access>) -> Self {
        self.access = access.into();
        self
    }

    /// Adds query parameters.
    pub(super) fn query<P: IntoParams>(mut self) -> Self {
        self.query
            .extend(P::into_params(|| Some(ParameterIn::Query)));
        self
    }

    /// What the request carries, with a body that works.
    pub(super) fn takes<T: ToSchema>(mut self, example: Value) -> Self {
        let schema = self.mention::<T>();
        self.body = Some(BodyDoc { schema, example });
        self
    }

    /// What the answer carries.
    pub(super) fn gives<T: ToSchema>(mut self) -> Self {
        let schema = Some(self.mention::<T>());
        self.answer = AnswerDoc {
            status: StatusCode::OK,
            schema,
            media: JSON,
        };
        self
    }

    /// The answer is a text of another media type.
    pub(super) fn gives_text(mut self, media: &'static str) -> Self {
        self.answer = AnswerDoc {
            status: StatusCode::OK,
            schema: Some(String::schema()),
            media,
        };
        self
    }

    /// What the answer carries when something was made.
    pub(super) fn creates<T: ToSchema>(mut self) -> Self {
        self = self.gives::<T>();
        self.answer.status = StatusCode::CREATED;
        self
    }

    /// The answer has an `ETag`.
    pub(super) fn versioned(mut self) -> Self {
        self.versioned = true;
        self
    }

    /// The answer names a point in a region's containments.
    pub(super) fn points(mut self) -> Self {
        self.points = true;
        self
    }

    /// The body names something that must be there already.
    pub(super) fn names(mut self) -> Self {
        self.names = true;
        self
    }

    /// There is no version to compare: the thing never changes.
    pub(super) fn unguarded(mut self) -> Self {
        self.guarded = false;
        self.compares = false;
        self
    }

    /// What is to be overwritten may not be there yet.
    pub(super) fn or_first(mut self) -> Self {
        self.may_be_first = true;
        self
    }

    /// The versions the caller has seen are in the body, and are compared.
    pub(super) fn compares(mut self) -> Self {
        self.compares = true;
        self
    }

    /// Whether `Idempotency-Key` is heard.
    pub(super) fn is_repeatable(&self) -> bool {
        self.method == Method::POST
    }

    /// Whether a reader who has the current version is told so instead of being sent it again.
    pub(super) fn is_conditional(&self) -> bool {
        self.versioned && !self.is_change()
    }

    /// Whether it changes something.
    pub(super) fn is_change(&self) -> bool {
        self.method != Method::GET
    }

    /// The route, for the router.
    pub(super) fn into_route(self) -> Route {
        self.route
    }

    fn mention<T: ToSchema>(&mut self) -> RefOr<Schema> {
        let name = T::name().into_owned();
        T::schemas(&mut self.schemas);
        self.schemas.push((name.clone(), T::schema()));
        RefOr::Ref(utoipa::openapi::Ref::from_schema_name(name))
    }
}

impl From<Permission> for Access {
    fn from(permission: Permission) -> Self {
        Self::Permission(permission)
    }
}
