//! A console with one tenant and its people; requests go through routes, session, CSRF and permissions.

use actix_web::{
    App,
    body::to_bytes,
    cookie::Cookie,
    dev::{Service, ServiceResponse},
    http::{StatusCode, header},
    test::{TestRequest, init_service},
};
use chrono::DateTime;
use contract::{
    ids::{TypedId, UserId},
    role::Role,
    tenant::Environment,
};
use control_plane::{
    Caller, ConsoleClient, ControlPlane, ControlPlaneConfig, HeldRole, Mode, RegionPlace, Scope,
    Via,
    operators::Invitee,
    tenants::{NewTenant, Tenant},
};
use host::{Clock, Egress, EgressPolicy, Entropy, Kek, ManualClock, Secret};

use crate::{Addresses, Console, ConsoleConfig};

/// A console, its control plane and the tenant `acme`.
pub(super) struct World {
    pub(super) control_plane: ControlPlane,
    pub(super) acme: Tenant,
    pub(super) time: ManualClock,
    console: Console,
    clock: Clock,
    entropy: Entropy,
}

/// Someone who is signed in.
pub(super) struct Person {
    subject: UserId,
    session: Secret,
    form_token: Secret,
}

/// An answer.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) location: String,
    pub(super) body: String,
}

impl Answer {
    /// Demands that the page contains each of `texts`.
    pub(super) fn shows(&self, texts: &[&str]) -> &Self {
        for text in texts {
            assert!(
                self.body.contains(text),
                "{text:?} is missing ({}):\n{}",
                self.status,
                self.body
            );
        }
        self
    }

    /// Demands that the page contains none of `texts`.
    pub(super) fn hides(&self, texts: &[&str]) -> &Self {
        for text in texts {
            assert!(
                !self.body.contains(text),
                "{text:?} must not be there:\n{}",
                self.body
            );
        }
        self
    }

    /// Demands a status.
    pub(super) fn is(&self, status: u16) -> &Self {
        assert_eq!(
            self.status.as_u16(),
            status,
            "{}\n{}",
            self.location,
            self.body
        );
        self
    }

    /// The value of the first hidden or typed member `name`.
    pub(super) fn value(&self, name: &str) -> String {
        let at = self
            .body
            .find(&format!("name=\"{name}\" value=\""))
            .unwrap_or_else(|| panic!("no {name}:\n{}", self.body));
        let rest = &self.body[at + format!("name=\"{name}\" value=\"").len()..];
        rest[..rest.find('"').unwrap()].to_owned()
    }
}

impl World {
    pub(super) async fn new() -> Self {
        let start = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let (clock, time) = Clock::manual(start);
        let entropy = Entropy::seeded(7);
        let region: contract::tenant::Region = "local".parse().unwrap();
        let config = ControlPlaneConfig {
            database_url: "sqlite::memory:".into(),
            regions: vec![RegionPlace::new(
                region.clone(),
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
        let public_url = "http://127.0.0.1:7000".parse().unwrap();
        let addresses = Addresses::of(&public_url);
        let client = ConsoleClient {
            redirect_uris: vec![addresses.redirect.parse().unwrap()],
            post_logout_redirect_uris: vec![addresses.post_logout.parse().unwrap()],
        };
        let platform = control_plane.ensure_platform(client).await.unwrap();
        let console = Console::new(ConsoleConfig {
            control_plane: control_plane.clone(),
            public_url,
            platform: platform.tenant,
            issuer: platform.issuer,
            client_id: platform.console_client_id,
            client_secret: platform.console_secret,
            egress: Egress::new(EgressPolicy::default()).unwrap(),
            clock: clock.clone(),
            mailbox: None,
        })
        .unwrap();
        let acme = create_tenant(&control_plane, "acme", "Acme").await;
        Self {
            control_plane,
            acme,
            time,
            console,
            clock,
            entropy,
        }
    }

    /// Another tenant, which nobody of acme may know of.
    pub(super) async fn other_tenant(&self) -> Tenant {
        create_tenant(&self.control_plane, "globex", "Globex").await
    }

    /// Someone with a role in acme, or on the platform if it is a vendor's role.
    pub(super) async fn person(&self, name: &str, role: Role) -> Person {
        let scope = match role.party() {
            contract::role::Party::Vendor => Scope::Platform,
            contract::role::Party::Customer => Scope::Tenant(self.acme.id),
        };
        self.person_in(name, role, scope).await
    }

    pub(super) async fn person_in(&self, name: &str, role: Role, scope: Scope) -> Person {
        let subject = UserId::from_uuid(self.entropy.uuid_v7(self.clock.now()));
        let email = format!("{}@example.test", name.to_lowercase());
        let invitee = Invitee {
            name: name.into(),
            email,
        };
        let control_plane = &self.control_plane;
        control_plane
            .adopt_operator(subject, invitee, &[HeldRole { role, scope }])
            .await
            .unwrap();
        let session = control_plane
            .begin_console_session(subject, &Secret::new("id token"), "req_test")
            .await
            .unwrap();
        let found = control_plane
            .find_console_session(session.expose())
            .await
            .unwrap()
            .unwrap();
        Person {
            subject,
            session,
            form_token: found.csrf,
        }
    }

    /// The person as a caller of the control plane.
    pub(super) async fn caller(&self, person: &Person) -> Caller {
        self.control_plane
            .caller_for_subject(person.subject, Via::Console, "req_test")
            .await
            .unwrap()
    }

    /// `GET /t/acme/production/{page}`.
    pub(super) async fn get(&self, person: &Person, page: &str) -> Answer {
        self.get_at(person, &format!("/t/acme/production/{page}"))
            .await
    }

    /// `GET` any address.
    pub(super) async fn get_at(&self, person: &Person, address: &str) -> Answer {
        self.send(person, TestRequest::get().uri(address)).await
    }

    /// `POST /cmd/t/acme/production/{command}` with the person's form token.
    pub(super) async fn post(
        &self,
        person: &Person,
        command: &str,
        members: &[(&str, &str)],
    ) -> Answer {
        let token = ("form_token", person.form_token.expose());
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(members.iter().copied().chain([token]))
            .finish();
        let request = TestRequest::post()
            .uri(&format!("/cmd/t/acme/production/{command}"))
            .insert_header((header::CONTENT_TYPE, "application/x-www-form-urlencoded"))
            .insert_header(("sec-fetch-site", "same-origin"))
            .set_payload(body);
        self.send(person, request).await
    }

    async fn send(&self, person: &Person, request: TestRequest) -> Answer {
        let app = init_service(App::new().configure(crate::configure(self.console.clone()))).await;
        let cookie = Cookie::new("bw_console", person.session.expose().to_owned());
        let answer: ServiceResponse = app.call(request.cookie(cookie).to_request()).await.unwrap();
        let status = answer.status();
        let location = answer
            .headers()
            .get(header::LOCATION)
            .map(|value| value.to_str().unwrap().to_owned());
        let body = to_bytes(answer.into_body()).await.unwrap();
        Answer {
            status,
            location: location.unwrap_or_default(),
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }
}

async fn create_tenant(control_plane: &ControlPlane, slug: &str, name: &str) -> Tenant {
    let new = NewTenant {
        slug: slug.parse().unwrap(),
        name: name.parse().unwrap(),
        environment: Environment::Production,
        region: control_plane.regions()[0].clone(),
        host: None,
        first_admin: None,
    };
    let caller = control_plane.system_caller();
    control_plane
        .create_tenant(&caller, new, Mode::Commit)
        .await
        .unwrap()
        .tenant
}
