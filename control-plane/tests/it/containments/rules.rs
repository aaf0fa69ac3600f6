//! Who may contain what, and what the log says of it.

use chrono::TimeDelta;
use contract::{
    application::ApplicationKind,
    containment::Subject,
    ids::ApplicationId,
    ids::TypedId,
    role::{Party, Role},
};
use control_plane::{
    ConsoleClient, ContainmentChange, Mode, NewContainment, PageRequest, Progress, Wait,
    applications::NewApplication, audit::Outcome, containments::ContainmentAt,
};

use super::{contain, hour, kept, node, user};
use crate::harness::{IMPACT, World, code};

fn lift() -> ContainmentChange {
    ContainmentChange::Lift {
        reason: "It is over".to_owned(),
    }
}

const HOW: (Wait, Mode) = (Wait::No, Mode::Commit);

#[tokio::test]
async fn either_side_contains_and_the_other_one_reads_it_in_the_tenants_log() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    for (number, role, verdict) in [
        (1, Role::PlatformOwner, "done"),
        (2, Role::PlatformOperator, "done"),
        (3, Role::SupportEngineer, "missing_permission"),
        (4, Role::PlatformAuditor, "missing_permission"),
        (5, Role::TenantOwner, "done"),
        (6, Role::SecurityAdmin, "done"),
        (7, Role::ApplicationDeveloper, "missing_permission"),
        (8, Role::UserSupport, "missing_permission"),
        (9, Role::TenantAuditor, "missing_permission"),
    ] {
        let caller = match role.party() {
            Party::Vendor => world.staff(role).await,
            Party::Customer => world.member(&acme, role).await,
        };
        let new = hour(user(number));
        let tried = world
            .cp
            .contain(&caller, acme.id, new, (Wait::No, Mode::Commit))
            .await;
        assert_eq!(code(tried), verdict, "{role}");
        let told = &world.audit(acme.id).await[0].event;
        assert_eq!(told.actor.operator, caller.operator(), "{role}");
        assert_eq!(told.actor.party, role.party());
        let done = verdict == "done";
        assert_eq!(told.outcome == Outcome::Done, done);
        let action = if done {
            "containments.begin"
        } else {
            "tenant.containments.manage"
        };
        assert_eq!(told.action, action);
        assert!(
            !done || told.sentence.contains("The account was taken over"),
            "{}",
            told.sentence
        );
        assert_eq!(
            told.object
                .as_ref()
                .map_or("", |object| object.kind.as_str()),
            if done { "containment" } else { "" }
        );
        let preview = world
            .cp
            .preview_containment(&caller, acme.id, user(99))
            .await;
        assert_eq!(code(preview), verdict, "{role}");
        let seen = code(world.cp.contained(&caller, acme.id).await);
        let sees = !matches!(role, Role::ApplicationDeveloper | Role::UserSupport);
        assert_eq!(seen == "done", sees, "{role}");
    }
    let stranger = world.tenant("globex").await;
    let stranger = world.member(&stranger, Role::TenantOwner).await;
    let new = hour(user(10));
    let tried = world
        .cp
        .contain(&stranger, acme.id, new, (Wait::No, Mode::Commit))
        .await;
    assert_eq!(code(tried), "not found: tenant");
}

#[tokio::test]
async fn what_is_in_force_is_listed_to_those_who_may_see_it() {
    let world = World::new().await;
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    let owner = world.member(&acme, Role::TenantOwner).await;
    let developer = world.member(&acme, Role::ApplicationDeveloper).await;
    let staff = world.staff(Role::SupportEngineer).await;
    let first = contain(&world.cp, acme.id, user(1)).await.unwrap();
    let brief = NewContainment {
        minutes: 1,
        ..hour(user(2))
    };
    world.clock.advance(TimeDelta::seconds(1));
    let brief = world
        .cp
        .contain(&owner, acme.id, brief, (Wait::No, Mode::Commit));
    let brief = brief.await.unwrap();
    world.clock.advance(TimeDelta::seconds(1));
    let last = contain(&world.cp, globex.id, Subject::Tenant {})
        .await
        .unwrap();
    let open = async |caller| {
        let found = world.cp.list_open_containments(caller).await.unwrap();
        found
            .iter()
            .map(|state| state.containment.id)
            .collect::<Vec<_>>()
    };
    let (first, brief, last) = (
        first.containment.id, brief.containment.id, last.containment.id,
    );
    assert_eq!(open(&staff).await, [last, brief, first]);
    assert_eq!(open(&owner).await, [brief, first]);
    assert!(open(&developer).await.is_empty());
    world.clock.advance(TimeDelta::minutes(1));
    assert_eq!(open(&staff).await, [last, first]);
    let page = PageRequest::parse(Some(1), None).unwrap();
    let all = world
        .cp
        .list_containments(&owner, acme.id, &page)
        .await
        .unwrap();
    assert_eq!(all.items[0].containment.id, brief);
    let next = PageRequest::parse(Some(1), Some(&all.next.unwrap().encode())).unwrap();
    let all = world
        .cp
        .list_containments(&owner, acme.id, &next)
        .await
        .unwrap();
    assert_eq!((all.items[0].containment.id, all.next), (first, None));
    assert_eq!(
        world.audit(acme.id).await.len(),
        world.audit(acme.id).await.len()
    );
}

