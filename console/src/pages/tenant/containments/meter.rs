//! How far a containment got, in words: the propagation meter, its nodes, and what is still exposed.
//!
//! The island shows these words and no others, at first and with each event. They say what nodes confirmed by their
//! own signed word; a node that said nothing is never counted, however likely it is that it heard.

use chrono::{DateTime, Utc};
use console_islands::{Line, Meter};
use contract::lane::Probe;
use control_plane::{ContainmentState, NodeProgress, Progress};
use leptos::prelude::AnyView;

use super::words::Phase;
use crate::{
    kit::{Tone, absolute, pill},
    pages::list::counted,
};

/// Further nodes say nothing new.
const MOST_LINES: usize = 50;

/// The meter of a state at `now`.
pub(crate) fn meter(state: &ContainmentState, now: DateTime<Utc>) -> Meter {
    let phase = Phase::of(state, now);
    let (tone, word) = verdict(state, phase);
    let mut nodes: Vec<&NodeProgress> = state.nodes.iter().collect();
    // What needs somebody first, then the slowest.
    nodes.sort_by_key(|node| match &node.outcome {
        Progress::Refused { .. } => (0, 0),
        Progress::Silent { .. } => (1, 0),
        Progress::Confirmed { after_us, .. } => (2, u64::MAX - after_us),
    });
    let rest = nodes.len().saturating_sub(MOST_LINES);
    Meter {
        tone: tone.class().to_owned(),
        state: word.to_owned(),
        words: words(state, phase),
        detail: detail(state),
        confirmed: state.figures.confirmed,
        nodes: state.figures.nodes,
        complete: is_complete(state),
        lines: nodes
            .into_iter()
            .take(MOST_LINES)
            .map(|node| line(node, phase))
            .collect(),
        rest: match rest {
            0 => String::new(),
            rest => format!(
                "{} not shown.",
                counted(rest, "further node is", "further nodes are")
            ),
        },
        exposure: exposure(state, phase, now),
        as_of: absolute(now),
    }
}

/// The same as a mark in a list.
pub(crate) fn mark(state: &ContainmentState, now: DateTime<Utc>) -> AnyView {
    let (tone, _) = verdict(state, Phase::of(state, now));
    let figures = &state.figures;
    let tone = match tone {
        Tone::Info => Tone::Warn,
        other => other,
    };
    let of = format!("{} of {}", figures.confirmed, figures.nodes);
    match figures.slowest_us {
        Some(slowest) if is_complete(state) => pill(tone, format!("{of}, {}", micros(slowest))),
        _ => pill(tone, of),
    }
}

/// Whether every node there is has confirmed the newest revision.
pub(crate) fn is_complete(state: &ContainmentState) -> bool {
    let figures = &state.figures;
    figures.nodes > 0 && figures.confirmed == figures.nodes
}

fn verdict(state: &ContainmentState, phase: Phase) -> (Tone, &'static str) {
    let refuses = |node: &NodeProgress| matches!(node.outcome, Progress::Refused { .. });
    let leaks = |node: &NodeProgress| phase == Phase::InForce && lets_through(node);
    match state {
        _ if state.nodes.iter().any(leaks) => (Tone::Bad, "Let through"),
        _ if state.nodes.iter().any(refuses) => (Tone::Bad, "Refused"),
        _ if state.figures.nodes == 0 => (Tone::Warn, "No node"),
        _ if is_complete(state) => (Tone::Ok, "Everywhere"),
        _ => (Tone::Info, "Under way"),
    }
}

fn lets_through(node: &NodeProgress) -> bool {
    matches!(
        node.outcome,
        Progress::Confirmed {
            probe: Probe::LetThrough { .. },
            ..
        }
    )
}

/// `Effective on 3 of 3 nodes, 12 ms`.
pub(crate) fn words(state: &ContainmentState, phase: Phase) -> String {
    let figures = &state.figures;
    let verb = match phase {
        Phase::InForce => "Effective",
        Phase::Lifted => "Lifted",
        Phase::Ended => "Was effective",
    };
    if figures.nodes == 0 {
        return format!("{verb} on no node: the region has none that is there");
    }
    let all = counted(
        usize::try_from(figures.nodes).unwrap_or(usize::MAX),
        "node",
        "nodes",
    );
    let reached = format!("{verb} on {} of {all}", figures.confirmed);
    match figures.slowest_us {
        Some(slowest) => format!("{reached}, {}", micros(slowest)),
        None => reached,
    }
}

