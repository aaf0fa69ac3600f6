//! T20: the responsibility matrix.

use contract::role::Role;

use super::harness::World;

#[actix_web::test]
async fn the_matrix_shows_who_answers_and_locks_what_is_fixed() {
    let world = World::new().await;
    let owner = world.person("Mara", Role::TenantOwner).await;
    let page = world.get(&owner, "responsibility").await;
    page.is(200).shows(&[
        "Sign-in policy",
        "Decides what a person must prove to sign in.",
        "Fix critical vulnerabilities within 72 hours.",
        "PR.AA-03",
        "tenant.policies.password.publish",
        "party shared",
        "Fixed",
        "responsibility/policy.sign_in",
    ]);
    page.hides(&[
        "responsibility/service.nodes",
        "responsibility/service.patching",
    ]);
    let locked = world.get(&owner, "responsibility/service.nodes").await;
    locked
        .is(200)
        .shows(&["stays with the vendor"])
        .hides(&["Review the change"]);
    world.get(&owner, "responsibility/nonsense").await.is(404);
}

#[actix_web::test]
async fn a_change_is_read_back_before_it_counts() {
    let world = World::new().await;
    let owner = world.person("Mara", Role::TenantOwner).await;
    let vendor = world.person("Vic", Role::PlatformOperator).await;
    world.get(&vendor, "policies/password/draft").await.is(403);
    let form = world.get(&owner, "responsibility/policy.sign_in").await;
    form.is(200).shows(&[
        "Who answers for it",
        "value=\"customer\" checked",
        "Review the change",
    ]);
    let same = [
        ("version", "1"),
        ("accountable", "customer"),
        ("actors", "customer"),
    ];
    world
        .post(&owner, "responsibility/policy.sign_in/review", &same)
        .await
        .is(422)
        .shows(&["how it is already"]);
    let impossible = [
        ("version", "1"),
        ("accountable", "customer"),
        ("actors", "vendor"),
    ];
    let answer = world
        .post(&owner, "responsibility/policy.sign_in/review", &impossible)
        .await;
    answer
        .is(422)
        .shows(&["must include the accountable party"]);
    let shared = [
        ("version", "1"),
        ("accountable", "customer"),
        ("actors", "customer"),
        ("actors", "vendor"),
    ];
    let review = world
        .post(&owner, "responsibility/policy.sign_in/review", &shared)
        .await;
    review.is(200).shows(&[
        "People of the vendor may act from now on.",
        "The duty becomes shared",
        "Save the change",
    ]);
    world.get(&vendor, "policies/password/draft").await.is(403);
    world
        .post(&owner, "responsibility/policy.sign_in/save", &shared)
        .await
        .is(303);
    world.get(&vendor, "policies/password/draft").await.is(200);
    world
        .post(
            &owner,
            "responsibility/policy.sign_in/save",
            &[
                ("version", "1"),
                ("accountable", "customer"),
                ("actors", "customer"),
            ],
        )
        .await
        .is(409);
}

#[actix_web::test]
async fn only_the_accountable_party_changes_a_row() {
    let world = World::new().await;
    let vendor = world.person("Vic", Role::PlatformOwner).await;
    let page = world.get(&vendor, "responsibility/policy.sign_in").await;
    page.is(200)
        .shows(&["You can't change this row", "customer"])
        .hides(&["Review the change"]);
    let take = [
        ("version", "1"),
        ("accountable", "vendor"),
        ("actors", "vendor"),
    ];
    world
        .post(&vendor, "responsibility/policy.sign_in/save", &take)
        .await
        .is(403);
}
