//! The rows of the fault table that are Rust tests: where what is injected has to be signed, or to hit one step exactly.
//!
//! It must never show a case as passed of which a test did not run.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde_json::{Value, json};

use crate::places;
use crate::shell::{self, Result, cargo};
use crate::tally::{Dialect, Tally};

/// A row.
struct Case {
    id: &'static str,
    injected: &'static str,
    checked: &'static str,
    /// Each test by its full name.
    tests: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        id: "F-05",
        injected: "a clock that is set, witnesses that are late or wrong, a cleaner under a wrong clock",
        checked: "limits of 10 s and 60 s; nobody alone takes a node out; nothing is removed by a wrong clock",
        tests: &["purge::f_05_a_node_that_is_out_of_service_removes_nothing"],
    },
    Case {
        id: "F-07",
        injected: "signed releases over the wire: truncated, ten times too large, empty, blank fields, another tenant's, \
                   poisonous; then forged, misdirected and changed ones, and noise",
        checked: "each refused before the swap with its reason; the last good one serves; the next good one is taken",
        tests: &[
            "hostile::f_07_what_is_signed_and_poisonous_is_refused_before_the_swap",
            "releases::spoiled_releases_are_refused_and_the_last_good_one_stays_r_node_03",
            "releases::forged_and_misdirected_manifests_are_refused_r_node_03",
            "releases::noise_on_the_link_changes_nothing_r_node_05",
        ],
    },
    Case {
        id: "F-10",
        injected: "a database put back under a node that holds more; a proof with one byte changed",
        checked: "a word proves nothing, a signed manifest does; one audited call goes on above",
        tests: &[
            "restored::f_10_a_node_that_is_ahead_proves_it_and_a_person_has_the_line_go_on_above",
            "restored::f_10_what_nobody_signed_raises_nothing",
        ],
    },
    Case {
        id: "F-12",
        injected: "versions n−3 to n−1 after n, the cleaner after each; then a release without content",
        checked: "compare-and-set refuses; what is active stays; nothing empty is ever active; news and versions without gaps",
        tests: &[
            "hostile::f_12_what_comes_too_late_or_is_empty_is_never_active",
            "replicas::news_are_numbered_without_gaps_and_versions_in_their_order",
        ],
    },
    Case {
        id: "F-13",
        injected: "nodes that are revoked, whose certificate ended, or that say they are of another region",
        checked: "refused; revoked without a grace, ended with one; the reason is visible",
        tests: &[
            "network::f_13_a_node_that_is_told_that_it_is_revoked_serves_nobody_also_after_a_restart",
            "network::f_13_a_certificate_that_ended_leaves_a_grace_and_then_nobody_is_served",
            "replicas::who_is_revoked_at_one_is_sent_away_by_all_and_not_told_why_r_node_10",
        ],
    },
];

/// How each test ended, by its name.
type Outcomes = BTreeMap<String, bool>;

/// Runs the tests of all rows; the rows as they go into the table.
///
/// # Errors
/// When they cannot be started.
pub(super) fn run() -> Result<(Tally, Vec<Value>)> {
    let names = CASES.iter().flat_map(|case| case.tests);
    let mut command = cargo(&[
        "test", "--no-fail-fast", "--workspace", "--exclude", "xtask",
    ]);
    command.args(["--exclude", "e2e", "--test", "node", "--test", "it"]);
    command.args(["--", "--exact"]).args(names);
    command.env("BAILIWICK_TEST_LOG_DIR", places::test_logs());
    let outcomes = Mutex::new(Outcomes::new());
    let began = Instant::now();
    let tally = shell::count_and_read(&mut command, Dialect::Cargo, |line| {
        let read = read(line);
        let mut outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        outcomes.extend(read);
    })?;
    let outcomes = outcomes
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    let seconds = format!("{:.1}", began.elapsed().as_secs_f64());
    let rows = CASES.iter().map(|case| row(case, &outcomes, &seconds));
    Ok((tally, rows.collect()))
}

/// What `test releases::name ... ok` says.
fn read(line: &str) -> Option<(String, bool)> {
    let rest = line.trim().strip_prefix("test ")?;
    let (name, outcome) = rest.rsplit_once(" ... ")?;
    Some((name.to_owned(), outcome == "ok"))
}

fn row(case: &Case, outcomes: &Outcomes, seconds: &str) -> Value {
    let failed = |name: &&&str| outcomes.get(**name) != Some(&true);
    let failed: Vec<_> = case.tests.iter().filter(failed).collect();
    let result = match failed.as_slice() {
        [] => "PASS".to_owned(),
        [first, ..] => format!("FAIL: {first} did not pass"),
    };
    json!({
        "id": case.id, "injected": case.injected, "checked": case.checked,
        "notes": [format!("{} Rust tests", case.tests.len())], "result": result, "seconds": seconds,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_passes_when_every_test_of_it_ran_and_passed() {
        let case = Case {
            id: "F-00",
            injected: "",
            checked: "",
            tests: &["a::b", "a::c"],
        };
        let result = |lines: &[&str]| {
            let outcomes = lines.iter().filter_map(|line| read(line)).collect();
            row(&case, &outcomes, "0")["result"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        assert_eq!(result(&["test a::b ... ok", "test a::c ... ok"]), "PASS");
        assert_eq!(result(&["test a::b ... ok"]), "FAIL: a::c did not pass");
        let failed = [
            "test a::b ... FAILED", "test a::c ... ok", "running 2 tests",
        ];
        assert_eq!(result(&failed), "FAIL: a::b did not pass");
    }
}
