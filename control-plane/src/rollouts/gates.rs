//! Health gates: whether a release may leave the canary ring, judged by counts alone (R-NODE-06).
//!
//! Pure rules over numbers. Nodes that serve the new version are compared with nodes that serve the version before
//! in the same time, so that a bad hour of the network or of a database, which both feel, holds nobody up. Few
//! samples prove nothing in either direction: such a gate says so and lets through.

use contract::traffic::Traffic;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Requests below which a share of failures is chance: one failure would be more than the limit allows.
const MIN_REQUESTS: u64 = 20;
/// Failures per thousand by which the canary ring may exceed the rest. Ordinary 5xx are a few in a thousand, and a
/// fault that hits one request in fifty is one that people report.
const MORE_FAILURES: u64 = 20;
/// The same where nothing is there to be compared with: twice as much, as some of it may be ordinary.
const FAILURES_ALONE: u64 = 50;
/// Requests below which the 95th percentile is the slowest few.
const MIN_TIMED: u64 = 50;
/// How many times as slow the canary ring may be. Classes of latency are up to 2.5 times apart, so one class is noise.
const SLOWER: u64 = 3;
/// A percentile up to here is fast enough, whatever the rest does: a sign-in hashes for about that long.
const FAST_ENOUGH_MS: u64 = 500;
/// Sign-ins below which a share is chance.
const MIN_SIGN_INS: u64 = 20;
/// Successes per thousand by which the canary ring may fall short. People mistype, and an attacker may have chosen
/// one node, so this is wide; a release that breaks signing in takes nearly all of them.
const FEWER_SIGN_INS: u64 = 200;
const THOUSAND: u64 = 1_000;

/// What a gate looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GateKind {
    /// Canary nodes that refused the release.
    Rejections,
    /// Answers with 5xx, per thousand requests.
    Failures,
    /// The 95th percentile of the time an answer takes, in milliseconds.
    Latency,
    /// Sign-ins by password that succeed, per thousand.
    SignIns,
}

/// What a gate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It may pass.
    Passed,
    /// It must go back.
    Failed,
    /// Too little happened to tell.
    TooLittle,
}

/// A gate, with the numbers that it judged by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// What it looks at; it says the unit.
    pub gate: GateKind,
    /// What nodes with the new version show.
    pub measured: Option<u64>,
    /// What nodes with the version before show in the same time.
    pub compared: Option<u64>,
    /// The most, or of sign-ins the least, that passes.
    pub limit: Option<u64>,
    /// How many things were counted with the new version.
    pub samples: u64,
    /// What it says.
    pub verdict: Verdict,
    /// The same in words.
    pub says: String,
}

/// What is judged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// What nodes counted that serve the new version.
    pub canary: Traffic,
    /// What nodes counted that serve the version before.
    pub rest: Traffic,
    /// How many nodes refused the new version.
    pub rejections: u64,
    /// The reason of one of them.
    pub rejected: Option<String>,
}

/// Judges, each gate by itself.
pub fn judge(evidence: &Evidence) -> Vec<Gate> {
    let Evidence { canary, rest, .. } = evidence;
    vec![
        rejections(evidence),
        failures(canary, rest),
        latency(canary, rest),
        sign_ins(canary, rest),
    ]
}

/// The gates that say that it must go back, in words.
pub fn failed(gates: &[Gate]) -> Option<String> {
    let said: Vec<&str> = gates
        .iter()
        .filter(|gate| gate.verdict == Verdict::Failed)
        .map(|gate| gate.says.as_str())
        .collect();
    (!said.is_empty()).then(|| said.join(" "))
}

fn rejections(evidence: &Evidence) -> Gate {
    let count = evidence.rejections;
    let (verdict, says) = match (&evidence.rejected, count) {
        (_, 0) => (Verdict::Passed, "No node refused it.".to_owned()),
        (Some(reason), 1) => (Verdict::Failed, format!("A node refused it: {reason}.")),
        (Some(reason), _) => (
            Verdict::Failed,
            format!("{count} nodes refused it, one of them: {reason}."),
        ),
        (None, _) => (Verdict::Failed, format!("{count} nodes refused it.")),
    };
    Gate {
        gate: GateKind::Rejections,
        measured: Some(count),
        compared: None,
        limit: Some(0),
        samples: count,
        verdict,
        says,
    }
}

