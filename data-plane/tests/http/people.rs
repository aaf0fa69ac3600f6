//! Creating an account: registration, confirmation by mail, invitation.

use chrono::Duration;
use contract::{
    frames::{Command, Delivery, Down},
    ids::{CommandId, TenantId, TypedId, UserId},
    policies::RegistrationMode,
};
use uuid::Uuid;

use crate::{
    browser::{Browser, Page},
    house::{App, EMAIL, House},
};

const GOOD: &str = "seven purple walruses sing";
const GUEST: &str = "guest@acme.example";

/// The link in the mail to this person.
fn mailed_link(house: &House, to: &str) -> String {
    let messages = house.mailbox.messages();
    let sent = messages.iter().find(|sent| sent.mail.to() == to);
    let text = sent.expect("a mail").mail.text();
    let start = text.find("http").expect("a link");
    text[start..].split_whitespace().next().unwrap().to_owned()
}

/// Begins a sign-in at an application and goes to the page that creates an account.
async fn on_the_way_to_an_account(browser: &mut Browser) -> Page {
    let page = browser.authorize(App::Own, &[]).await;
    let login = browser.get(page.location()).await;
    let link = login.body.split_once("href=\"/t/acme/register").unwrap().1;
    let link = format!("register{}", &link[..link.find('"').unwrap()]);
    browser.get(&link).await
}

const NEW: &[(&str, &str)] = &[("identifier", "new@acme.example"), ("password", GOOD)];

#[tokio::test]
async fn registering_leads_on_to_the_application() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    let form = on_the_way_to_an_account(&mut browser).await;
    assert!(
        form.body.contains("id=\"identifier\"")
            && form.body.contains("autocomplete=\"new-password\"")
    );
    assert!(
        !form.body.contains("id=\"name\""),
        "the policy does not ask for it"
    );
    let answer = browser.submit(&form, NEW).await;
    assert_eq!(answer.location(), "/t/acme/register/sent");
    let page = browser.get(&mailed_link(&house, "new@acme.example")).await;
    let answer = browser.submit(&page, &[("password", GOOD)]).await;
    assert!(answer.param("code").is_some(), "{answer:?}");
    assert!(browser.get("").await.body.contains("new@acme.example"));
}

#[tokio::test]
async fn where_no_proof_is_asked_registering_signs_in() {
    let house = House::open_with(|acme| acme.policies.registration.verify_email = false).await;
    let mut browser = house.browser("acme");
    let form = on_the_way_to_an_account(&mut browser).await;
    let answer = browser.submit(&form, NEW).await;
    assert!(answer.param("code").is_some(), "{answer:?}");
}

#[tokio::test]
async fn what_can_be_corrected_is_said_r_pwd_01() {
    let house = House::open_with(|acme| {
        acme.policies.registration.ask_name = true;
        acme.policies.registration.verify_email = false;
    })
    .await;
    let mut browser = house.browser("acme");
    let long = "x".repeat(257);
    for (identifier, name, password, expected) in [
        ("new@acme.example", "New", "short", "15"),
        ("new@acme.example", "New", long.as_str(), "256"),
        ("nonsense", "New", GOOD, "such as name@example.com"),
        ("new@acme.example", "", GOOD, "Enter your name"),
        (EMAIL, "New", GOOD, "already"),
    ] {
        let form = browser.get("register").await;
        assert!(form.body.contains("id=\"name\""));
        let fields = [
            ("identifier", identifier),
            ("name", name),
            ("password", password),
        ];
        let page = browser.submit(&form, &fields).await;
        assert_eq!(page.status, 400, "{identifier}");
        assert!(
            page.body.contains("<title>Error:") && page.body.contains(expected),
            "{}",
            page.body
        );
        assert_eq!(page.field("identifier").as_deref(), Some(identifier));
        assert!(!page.body.contains(password));
    }
}

#[tokio::test]
async fn by_mail_the_answer_never_tells_r_enum_01_r_rec_02() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    let mut sizes = Vec::new();
    for identifier in [EMAIL, "new@acme.example"] {
        let form = browser.get("register").await;
        let page = browser
            .submit(&form, &[("identifier", identifier), ("password", GOOD)])
            .await;
        assert_eq!(
            (page.status, page.location()),
            (303, "/t/acme/register/sent")
        );
        assert!(!browser.cookies.contains_key("bw_session_acme"));
        sizes.push((page.body.len(), page.headers.len()));
    }
    assert_eq!(sizes[0], sizes[1]);
    assert!(
        browser
            .get("register/sent")
            .await
            .body
            .contains("Check your mail")
    );
    let link = mailed_link(&house, "new@acme.example");
    for _ in 0..3 {
        let opened = house.browser("acme").get(&link).await;
        assert_eq!(opened.status, 200, "scanners open links");
    }
    let mut reader = house.browser("acme");
    let page = reader.get(&link).await;
    assert_eq!(
        page.field("identifier").as_deref(),
        Some("new@acme.example")
    );
    for guess in [&[][..], &[("password", "another one altogether")]] {
        let refused = reader.submit(&page, guess).await;
        assert_eq!(refused.status, 400);
        assert!(refused.body.contains("<title>Error: Confirm your address"));
        assert!(!refused.body.contains("another one altogether"));
    }
    assert!(
        !reader.cookies.contains_key("bw_session_acme"),
        "the link alone is nobody's account (pre-hijacking)"
    );
    let confirmed = reader.submit(&page, &[("password", GOOD)]).await;
    assert_eq!(
        confirmed.location(),
        "/t/acme/",
        "another browser than the one that registered"
    );
    assert!(reader.get("").await.body.contains("new@acme.example"));
    let mut late = house.browser("acme");
    assert_eq!(late.get(&link).await.status, 400, "used");
}

