//! What is taken, what is refused and what is forgotten, as tables.

use std::collections::BTreeMap;

use contract::{
    containment::{Containment, Roll, Subject},
    ids::TypedId,
    jws::{ReleaseSigner, TrustRoot},
};
use host::{Entropy, Kek, ManualClock};
use uuid::Uuid;

use super::{
    apply::{Intake, NotTaken},
    *,
};

fn id<I: TypedId>(number: u128) -> I {
    I::from_uuid(Uuid::from_u128(number))
}

struct World {
    signer: ReleaseSigner,
    time: ManualClock,
    clock: Clock,
    home: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let (clock, time) = Clock::manual(DateTime::UNIX_EPOCH + TimeDelta::days(20_000));
        Self {
            signer: ReleaseSigner::from_secret(&[1; 32]),
            time,
            clock,
            home: tempfile::tempdir().unwrap(),
        }
    }

    /// A node on the one directory, as after a start.
    fn open(&self) -> (Arc<Containments>, Intake) {
        let region: Region = "eu".parse().unwrap();
        let containments = Arc::new(Containments::new(region, self.clock.clone()));
        let kek = Kek::from_bytes([7; 32]);
        let keeper = Keeper::new(self.home.path(), &kek, Entropy::seeded(1));
        let trust = TrustRoot {
            keys: vec![self.signer.public()],
        };
        let intake = Intake::open(Arc::clone(&containments), keeper, trust).unwrap();
        (containments, intake)
    }

    fn containment(&self, number: u128, sequence: u64) -> Containment {
        Containment {
            id: id(number),
            revision: 1,
            sequence,
            tenant: id(1),
            region: "eu".parse().unwrap(),
            subject: Subject::User { user: id(number) },
            ends_existing: false,
            begun_at: self.clock.now(),
            until: self.clock.now() + TimeDelta::hours(1),
            lifted_at: None,
        }
    }

    fn jws(&self, containment: &Containment) -> String {
        containment.sign(&self.signer).unwrap()
    }

    fn roll(&self, sequence: u64, listed: &[&Containment]) -> String {
        let roll = Roll {
            region: "eu".parse().unwrap(),
            sequence,
            issued_at: self.clock.now(),
            holds: listed
                .iter()
                .map(|one| (one.id, one.revision))
                .collect::<BTreeMap<_, _>>(),
        };
        roll.sign(&self.signer).unwrap()
    }

    fn user(&self, number: u128) -> Who<'static> {
        Who {
            user: Some(id(number)),
            ..Who::anybody(self.clock.now())
        }
    }
}

#[tokio::test]
async fn who_is_contained_is_refused_until_the_end_also_after_a_restart_r_rev_01_f_04() {
    let world = World::new();
    let (containments, intake) = world.open();
    assert!(containments.ask(id(1), &world.user(5)).is_ok());
    let five = world.containment(5, 1);
    let taken = intake.take(&world.jws(&five)).await.unwrap().unwrap();
    assert_eq!(taken.containment, five);
    for _ in 0..2 {
        let (containments, _) = world.open();
        let refused = containments.ask(id(1), &world.user(5)).unwrap_err();
        assert_eq!(
            (refused.containment, refused.what),
            (five.id, Contained::User)
        );
        assert!(containments.pass(id(1), &world.user(5)).is_err());
        assert!(
            containments.ask(id(1), &world.user(6)).is_ok(),
            "nobody else"
        );
        assert!(
            containments.ask(id(2), &world.user(5)).is_ok(),
            "nowhere else"
        );
    }
    // It ends by the node's own clock: nobody has to be reached for that.
    world.time.advance(TimeDelta::minutes(61));
    assert!(containments.ask(id(1), &world.user(5)).is_ok());
}

#[tokio::test]
async fn what_is_doubled_overtaken_or_late_changes_nothing_f_18() {
    let world = World::new();
    let (containments, intake) = world.open();
    let first = world.containment(5, 1);
    let lifted = Containment {
        revision: 2,
        sequence: 2,
        lifted_at: Some(world.clock.now()),
        ..first.clone()
    };
    assert!(intake.take(&world.jws(&lifted)).await.unwrap().is_some());
    assert!(
        intake.take(&world.jws(&first)).await.unwrap().is_none(),
        "overtaken"
    );
    assert!(
        intake.take(&world.jws(&lifted)).await.unwrap().is_some(),
        "confirmed again"
    );
    assert!(containments.ask(id(1), &world.user(5)).is_ok());
    // A roll before its document: not complete, and its number is not believed reached.
    let six = world.containment(6, 3);
    assert!(!intake.take_roll(&world.roll(3, &[&six])).await.unwrap());
    assert_eq!(containments.sequence(), 0);
    intake.take(&world.jws(&six)).await.unwrap();
    assert!(intake.take_roll(&world.roll(3, &[&six])).await.unwrap());
    assert_eq!(containments.sequence(), 3);
    assert_eq!(
        intake.holds().len(),
        1,
        "what the roll does not list is over"
    );
}

