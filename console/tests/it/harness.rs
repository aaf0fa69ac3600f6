//! The stage: a console on a control plane of its own, and people who are signed in to it.

use actix_web::{
    App,
    http::{StatusCode, header},
    test,
};
use console::{Console, ConsoleConfig};
use contract::{
    ids::{TypedId, UserId},
    role::Role,
    tenant::Environment,
};
use control_plane::{
    ControlPlane, ControlPlaneConfig, HeldRole, Mode, RegionPlace, Scope,
    operators::Invitee,
    tenants::{NewTenant, Tenant},
};
use host::{Clock, Egress, EgressPolicy, Entropy, Kek, ManualClock, Secret};

pub const ORIGIN: &str = "http://127.0.0.1:7000";

/// A console with its platform founded.
pub struct World {
    pub control_plane: ControlPlane,
    pub clock: ManualClock,
    pub console: Console,
    entropy: Entropy,
    _dir: tempfile::TempDir,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub location: String,
    pub headers: header::HeaderMap,
    pub html: String,
}

/// A signed-in browser.
#[derive(Clone)]
pub struct Browser {
    pub cookie: String,
}

impl World {
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let start = "2026-01-02T03:04:05Z".parse().unwrap();
        let (clock, manual) = Clock::manual(start);
        let entropy = Entropy::seeded(11);
        let config = ControlPlaneConfig {
            database_url: format!("sqlite://{}/control.db?mode=rwc", dir.path().display()),
            regions: vec![RegionPlace::new(
                "local".parse().unwrap(),
                "http://127.0.0.1:7100".parse().unwrap(),
            )],
            bake_seconds: 30,
            push_address: Some("127.0.0.1:7200".parse().unwrap()),
            bus: std::sync::Arc::new(control_plane::LocalBus::default()),
            kek: Kek::from_bytes([7; 32]),
            clock: clock.clone(),
            entropy: entropy.clone(),
        };
        let control_plane = ControlPlane::open(config).await.unwrap();
        let platform = control_plane.ensure_platform_tenant().await.unwrap();
        let console = Console::new(ConsoleConfig {
            issuer: control_plane.issuer(&platform),
            control_plane: control_plane.clone(),
            public_url: ORIGIN.parse().unwrap(),
            platform: platform.id,
            client_id: TypedId::from_uuid(entropy.uuid_v7(start)),
            client_secret: Secret::new("not used"),
            egress: Egress::new(EgressPolicy::default()).unwrap(),
            clock,
            mailbox: None,
        })
        .unwrap();
        Self {
            control_plane,
            clock: manual,
            console,
            entropy,
            _dir: dir,
        }
    }

    /// A tenant made by the product itself.
    pub async fn tenant(&self, slug: &str) -> Tenant {
        let new = NewTenant {
            slug: slug.parse().unwrap(),
            name: slug.to_uppercase().parse().unwrap(),
            environment: Environment::Production,
            region: "local".parse().unwrap(),
            host: None,
            first_admin: None,
        };
        let caller = self.control_plane.system_caller();
        self.control_plane
            .create_tenant(&caller, new, Mode::Commit)
            .await
            .unwrap()
            .tenant
    }

    /// Someone of the vendor with this role.
    pub async fn staff(&self, role: Role) -> Browser {
        self.person(role, Scope::Platform).await
    }

    /// Someone with this role in one tenant.
    pub async fn member(&self, tenant: &Tenant, role: Role) -> Browser {
        self.person(role, Scope::Tenant(tenant.id)).await
    }

    async fn person(&self, role: Role, scope: Scope) -> Browser {
        let start = "2026-01-02T03:04:05Z".parse().unwrap();
        let subject = UserId::from_uuid(self.entropy.uuid_v7(start));
        let invitee = Invitee {
            name: "Mara Lind".to_owned(),
            email: format!("{subject}@example.com"),
        };
        let held = [HeldRole { role, scope }];
        self.control_plane
            .adopt_operator(subject, invitee, &held)
            .await
            .unwrap();
        let session = self
            .control_plane
            .begin_console_session(subject, &Secret::new("id token"), "req_test")
            .await
            .unwrap();
        Browser {
            cookie: format!("bw_console={}", session.expose()),
        }
    }

    pub async fn get(&self, browser: Option<&Browser>, path: &str) -> Answer {
        let mut request = test::TestRequest::get().uri(path);
        if let Some(browser) = browser {
            request = request.insert_header((header::COOKIE, browser.cookie.clone()));
        }
        self.ask(request).await
    }

    /// Sends a form as a browser does from a page of ours.
    pub async fn post(
        &self,
        browser: Option<&Browser>,
        path: &str,
        form: &[(&str, &str)],
    ) -> Answer {
        let mut request = test::TestRequest::post()
            .uri(path)
            .insert_header(("sec-fetch-site", "same-origin"))
            .insert_header((header::ORIGIN, "null"))
            .set_form(form);
        if let Some(browser) = browser {
            request = request.insert_header((header::COOKIE, browser.cookie.clone()));
        }
        self.ask(request).await
    }

    pub async fn ask(&self, request: test::TestRequest) -> Answer {
        let app =
            test::init_service(App::new().configure(console::configure(self.console.clone())))
                .await;
        let response = test::call_service(&app, request.to_request()).await;
        let (status, headers) = (response.status(), response.headers().clone());
        let location = headers
            .get(header::LOCATION)
            .map_or("", |value| value.to_str().unwrap())
            .to_owned();
        let html = String::from_utf8(test::read_body(response).await.to_vec()).unwrap();
        Answer {
            status,
            location,
            headers,
            html,
        }
    }

    /// The form token of the browser's session, read from a page like a browser would.
    pub async fn token(&self, browser: &Browser) -> String {
        let page = self.get(Some(browser), "/me").await.html;
        page.split("name=\"form_token\" value=\"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap()
            .to_owned()
    }
}

/// A pattern of the route table as somebody would type it.
pub fn example(pattern: &str) -> String {
    pattern
        .replace("{tenant}", "acme")
        .replace("{env}", "production")
        .replace(['{', '}'], "")
}

/// What no page may have, whatever it shows.
pub fn assert_sound(path: &str, answer: &Answer) {
    let html = &answer.html;
    assert!(html.starts_with("<!DOCTYPE html>"), "{path}: {html}");
    assert!(!html.contains(" style="), "{path} has an inline style");
    assert!(
        !html.contains("<script>") && !html.contains(" onclick="),
        "{path} has an inline script"
    );
    let policy = answer
        .headers
        .get(header::CONTENT_SECURITY_POLICY)
        .expect("a policy");
    assert!(
        policy.to_str().unwrap().contains("default-src 'none'"),
        "{path}"
    );
    assert_eq!(
        answer.headers.get(header::CACHE_CONTROL).unwrap(),
        "no-store",
        "{path}"
    );
    let mut ids: Vec<&str> = html
        .split(" id=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    ids.sort_unstable();
    for pair in ids.windows(2) {
        assert_ne!(pair[0], pair[1], "{path} uses an id twice");
    }
    assert_eq!(
        html.matches("<h1").count(),
        1,
        "{path} needs exactly one h1"
    );
    assert_eq!(
        html.matches("<main").count(),
        1,
        "{path} needs exactly one main"
    );
}