fn failures(canary: &Traffic, rest: &Traffic) -> Gate {
    let share = |traffic: &Traffic| share(traffic.failures, traffic.requests);
    let compared = share(rest).filter(|_| rest.requests >= MIN_REQUESTS);
    let limit = compared.map_or(FAILURES_ALONE, |rest| rest + MORE_FAILURES);
    let samples = canary.requests;
    let measured = share(canary);
    let (verdict, says) = match measured {
        Some(measured) if samples >= MIN_REQUESTS => {
            let verdict = passes(measured <= limit);
            let words = format!(
                "{} of its answers were 5xx, and up to {} may be.",
                percent(measured),
                percent(limit)
            );
            (verdict, words)
        }
        _ => too_little("request", "requests", samples),
    };
    Gate {
        gate: GateKind::Failures,
        measured,
        compared,
        limit: Some(limit),
        samples,
        verdict,
        says,
    }
}

fn latency(canary: &Traffic, rest: &Traffic) -> Gate {
    let samples = canary.requests;
    let measured = canary.p95_ms();
    let compared = rest.p95_ms().filter(|_| rest.requests >= MIN_TIMED);
    let limit = compared.map(|rest| (rest * SLOWER).max(FAST_ENOUGH_MS));
    let (verdict, says) = match (measured, limit) {
        (Some(measured), _) if samples >= MIN_TIMED && measured <= FAST_ENOUGH_MS => (
            Verdict::Passed,
            format!("19 of 20 answers came within {measured} ms."),
        ),
        (Some(measured), Some(limit)) if samples >= MIN_TIMED => (
            passes(measured <= limit),
            format!("19 of 20 answers came within {measured} ms, and {limit} ms are allowed."),
        ),
        (Some(measured), None) if samples >= MIN_TIMED => (
            Verdict::TooLittle,
            format!(
                "19 of 20 answers came within {measured} ms, and there is nothing to compare that with."
            ),
        ),
        _ => too_little("request", "requests", samples),
    };
    Gate {
        gate: GateKind::Latency,
        measured,
        compared,
        limit,
        samples,
        verdict,
        says,
    }
}

fn sign_ins(canary: &Traffic, rest: &Traffic) -> Gate {
    let tried = |traffic: &Traffic| traffic.sign_ins + traffic.sign_ins_failed;
    let share = |traffic: &Traffic| share(traffic.sign_ins, tried(traffic));
    let samples = tried(canary);
    let measured = share(canary);
    let compared = share(rest).filter(|_| tried(rest) >= MIN_SIGN_INS);
    let limit = compared.map(|rest| rest.saturating_sub(FEWER_SIGN_INS));
    let (verdict, says) = match (measured, limit) {
        (Some(measured), Some(limit)) if samples >= MIN_SIGN_INS => (
            passes(measured >= limit),
            format!(
                "{} of its sign-ins succeeded, and at least {} should.",
                percent(measured),
                percent(limit)
            ),
        ),
        (Some(measured), None) if samples >= MIN_SIGN_INS => (
            Verdict::TooLittle,
            format!(
                "{} of its sign-ins succeeded, and there is nothing to compare that with.",
                percent(measured)
            ),
        ),
        _ => too_little("sign-in", "sign-ins", samples),
    };
    Gate {
        gate: GateKind::SignIns,
        measured,
        compared,
        limit,
        samples,
        verdict,
        says,
    }
}

fn passes(it_does: bool) -> Verdict {
    match it_does {
        true => Verdict::Passed,
        false => Verdict::Failed,
    }
}

fn too_little(one: &str, many: &str, samples: u64) -> (Verdict, String) {
    let what = if samples == 1 { one } else { many };
    let words = format!("Too little traffic to judge: {samples} {what}.");
    (Verdict::TooLittle, words)
}

/// Per thousand, rounded up: a failure that happened is never none.
fn share(part: u64, whole: u64) -> Option<u64> {
    (whole > 0).then(|| (part.saturating_mul(THOUSAND)).div_ceil(whole))
}

/// Per thousand as people read it.
fn percent(per_thousand: u64) -> String {
    match per_thousand % 10 {
        0 => format!("{} %", per_thousand / 10),
        tenths => format!("{}.{tenths} %", per_thousand / 10),
    }
}

#[cfg(test)]
mod tests {
    use contract::traffic::LATENCY_CLASSES;

    use super::*;