#[tokio::test]
async fn nothing_is_taken_back_but_by_a_newer_roll_f_10() {
    let world = World::new();
    let (containments, intake) = world.open();
    let five = world.containment(5, 7);
    intake.take(&world.jws(&five)).await.unwrap();
    assert!(intake.take_roll(&world.roll(7, &[&five])).await.unwrap());
    for restarted in [false, true] {
        let (_, again) = world.open();
        let intake = if restarted { &again } else { &intake };
        let behind = intake.take_roll(&world.roll(6, &[])).await;
        assert!(matches!(
            behind,
            Err(NotTaken::Behind {
                offered: 6,
                taken: 7
            })
        ));
    }
    assert!(containments.ask(id(1), &world.user(5)).is_err());
    // A document that is newer than the roll is not on it yet, and stays.
    let six = world.containment(6, 9);
    intake.take(&world.jws(&six)).await.unwrap();
    assert!(intake.take_roll(&world.roll(8, &[&five])).await.unwrap());
    assert!(containments.ask(id(1), &world.user(6)).is_err());
    assert!(intake.take_roll(&world.roll(9, &[])).await.unwrap());
    assert!(containments.ask(id(1), &world.user(5)).is_ok());
}

#[tokio::test]
async fn what_is_not_signed_or_not_ours_is_refused() {
    let world = World::new();
    let (containments, intake) = world.open();
    let five = world.containment(5, 1);
    let stranger = ReleaseSigner::from_secret(&[2; 32]);
    let elsewhere = Containment {
        region: "us".parse().unwrap(),
        ..five.clone()
    };
    let mut flipped = world.jws(&five);
    flipped.replace_range(200..201, if &flipped[200..201] == "A" { "B" } else { "A" });
    for bad in [
        five.sign(&stranger).unwrap(),
        world.jws(&elsewhere),
        flipped,
        world.roll(1, &[]),
        String::new(),
    ] {
        assert!(intake.take(&bad).await.is_err(), "{bad}");
    }
    intake.take(&world.jws(&five)).await.unwrap();
    let other = Containment {
        until: five.until + TimeDelta::hours(1),
        ..five
    };
    let differs = intake.take(&world.jws(&other)).await;
    assert!(matches!(differs, Err(NotTaken::OtherContent)));
    assert_eq!(containments.set().all().count(), 1);
}

/// What is confirmed waits for answers that were decided before (performance C2).
#[tokio::test]
async fn a_document_is_not_applied_while_an_answer_that_knew_less_is_made() {
    let world = World::new();
    let (containments, intake) = world.open();
    let passage = containments.pass(id(1), &world.user(5)).unwrap();
    let jws = world.jws(&world.containment(5, 1));
    let taking = intake.take(&jws);
    tokio::pin!(taking);
    let early = tokio::time::timeout(std::time::Duration::from_millis(50), &mut taking).await;
    assert!(early.is_err(), "the answer stands first");
    assert!(
        containments.ask(id(1), &world.user(5)).is_err(),
        "the next one knows"
    );
    drop(passage);
    assert!(taking.await.unwrap().is_some());
}

#[tokio::test]
async fn silence_is_counted_across_a_restart_r_rev_02() {
    let world = World::new();
    let (containments, intake) = world.open();
    intake.heard().await;
    world.time.advance(TimeDelta::seconds(40));
    assert_eq!(containments.silence(), TimeDelta::seconds(40));
    let (again, _) = world.open();
    assert_eq!(again.silence(), TimeDelta::seconds(40));
    intake.heard().await;
    assert_eq!(containments.silence(), TimeDelta::zero());
    let ours: AsOf = "eu.0".parse().unwrap();
    let ahead: AsOf = "eu.1".parse().unwrap();
    let theirs: AsOf = "us.0".parse().unwrap();
    assert!(containments.is_as_of(&ours));
    assert!(!containments.is_as_of(&ahead) && !containments.is_as_of(&theirs));
}

#[tokio::test]
async fn that_nothing_is_contained_is_known_after_a_restart_too() {
    let world = World::new();
    let (_, mut intake) = world.open();
    intake.heard().await;
    assert!(!intake.knows_roll());
    assert!(!world.open().1.knows_roll());
    assert!(intake.take_roll(&world.roll(0, &[])).await.unwrap());
    assert!(intake.knows_roll());
    assert!(world.open().1.knows_roll());
}

#[test]
fn a_damaged_file_is_not_taken_for_none() {
    let world = World::new();
    std::fs::write(world.home.path().join("containments"), b"damaged").unwrap();
    let containments = Arc::new(Containments::new(
        "eu".parse().unwrap(),
        world.clock.clone(),
    ));
    let keeper = Keeper::new(
        world.home.path(),
        &Kek::from_bytes([7; 32]),
        Entropy::seeded(1),
    );
    assert!(Intake::open(containments, keeper, TrustRoot::default()).is_err());
}