#[tokio::test]
async fn nobody_contains_what_is_not_there_nor_what_would_lock_everybody_out() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let system = world.cp.system_caller();
    let console = ConsoleClient {
        redirect_uris: vec!["http://127.0.0.1:7000/login/callback".parse().unwrap()],
        post_logout_redirect_uris: Vec::new(),
    };
    let platform = world.cp.ensure_platform(console).await.unwrap();
    let application = |application| Subject::Application { application };
    let nobodys = ApplicationId::from_uuid(uuid::Uuid::from_u128(5));
    let key = Subject::SigningKey {
        kid: "k9".parse().unwrap(),
    };
    for (tenant, subject, verdict) in [
        (acme.id, application(nobodys), "invalid: subject"),
        (
            acme.id,
            application(platform.console_client_id),
            "invalid: subject",
        ),
        (acme.id, key, "invalid: subject"),
        (platform.tenant, Subject::Tenant {}, "built_in"),
        (
            platform.tenant,
            application(platform.console_client_id),
            "built_in",
        ),
        (platform.tenant, user(1), "done"),
        (acme.id, Subject::Tenant {}, "done"),
        (acme.id, Subject::Tenant {}, "contained"),
    ] {
        let tried = contain(&world.cp, tenant, subject.clone()).await;
        assert_eq!(code(tried), verdict, "{subject}");
        let preview = world
            .cp
            .preview_containment(&system, tenant, subject.clone())
            .await;
        let expected = if verdict == "done" {
            "contained"
        } else {
            verdict
        };
        assert_eq!(code(preview), expected, "{subject}");
    }
    for (new, member) in [
        (
            NewContainment {
                minutes: 0,
                ..hour(user(2))
            },
            "minutes",
        ),
        (
            NewContainment {
                minutes: 525_601,
                ..hour(user(2))
            },
            "minutes",
        ),
        (
            NewContainment {
                reason: String::new(),
                ..hour(user(2))
            },
            "reason",
        ),
        (
            NewContainment {
                reason: "two\nlines".into(),
                ..hour(user(2))
            },
            "reason",
        ),
        (
            NewContainment {
                reason: "x".repeat(201),
                ..hour(user(2))
            },
            "reason",
        ),
    ] {
        let tried = world
            .cp
            .contain(&system, acme.id, new, (Wait::No, Mode::Commit))
            .await;
        assert_eq!(code(tried), format!("invalid: {member}"));
    }
}

