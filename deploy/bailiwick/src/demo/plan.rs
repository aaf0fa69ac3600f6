//! What the demo consists of: names and addresses, all of them fictitious (RFC 2606).

use contract::{
    api::ApiScope,
    application::{ApplicationKind, TokenAuthMethod},
    redirect_uri::RedirectUri,
    role::Role,
    tenant::PLATFORM_SLUG,
};
use control_plane::{apis::NewApi, applications::NewApplication};

/// The demo tenant's slug.
pub const TENANT: &str = "acme";
/// Its name.
pub const TENANT_NAME: &str = "Acme";
/// The application people sign in to.
pub const SHOP: &str = "Acme Shop";
/// The application that acts for itself.
pub const WAREHOUSE: &str = "Acme Warehouse";
/// The API it calls.
pub const AUDIENCE: &str = "https://orders.acme.example";
/// The scopes of that API, with what they allow.
pub const SCOPES: [(&str, &str); 2] = [
    ("orders:read", "See orders"),
    ("orders:write", "Place and change orders"),
];
/// Where the shop may be answered: on loopback, at any port (RFC 8252 §7.3).
pub const REDIRECT_URIS: [&str; 4] = [
    "http://127.0.0.1/callback",
    "http://[::1]/callback",
    "http://127.0.0.1/cb",
    "http://127.0.0.1/",
];
const POST_LOGOUT_REDIRECT_URIS: [&str; 2] = ["http://127.0.0.1/", "http://127.0.0.1/signed-out"];

/// Someone with an account.
pub struct Person {
    /// The address they sign in with.
    pub email: &'static str,
    /// The name people read.
    pub name: &'static str,
    /// The role of an operator; none for a user.
    pub role: Option<Role>,
    /// Where the role counts.
    pub tenant: &'static str,
}

/// The vendor's people, then the customer's.
pub const OPERATORS: &[Person] = &[
    operator(
        "mara@vendor.example",
        "Mara Lind",
        Role::PlatformOwner,
        PLATFORM_SLUG,
    ),
    operator(
        "jonas@vendor.example",
        "Jonas Weber",
        Role::PlatformOperator,
        PLATFORM_SLUG,
    ),
    operator("ada@acme.example", "Ada Okafor", Role::TenantOwner, TENANT),
    operator(
        "ravi@acme.example",
        "Ravi Menon",
        Role::ApplicationDeveloper,
        TENANT,
    ),
    operator(
        "lucia@acme.example",
        "Lucia Conti",
        Role::TenantAuditor,
        TENANT,
    ),
];

/// A customer of Acme.
pub const USER: Person = Person {
    email: "sam@customer.example",
    name: "Sam Rivera",
    role: None,
    tenant: TENANT,
};

const fn operator(
    email: &'static str,
    name: &'static str,
    role: Role,
    tenant: &'static str,
) -> Person {
    Person {
        email,
        name,
        role: Some(role),
        tenant,
    }
}

/// The shop: people sign in, are asked for consent, and stay signed in.
pub fn shop() -> NewApplication {
    NewApplication {
        redirect_uris: uris(&REDIRECT_URIS),
        post_logout_redirect_uris: uris(&POST_LOGOUT_REDIRECT_URIS),
        auth_methods: both_methods(),
        ..NewApplication::of_kind(SHOP, ApplicationKind::Web)
    }
}

/// The warehouse: a program without people.
pub fn warehouse() -> NewApplication {
    NewApplication {
        auth_methods: both_methods(),
        ..NewApplication::of_kind(WAREHOUSE, ApplicationKind::Machine)
    }
}

/// The API the warehouse calls.
pub fn orders_api() -> NewApi {
    NewApi {
        name: "Orders".to_owned(),
        audience: AUDIENCE
            .parse()
            .expect("an audience of the plan is well formed"),
        scopes: SCOPES
            .iter()
            .map(|(scope, description)| ApiScope {
                scope: scope.parse().expect("a scope of the plan is well formed"),
                description: (*description).to_owned(),
            })
            .collect(),
    }
}

fn both_methods() -> Option<std::collections::BTreeSet<TokenAuthMethod>> {
    Some(
        [
            TokenAuthMethod::ClientSecretBasic,
            TokenAuthMethod::ClientSecretPost,
        ]
        .into(),
    )
}

fn uris(texts: &[&str]) -> Vec<RedirectUri> {
    texts
        .iter()
        .map(|text| text.parse().expect("an address of the plan is well formed"))
        .collect()
}
