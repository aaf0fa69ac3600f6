//! The meter's words for what nodes may have done.

use chrono::TimeDelta;
use contract::{
    containment::{AsOf, Containment, Subject},
    ids::{ContainmentId, NodeId, TenantId, TypedId},
    receipt::{Figures, Residual},
};
use uuid::Uuid;

use super::*;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

fn node(number: u128, connected: bool, outcome: Progress) -> NodeProgress {
    NodeProgress {
        node: NodeId::from_uuid(Uuid::from_u128(number)),
        name: format!("eu-{number}").parse().unwrap(),
        connected,
        outcome,
    }
}

fn confirmed(after_us: u64, probe: Probe) -> Progress {
    Progress::Confirmed {
        after_us,
        applied_at: at(0),
        probe,
    }
}

fn refused_at(seconds: i64) -> Probe {
    Probe::Refused {
        at: at(seconds),
        requests: 2,
    }
}

fn state(nodes: Vec<NodeProgress>, silent_until: Option<i64>) -> ContainmentState {
    let times = nodes.iter().filter_map(|node| match node.outcome {
        Progress::Confirmed { after_us, .. } => Some((after_us, node.node)),
        _ => None,
    });
    let figures = Figures::of_times(nodes.len(), times.collect());
    let region: contract::tenant::Region = "eu".parse().unwrap();
    ContainmentState {
        containment: Containment {
            id: ContainmentId::from_uuid(Uuid::from_u128(1)),
            revision: 1,
            sequence: 1,
            tenant: TenantId::from_uuid(Uuid::from_u128(2)),
            region: region.clone(),
            subject: Subject::Tenant {},
            ends_existing: true,
            begun_at: at(0),
            until: at(3600),
            lifted_at: None,
        },
        tenant_slug: "acme".parse().unwrap(),
        tenant_name: "Acme".to_owned(),
        subject_name: None,
        reason: "drill".to_owned(),
        actor: "opr".to_owned(),
        actor_name: "Mara".to_owned(),
        lifted_reason: None,
        lifted_by: None,
        impact: None,
        accepted_at: at(0),
        residual: Residual {
            tokens_until: Some(at(600)),
            silent_until: silent_until.map(at),
            silent: figures.nodes - figures.confirmed,
        },
        figures,
        nodes,
        as_of: AsOf {
            region,
            sequence: 1,
        },
        version: 1,
    }
}

#[test]
fn every_node_confirmed_p10() {
    let all = state(
        vec![
            node(1, true, confirmed(900, refused_at(1))),
            node(2, true, confirmed(12_345, refused_at(1))),
        ],
        None,
    );
    let shown = meter(&all, at(10));
    assert_eq!(shown.words, "Effective on 2 of 2 nodes, 12 ms");
    assert_eq!(
        (shown.tone.as_str(), shown.state.as_str()),
        ("ok", "Everywhere")
    );
    assert!(shown.complete && shown.rest.is_empty());
    // The slowest first.
    let lines: Vec<_> = shown.lines.iter().map(|line| line.after.as_str()).collect();
    assert_eq!(lines, ["12 ms", "0.9 ms"]);
    assert_eq!(shown.lines[0].probe, "at 00:00:01.000 UTC, request 2");
    assert_eq!(shown.exposure.len(), 1);
    assert!(shown.exposure[0].contains("until 00:10:00.000 UTC"));
    let later = meter(&all, at(700));
    assert_eq!(
        later.exposure,
        ["Every access token from before has expired."]
    );
    let over = meter(&all, at(3600));
    assert_eq!(over.words, "Was effective on 2 of 2 nodes, 12 ms");
}

#[test]
fn what_is_missing_comes_first_and_is_never_counted() {
    let some = state(
        vec![
            node(1, true, confirmed(2_000_000, refused_at(1))),
            node(
                2,
                false,
                Progress::Silent {
                    last_heard_at: Some(at(-5)),
                },
            ),
            node(
                3,
                true,
                Progress::Silent {
                    last_heard_at: Some(at(9)),
                },
            ),
        ],
        None,
    );
    let shown = meter(&some, at(10));
    assert_eq!(shown.words, "Effective on 1 of 3 nodes, 2.0 s");
    assert_eq!((shown.tone.as_str(), shown.complete), ("info", false));
    let states: Vec<_> = shown.lines.iter().map(|line| line.state.as_str()).collect();
    assert_eq!(states, ["Not reachable", "Waiting", "Confirmed"]);
    assert!(shown.lines[0].after.starts_with("silent since 23:59:55"));
    assert!(shown.exposure[1].starts_with("2 nodes have not confirmed, and may let it through"));
}

#[test]
fn a_bound_is_told_where_there_is_one() {
    let silent = || {
        vec![node(
            1,
            false,
            Progress::Silent {
                last_heard_at: None,
            },
        )]
    };
    let waiting = meter(&state(silent(), Some(30)), at(10));
    assert!(waiting.exposure[1].contains("by themselves from 00:00:30.000 UTC on"));
    assert_eq!(waiting.lines[0].after, "never heard");
    let bounded = meter(&state(silent(), Some(30)), at(40));
    assert!(bounded.exposure[1].contains("since 00:00:30.000 UTC"));
}

#[test]
fn a_refusal_and_a_leak_are_alarms() {
    let refusing = Progress::Refused {
        reason: "the disk is full".to_owned(),
    };
    let shown = meter(&state(vec![node(1, true, refusing)], None), at(10));
    assert_eq!(
        (shown.tone.as_str(), shown.state.as_str()),
        ("bad", "Refused")
    );
    assert_eq!(shown.lines[0].after, "the disk is full");
    let leak = Probe::LetThrough {
        at: at(1),
        requests: 7,
    };
    let shown = meter(
        &state(vec![node(1, true, confirmed(5, leak))], None),
        at(10),
    );
    assert_eq!(
        (shown.tone.as_str(), shown.state.as_str()),
        ("bad", "Let through")
    );
    assert!(shown.lines[0].probe.contains("request 7"));
    let nobody = meter(&state(Vec::new(), None), at(10));
    assert!(!nobody.complete && nobody.words.contains("no node"));
}

#[test]
fn a_fleet_is_cut_short_and_says_so() {
    let fleet = (1..=60).map(|number| node(number, true, confirmed(5, refused_at(1))));
    let shown = meter(&state(fleet.collect(), None), at(10));
    assert_eq!(shown.lines.len(), MOST_LINES);
    assert_eq!(shown.rest, "10 further nodes are not shown.");
}

#[test]
fn times_are_as_short_as_they_matter() {
    for (us, expected) in [
        (0, "0.0 ms"),
        (850, "0.8 ms"),
        (9_999, "9.9 ms"),
        (12_900, "12 ms"),
        (999_999, "999 ms"),
        (1_850_000, "1.8 s"),
        (61_000_000, "61.0 s"),
    ] {
        assert_eq!(micros(us), expected);
    }
}