#[tokio::test]
async fn what_ended_is_changed_no_more_and_may_be_contained_anew() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let owner = world.member(&acme, Role::TenantOwner).await;
    let first = contain(&world.cp, acme.id, user(1)).await.unwrap();
    let id = first.containment.id;
    let at = |expected| ContainmentAt {
        tenant: acme.id,
        id,
        expected,
    };
    let change = async |expected, change| {
        world
            .cp
            .change_containment(&owner, at(expected), change, HOW)
            .await
    };
    let until = |minutes| ContainmentChange::Until { minutes };
    assert_eq!(code(change(Some(7), lift()).await), "stale: 1");
    assert_eq!(code(change(Some(1), until(0)).await), "invalid: minutes");
    let extended = change(Some(1), until(120)).await.unwrap();
    assert_eq!(
        extended.containment.until,
        extended.accepted_at + TimeDelta::minutes(120)
    );
    assert_eq!((extended.version, extended.as_of.sequence), (2, 2));
    world.clock.advance(TimeDelta::minutes(61));
    assert_eq!(
        code(contain(&world.cp, acme.id, user(1)).await),
        "contained"
    );
    let lifted = change(None, lift()).await.unwrap();
    assert_eq!(lifted.lifted_by.as_deref(), Some(owner.name()));
    assert_eq!(code(change(None, lift()).await), "over");
    assert_eq!(code(change(None, until(5)).await), "over");
    let sentences: Vec<String> = world.audit(acme.id).await[..2]
        .iter()
        .map(|record| record.event.sentence.clone())
        .collect();
    assert!(sentences[0].starts_with("Lifted the containment of the user usr_"));
    assert!(
        sentences[1].contains("end at 2026-01-02 05:04 UTC"),
        "{sentences:?}"
    );

    let anew = contain(&world.cp, acme.id, user(1)).await.unwrap();
    assert_ne!(anew.containment.id, id);
    world.clock.advance(TimeDelta::minutes(60));
    let expired = ContainmentAt {
        id: anew.containment.id,
        ..at(None)
    };
    let expired = world
        .cp
        .change_containment(&owner, expired, lift(), HOW)
        .await;
    assert_eq!(code(expired), "over");
    let elsewhere = world.tenant("globex").await;
    let wrong = ContainmentAt {
        tenant: elsewhere.id,
        ..at(None)
    };
    let system = world.cp.system_caller();
    let wrong = world
        .cp
        .change_containment(&system, wrong, lift(), HOW)
        .await;
    assert_eq!(code(wrong), "not found: containment");
}

#[tokio::test]
async fn a_dry_run_answers_the_same_and_leaves_nothing() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let owner = world.member(&acme, Role::TenantOwner).await;
    let (_node, mut lane) = node(&world.cp, 1).await;
    let before = kept(&world).await;
    let tried = world
        .cp
        .contain(
            &owner,
            acme.id,
            hour(user(1)),
            (Wait::Reachable, Mode::DryRun),
        )
        .await
        .unwrap();
    assert_eq!((tried.as_of.sequence, tried.nodes.len()), (1, 1));
    assert!(matches!(tried.nodes[0].outcome, Progress::Silent { .. }));
    assert_eq!(kept(&world).await, before);
    let real = contain(&world.cp, acme.id, user(2)).await.unwrap();
    assert_eq!(real.as_of.sequence, 1);
    assert_eq!(lane.hear_document().await.id, real.containment.id);
    assert_eq!(lane.hear_roll().await.sequence, 1);
    let before = kept(&world).await;
    let at = ContainmentAt {
        tenant: acme.id,
        id: real.containment.id,
        expected: None,
    };
    let how = (Wait::Reachable, Mode::DryRun);
    let tried = world.cp.change_containment(&owner, at, lift(), how).await;
    assert_eq!(tried.unwrap().version, 2);
    assert_eq!(kept(&world).await, before);
}

#[tokio::test]
async fn a_preview_counts_and_a_region_that_is_away_keeps_nobody_from_containing() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let owner = world.member(&acme, Role::TenantOwner).await;
    let machine = NewApplication::of_kind("Job", ApplicationKind::Machine);
    let made = world
        .cp
        .create_application(&owner, acme.id, machine, Mode::Commit);
    let application = made.await.unwrap().record.application.id;
    let subject = Subject::Application { application };
    let away = world
        .cp
        .preview_containment(&owner, acme.id, subject.clone())
        .await;
    let away = away.unwrap();
    assert!(away.impact.unwrap_err().contains("local"));
    assert_eq!((away.nodes, away.subject_name.as_deref()), (0, Some("Job")));

    let _node = world.node().await;
    let preview = world
        .cp
        .preview_containment(&owner, acme.id, subject.clone())
        .await;
    let preview = preview.unwrap();
    assert_eq!((preview.impact, preview.nodes), (Ok(IMPACT), 1));
    assert_eq!(
        preview.warnings.len(),
        1,
        "the node has no lane: {:?}",
        preview.warnings
    );
    // What was shown is what the record says.
    let state = contain(&world.cp, acme.id, subject).await.unwrap();
    assert_eq!(
        (state.impact, state.subject_name.as_deref()),
        (Some(IMPACT), Some("Job"))
    );
    // Without a preview the region is asked afterwards.
    let state = contain(&world.cp, acme.id, Subject::Tenant {})
        .await
        .unwrap();
    assert_eq!(state.impact, None);
    let at = (acme.id, state.containment.id);
    super::until(&world.cp, &owner, at, |state| state.impact == Some(IMPACT)).await;
}
