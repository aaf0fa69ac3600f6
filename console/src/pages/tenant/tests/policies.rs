//! T16, T17: policies.

use contract::role::Role;

use super::harness::World;

#[actix_web::test]
async fn the_list_names_what_is_in_force() {
    let world = World::new().await;
    let owner = world.person("Mara", Role::TenantOwner).await;
    let page = world.get(&owner, "policies").await;
    page.is(200).shows(&[
        "Sign-in", "Passwords", "Sessions", "Tokens", "Registration", "Version 1",
        "/policies/password",
    ]);
    page.hides(&["Draft waits"]);
    world.get(&owner, "policies/nonsense").await.is(404);
    world.get(&owner, "policies/mfa").await.is(404);
}

#[actix_web::test]
async fn a_draft_is_reviewed_in_words_and_published() {
    let world = World::new().await;
    let owner = world.person("Mara", Role::TenantOwner).await;
    let page = world.get(&owner, "policies/password").await;
    page.is(200).shows(&[
        "Minimum length", "15 characters", "Change this policy", "History",
    ]);
    let form = world.get(&owner, "policies/password/draft").await;
    form.is(200).shows(&[
        "15 to 64 characters.",
        "value=\"15\"",
        "name=\"base\" value=\"1\"",
        "name=\"version\" value=\"0\"",
    ]);
    let low = [("version", "0"), ("base", "1"), ("min_length", "8")];
    let answer = world.post(&owner, "policies/password/save", &low).await;
    answer
        .is(422)
        .shows(&["Enter a whole number from 15 to 64.", "value=\"8\""]);
    let good = [
        ("version", "0"),
        ("base", "1"),
        ("min_length", "20"),
        ("refuse_common", "on"),
        ("refuse_context", "on"),
    ];
    let saved = world.post(&owner, "policies/password/save", &good).await;
    saved.is(303);
    let review = world.get_at(&owner, &saved.location).await;
    review.is(200).shows(&[
        "<del>15 characters</del>",
        "<ins>20 characters</ins>",
        "Publish as version 2",
        "+   \"min_length\": 20",
        "Nothing is in force yet",
    ]);
    world.get(&owner, "policies").await.shows(&["Draft waits"]);
    let publish = [
        ("version", review.value("version")),
        ("base", review.value("base")),
    ];
    let publish: Vec<(&str, &str)> = publish
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let done = world
        .post(&owner, "policies/password/publish", &publish)
        .await;
    done.is(303);
    let page = world.get_at(&owner, &done.location).await;
    page.is(200).shows(&[
        "Published version 2 of the Passwords policy.",
        "No node of the region has reported yet.",
        "20 characters",
        "action=policies.publish",
    ]);
    world
        .post(&owner, "policies/password/publish", &publish)
        .await
        .is(404);
    world
        .get(&owner, "audit?action=policies.publish")
        .await
        .shows(&["Published the passwords policy."]);
}

#[actix_web::test]
async fn the_vendor_reads_the_policy_and_the_duty_that_keeps_them_out() {
    let world = World::new().await;
    let vendor = world.person("Vic", Role::PlatformOwner).await;
    let page = world.get(&vendor, "policies/password").await;
    page.is(200)
        .shows(&[
            "15 characters",
            "You can look at this, but not change it",
            "Sign-in policy",
            "The customer is accountable for the duty",
            "responsibility#policy.sign_in",
        ])
        .hides(&["policies/password/draft", "Change this policy"]);
    let refused = world.get(&vendor, "policies/password/draft").await;
    refused.is(403).shows(&[
        "tenant.policies.password.draft",
        "policy.sign_in",
        "What would be needed",
    ]);
    let save = [("version", "0"), ("base", "1"), ("min_length", "20")];
    world
        .post(&vendor, "policies/password/save", &save)
        .await
        .is(403)
        .shows(&["policy.sign_in"]);
    world
        .post(
            &vendor,
            "policies/password/save",
            &[("version", "0"), ("base", "1"), ("min_length", "x")],
        )
        .await
        .is(403);
    // Looking for the form and both ways of sending it are in the log, each with the duty.
    let owner = world.person("Mara", Role::TenantOwner).await;
    let log = world.get(&owner, "audit?outcome=refused").await;
    assert!(
        log.body.matches("tenant.policies.password.draft").count() >= 3,
        "{}",
        log.body
    );
    world
        .get(&vendor, "policies/password/review")
        .await
        .is(200)
        .shows(&["There is no draft"]);
}

#[actix_web::test]
async fn someone_without_the_role_learns_who_has_it() {
    let world = World::new().await;
    let auditor = world.person("Ada", Role::TenantAuditor).await;
    let page = world.get(&auditor, "policies/token").await;
    page.is(200)
        .shows(&[
            "None of your roles lets you draft the tokens policy",
            "Security admin",
        ])
        .hides(&["Change this policy"]);
}

#[actix_web::test]
async fn two_people_who_change_the_same_policy_see_both() {
    let world = World::new().await;
    let mara = world.person("Mara", Role::TenantOwner).await;
    let ben = world.person("Ben", Role::SecurityAdmin).await;
    let draft = |length: &'static str| {
        [
            ("version", "0"),
            ("base", "1"),
            ("min_length", length),
            ("refuse_common", "on"),
            ("refuse_context", "on"),
        ]
    };
    world
        .post(&ben, "policies/password/save", &draft("18"))
        .await
        .is(303);
    let late = world
        .post(&mara, "policies/password/save", &draft("30"))
        .await;
    late.is(409).shows(&["Someone else changed this", "30"]);
    let stale = [("version", "9"), ("base", "1")];
    world
        .post(&mara, "policies/password/publish", &stale)
        .await
        .is(409)
        .shows(&["The draft was saved again", "<ins>18 characters</ins>"]);
    world
        .post(
            &ben,
            "policies/password/publish",
            &[("version", "1"), ("base", "1")],
        )
        .await
        .is(303);
    let conflict = world
        .post(&mara, "policies/password/save", &draft("30"))
        .await;
    conflict.is(409).shows(&[
        "Two people changed this policy",
        "Version 2 came into force meanwhile",
        "In force now",
        "What you typed",
        "<del>18 characters</del>",
        "<ins>30 characters</ins>",
        "name=\"base\" value=\"2\"",
        "name=\"min_length\" value=\"30\"",
    ]);
    let on_top = [
        ("version", "0"),
        ("base", "2"),
        ("min_length", "30"),
        ("refuse_common", "on"),
        ("refuse_context", "on"),
    ];
    world
        .post(&mara, "policies/password/save", &on_top)
        .await
        .is(303);
    // The second draft there ever was.
    let discard = [("version", "2"), ("base", "2")];
    world
        .post(&mara, "policies/password/discard", &discard)
        .await
        .is(303);
    world
        .get(&mara, "policies/password")
        .await
        .shows(&["Discarded the draft", "18 characters"]);
}