#[tokio::test]
async fn guesses_at_a_link_are_slowed_down() {
    let house = House::open().await;
    let mut reader = house.browser("acme");
    let form = reader.get("register").await;
    reader.submit(&form, NEW).await;
    let page = reader.get(&mailed_link(&house, "new@acme.example")).await;
    for _ in 0..5 {
        let refused = reader.submit(&page, &[("password", "wrong")]).await;
        assert_eq!(refused.status, 400);
    }
    let paced = reader.submit(&page, &[("password", GOOD)]).await;
    assert_eq!(
        (paced.status, paced.header("retry-after")),
        (429, Some("1"))
    );
    assert!(paced.body.contains("Try again in"));
    house.advance(Duration::seconds(1));
    let confirmed = reader.submit(&paced, &[("password", GOOD)]).await;
    assert_eq!(confirmed.status, 303);
}

#[tokio::test]
async fn where_people_are_invited_nobody_registers() {
    let house =
        House::open_with(|acme| acme.policies.registration.mode = RegistrationMode::InviteOnly)
            .await;
    let mut browser = house.browser("acme");
    let form = browser.get("login").await;
    assert!(!form.body.contains("register"));
    assert_eq!(browser.get("register").await.status, 403);
    let csrf = form.field("csrf").unwrap();
    let fields = [
        ("csrf", csrf.as_str()),
        ("identifier", "new@acme.example"),
        ("password", GOOD),
    ];
    assert_eq!(browser.post("register", &fields).await.status, 403);
}

/// Invites a guest by mail and gives the link.
async fn invited(house: &House) -> String {
    let command = Command::InviteUser {
        user: UserId::from_uuid(Uuid::from_u128(777)),
        email: GUEST.into(),
        name: "Guest".into(),
        inviter: "Mara Lind".into(),
        purpose: "Tenant owner of Acme".into(),
        expires_at: house.now() + Duration::days(3),
        delivery: Delivery::Mail,
    };
    let tenant = TenantId::from_uuid(Uuid::from_u128(1));
    house
        .send(&Down::Command {
            id: CommandId::from_uuid(Uuid::from_u128(1)),
            tenant,
            command,
        })
        .await;
    // The link works once the mail was handed over.
    for _ in 0..500 {
        if !house.mailbox.messages().is_empty() {
            let link = mailed_link(house, GUEST);
            let (_, token) = link.split_once("token=").unwrap();
            let found = house.node.identity().find_invitation(tenant, token).await;
            if found.unwrap().is_some() {
                return link;
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("no invitation");
}

#[tokio::test]
async fn an_invitation_is_accepted_once_r_rec_02() {
    let house = House::open().await;
    let link = invited(&house).await;
    let mut guest = house.browser("acme");
    for _ in 0..2 {
        let page = guest.get(&link).await;
        for text in ["Mara Lind", "Tenant owner of Acme", "guest@acme.example"] {
            assert!(page.body.contains(text), "{text}");
        }
        assert!(page.body.contains("autocomplete=\"username\" readonly"));
    }
    let page = guest.get(&link).await;
    let short = guest.submit(&page, &[("password", "short")]).await;
    assert_eq!(short.status, 400);
    let accepted = guest.submit(&short, &[("password", GOOD)]).await;
    assert_eq!(accepted.location(), "/t/acme/");
    assert!(guest.get("").await.body.contains("guest@acme.example"));
    assert_eq!(guest.get(&link).await.status, 400, "used");
    assert_eq!(guest.get("invite?token=nonsense").await.status, 400);
    assert_eq!(guest.get("invite").await.status, 400);
}

#[tokio::test]
async fn a_taken_address_is_not_blamed_on_the_password() {
    let house = House::open().await;
    let link = invited(&house).await;
    let mut other = house.browser("acme");
    let form = other.get("register").await;
    other
        .submit(&form, &[("identifier", GUEST), ("password", GOOD)])
        .await;
    let proof = other.get(&mailed_link(&house, GUEST)).await;
    other.submit(&proof, &[("password", GOOD)]).await;

    let mut guest = house.browser("acme");
    let page = guest.get(&link).await;
    let taken = guest.submit(&page, &[("password", GOOD)]).await;
    assert_eq!(taken.status, 409);
    assert!(taken.body.contains("You have an account already"));
    assert!(!taken.body.contains("password"), "{}", taken.body);
}

#[tokio::test]
async fn an_invited_person_gets_the_address_from_a_squatter() {
    let house = House::open_with(|acme| acme.policies.registration.verify_email = false).await;
    let mut squatter = house.browser("acme");
    let form = squatter.get("register").await;
    squatter
        .submit(&form, &[("identifier", GUEST), ("password", GOOD)])
        .await;
    assert!(squatter.get("").await.body.contains(GUEST));

    let mut guest = house.browser("acme");
    let page = guest.get(&invited(&house).await).await;
    let hers = "nine green kettles whistle";
    let accepted = guest.submit(&page, &[("password", hers)]).await;
    assert_eq!(accepted.location(), "/t/acme/");
    assert!(guest.get("").await.body.contains(GUEST));
    assert!(squatter.get("").await.body.contains("not signed in"));
    let form = squatter.get("login").await;
    let back = squatter
        .submit(&form, &[("identifier", GUEST), ("password", GOOD)])
        .await;
    assert_eq!(back.status, 400);
}