    /// Requests, failures, the class of all times, sign-ins, failed sign-ins.
    fn traffic(counts: (u64, u64, usize, u64, u64)) -> Traffic {
        let (requests, failures, class, sign_ins, sign_ins_failed) = counts;
        let mut latency = [0; LATENCY_CLASSES];
        latency[class] = requests;
        Traffic {
            requests,
            failures,
            latency,
            sign_ins,
            sign_ins_failed,
        }
    }

    fn verdicts(canary: (u64, u64, usize, u64, u64), rest: (u64, u64, usize, u64, u64)) -> String {
        let evidence = Evidence {
            canary: traffic(canary),
            rest: traffic(rest),
            ..Evidence::default()
        };
        let mark = |gate: &Gate| match gate.verdict {
            Verdict::Passed => '+',
            Verdict::Failed => '-',
            Verdict::TooLittle => '?',
        };
        judge(&evidence).iter().map(mark).collect()
    }

    #[test]
    fn gates_compare_with_the_rest_r_node_06() {
        const NONE: (u64, u64, usize, u64, u64) = (0, 0, 0, 0, 0);
        const FINE: (u64, u64, usize, u64, u64) = (1_000, 2, 4, 95, 5);
        // Rejections, failures, latency, sign-ins.
        for (canary, rest, expected) in [
            (NONE, NONE, "+???"),
            (NONE, FINE, "+???"),
            (FINE, FINE, "++++"),
            (FINE, NONE, "+++?"),
            // Chance: one failure among nineteen requests.
            ((19, 19, 4, 0, 0), FINE, "+???"),
            ((20, 0, 4, 0, 0), FINE, "++??"),
            ((20, 1, 4, 0, 0), FINE, "+-??"),
            // The limit itself passes: 2 of a thousand there, and twenty more.
            ((1_000, 22, 4, 0, 0), FINE, "+++?"),
            ((1_000, 23, 4, 0, 0), FINE, "+-+?"),
            // Both suffer: that is not the release.
            ((1_000, 300, 4, 0, 0), (1_000, 300, 4, 0, 0), "+++?"),
            // Nothing to compare with.
            ((1_000, 50, 4, 0, 0), (19, 19, 0, 0, 0), "+++?"),
            ((1_000, 51, 4, 0, 0), NONE, "+-+?"),
            // Slower than the rest, but fast; slow, but no slower; too slow.
            ((1_000, 0, 8, 0, 0), (1_000, 0, 0, 0, 0), "+++?"),
            ((1_000, 0, 10, 0, 0), (1_000, 0, 9, 0, 0), "+++?"),
            ((1_000, 0, 10, 0, 0), (1_000, 0, 8, 0, 0), "++-?"),
            ((1_000, 0, 10, 0, 0), (1_000, 0, 7, 0, 0), "++-?"),
            ((1_000, 0, 11, 0, 0), NONE, "++??"),
            ((49, 0, 11, 0, 0), FINE, "++??"),
            // Sign-ins: a fifth fewer passes.
            ((1_000, 0, 4, 75, 25), FINE, "++++"),
            ((1_000, 0, 4, 74, 26), FINE, "+++-"),
            ((1_000, 0, 4, 0, 19), FINE, "+++?"),
            ((1_000, 0, 4, 0, 20), FINE, "+++-"),
            ((1_000, 0, 4, 0, 20), (1_000, 0, 4, 0, 19), "+++?"),
        ] {
            assert_eq!(verdicts(canary, rest), expected, "{canary:?} {rest:?}");
        }
    }

    #[test]
    fn one_node_that_refuses_is_enough_and_words_say_why() {
        let evidence = Evidence {
            rejections: 1,
            rejected: Some("section apis is missing".to_owned()),
            canary: traffic((100, 40, 4, 0, 0)),
            ..Evidence::default()
        };
        let gates = judge(&evidence);
        assert_eq!(
            failed(&gates).unwrap(),
            "A node refused it: section apis is missing. 40 % of its answers were 5xx, and up to 5 % may be."
        );
        assert_eq!(gates[3].says, "Too little traffic to judge: 0 sign-ins.");
        assert_eq!(failed(&judge(&Evidence::default())), None);
    }

    #[test]
    fn shares_are_read_by_people() {
        for (part, whole, words) in [
            (0, 9, "0 %"),
            (1, 2_000, "0.1 %"),
            (1, 4, "25 %"),
            (9, 9, "100 %"),
        ] {
            assert_eq!(percent(share(part, whole).unwrap()), words);
        }
        assert_eq!(share(0, 0), None);
    }
}