fn detail(state: &ContainmentState) -> String {
    let figures = &state.figures;
    let (Some(first), Some(half), Some(most)) = (figures.first_us, figures.p50_us, figures.p99_us)
    else {
        return String::new();
    };
    if figures.confirmed < 2 {
        return "From the moment it was accepted to the node's signed word.".to_owned();
    }
    format!(
        "From the moment it was accepted to each node's signed word: the first after {}, half of them within {}, 99 of 100 \
         within {}.",
        micros(first),
        micros(half),
        micros(most)
    )
}

fn line(node: &NodeProgress, phase: Phase) -> Line {
    let (tone, state, after, probe) = match &node.outcome {
        Progress::Confirmed {
            after_us, probe, ..
        } => {
            let (tone, state) = match lets_through(node) && phase == Phase::InForce {
                true => (Tone::Bad, "Lets through"),
                false => (Tone::Ok, "Confirmed"),
            };
            (tone, state, micros(*after_us), probed(probe))
        }
        Progress::Refused { reason } => (Tone::Bad, "Refused", reason.clone(), String::new()),
        Progress::Silent { last_heard_at } => {
            let since = match last_heard_at {
                Some(at) => format!("silent since {}", clock(*at)),
                None => "never heard".to_owned(),
            };
            match node.connected {
                true => (
                    Tone::Info,
                    "Waiting",
                    "it is there and has not answered yet".to_owned(),
                    String::new(),
                ),
                false => (Tone::Warn, "Not reachable", since, String::new()),
            }
        }
    };
    Line {
        name: node.name.to_string(),
        tone: tone.class().to_owned(),
        state: state.to_owned(),
        after,
        probe,
    }
}

/// What real requests with a token of the subject were answered.
fn probed(probe: &Probe) -> String {
    match probe {
        Probe::Refused { at, requests } => {
            format!("at {}, request {requests}", clock(*at))
        }
        Probe::LetThrough { at, requests } => {
            format!("none: request {requests} at {} was let through", clock(*at))
        }
        Probe::None { reason } => format!("not asked: {reason}"),
    }
}

/// What is still exposed, a sentence each.
fn exposure(state: &ContainmentState, phase: Phase, now: DateTime<Utc>) -> Vec<String> {
    if phase != Phase::InForce {
        return vec!["Nothing is contained any more, so nothing has to be refused.".to_owned()];
    }
    let residual = &state.residual;
    let mut sentences = Vec::new();
    match residual.tokens_until {
        Some(until) if until > now => sentences.push(format!(
            "Access tokens from before go on working at services that check nothing but the signature, until {}.",
            clock(until)
        )),
        _ => sentences.push("Every access token from before has expired.".to_owned()),
    }
    let silent = usize::try_from(residual.silent).unwrap_or(usize::MAX);
    if silent > 0 {
        let nodes = counted(silent, "node has", "nodes have");
        sentences.push(match residual.silent_until {
            Some(until) if until > now => format!(
                "{nodes} not confirmed. Cut off from us, they refuse everything of this tenant by themselves from {} on.",
                clock(until)
            ),
            Some(until) => format!(
                "{nodes} not confirmed. If they are cut off from us, they have refused everything of this tenant since {}.",
                clock(until)
            ),
            None => format!(
                "{nodes} not confirmed, and may let it through until they are reached or this ends. The token policy can \
                 bound that: it may have nodes refuse that hear nothing."
            ),
        });
    }
    sentences
}

/// `0.8 ms`, `12 ms`, `1.8 s`.
fn micros(us: u64) -> String {
    match us {
        0..10_000 => format!("{}.{} ms", us / 1_000, us % 1_000 / 100),
        10_000..1_000_000 => format!("{} ms", us / 1_000),
        _ => format!("{}.{} s", us / 1_000_000, us % 1_000_000 / 100_000),
    }
}

/// A moment of which milliseconds matter.
fn clock(at: DateTime<Utc>) -> String {
    at.format("%H:%M:%S%.3f UTC").to_string()
}

#[cfg(test)]
mod tests;
