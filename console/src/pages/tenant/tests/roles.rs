//! T19: admin roles.

use contract::role::Role;

use super::harness::{Answer, World};

/// The address of the first "Remove" of a role, without the tenant's base.
fn removal(answer: &Answer) -> String {
    let at = answer
        .body
        .find("roles/ras_")
        .expect("a role that can be removed");
    answer.body[at..at + "roles/ras_".len() + 26].to_owned()
}

#[actix_web::test]
async fn the_last_owner_stays() {
    let world = World::new().await;
    let owner = world.person("Mara", Role::TenantOwner).await;
    let page = world.get(&owner, "roles").await;
    page.is(200).shows(&[
        "Mara",
        "mara@example.test",
        "Tenant owner",
        "Invite a person",
        "name=\"role\" value=\"security_admin\"",
    ]);
    page.hides(&["value=\"platform_owner\""]);
    let role = removal(&page);
    let confirm = world.get(&owner, &format!("{role}/remove")).await;
    confirm
        .is(200)
        .shows(&["This role can't be removed now", "last Tenant owner"])
        .hides(&["Remove role</button>"]);
    world
        .post(&owner, &format!("{role}/remove"), &[])
        .await
        .is(409)
        .shows(&["someone else has to accept that role first"]);
}

#[actix_web::test]
async fn roles_are_given_to_people_and_taken_after_a_question() {
    let world = World::new().await;
    let owner = world.person("Mara", Role::TenantOwner).await;
    world.person("Ada", Role::TenantAuditor).await;
    let bad = [("name", ""), ("email", "ada"), ("role", "security_admin")];
    let answer = world.post(&owner, "roles/invite", &bad).await;
    answer.is(422).shows(&[
        "Name must not be empty.",
        "E-mail address must be an e-mail address",
        "2 things need your attention",
        "<title>Error: Admin roles",
        "value=\"ada\"",
    ]);
    let good = [
        ("name", "Ada"),
        ("email", "ada@example.test"),
        ("role", "security_admin"),
    ];
    let given = world.post(&owner, "roles/invite", &good).await;
    given.is(303);
    world.get_at(&owner, &given.location).await.shows(&[
        "Ada is now Security admin.",
        "unless they can sign in already",
    ]);
    world
        .post(&owner, "roles/invite", &good)
        .await
        .is(422)
        .shows(&["holds the role Security admin already"]);
    let page = world.get(&owner, "roles").await;
    let role = removal(&page);
    let confirm = world.get(&owner, &format!("{role}/remove")).await;
    confirm.is(200).shows(&["from Ada?", "Remove role"]);
    world
        .post(&owner, &format!("{role}/remove"), &[])
        .await
        .is(303);
    world
        .get(&owner, "roles")
        .await
        .shows(&["Ada is no longer"]);
}

#[actix_web::test]
async fn without_a_node_nobody_new_can_be_invited_and_the_page_says_so() {
    let world = World::new().await;
    let owner = world.person("Mara", Role::TenantOwner).await;
    let new = [
        ("name", "Nora"),
        ("email", "nora@example.test"),
        ("role", "tenant_auditor"),
    ];
    world
        .post(&owner, "roles/invite", &new)
        .await
        .is(422)
        .shows(&["No node of the region", "value=\"Nora\""]);
    world.get(&owner, "roles").await.hides(&["Nora"]);
}

#[actix_web::test]
async fn the_vendor_sees_people_but_gives_nothing() {
    let world = World::new().await;
    world.person("Mara", Role::TenantOwner).await;
    let vendor = world.person("Vic", Role::PlatformOwner).await;
    let page = world.get(&vendor, "roles").await;
    page.is(200)
        .shows(&["Mara", "Tenant operators"])
        .hides(&["Invite a person", "/remove", "Send invitation again"]);
}

#[actix_web::test]
async fn the_table_has_heads_and_words_in_every_cell() {
    let world = World::new().await;
    let owner = world.person("Mara", Role::TenantOwner).await;
    let page = world.get(&owner, "roles/table").await;
    page.is(200).shows(&[
        "<th scope=\"col\"",
        "<th scope=\"row\">Publish the passwords policy<small>tenant.policies.password.publish</small>",
        "<span class=\"vh\">yes</span>",
        "<span class=\"vh\">no</span>",
        "no: the matrix keeps the vendor out",
    ]);
    page.hides(&["platform.nodes.manage"]);
}
