//! `cargo xtask test`: every check there is, in order, with one honest closing line.
//!
//! One command for people and for CI, so that the two cannot disagree. A failed step does not stop
//! the others, except those that stand on it; what could not run counts as failed, and what is left
//! out for want of something optional says so in a line and counts as skipped.
//!
//! It must never turn a check that did not run into a success.

use std::collections::BTreeSet;
use std::fs;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::ValueEnum;

use crate::places;
use crate::shell::{self, Result};
use crate::tally::Tally;
use crate::tools::{Tool, Tools};

pub mod clients;
mod deny;
pub mod faults;
mod links;
mod logs;
mod rust;

/// One step of the run. The order is that of execution: what fails fast comes first, and the islands
/// come before the build that embeds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Step {
    /// rustfmt agrees.
    Fmt,
    /// Licences, bans, sources; advisories where their database can be fetched.
    Deny,
    /// The house's rules, and xtask's own tests.
    Architecture,
    /// The WASM bundle, within its size limit.
    Islands,
    /// clippy agrees, warnings as errors, on the host and for the browser.
    Clippy,
    /// rustdoc agrees, and every relative link in the Markdown files leads somewhere.
    Docs,
    /// Everything compiles, tests included.
    Build,
    /// Tests inside the crates.
    Unit,
    /// The surfaces on SQLite and memory.
    Integration,
    /// The same suites on a private PostgreSQL and Redis.
    Postgres,
    /// A real browser against a running product.
    Browser,
    /// Unmodified clients (Node, Python, Rust) against a running product.
    Clients,
    /// The same clients and the journey against a fleet: every node and both control planes answer in turn.
    Fleet,
    /// Processes killed, frozen and cut off, and what stayed true.
    Faults,
    /// No secret in any log of this run.
    Logs,
}

impl Step {
    fn name(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }

    fn tools(self) -> &'static [Tool] {
        match self {
            Self::Postgres => &[Tool::Postgres, Tool::Redis],
            Self::Browser => &[Tool::Node, Tool::Chromium],
            Self::Clients => &[Tool::Node, Tool::Python],
            Self::Fleet => &[
                Tool::Node,
                Tool::Python,
                Tool::Chromium,
                Tool::Postgres,
                Tool::Redis,
            ],
            Self::Faults => faults::TOOLS,
            Self::Deny => &[Tool::CargoDeny],
            _ => &[],
        }
    }

    fn stands_on(self) -> &'static [Self] {
        match self {
            Self::Unit | Self::Integration | Self::Postgres | Self::Clients | Self::Faults => {
                &[Self::Build]
            }
            Self::Browser | Self::Fleet => &[Self::Islands, Self::Build],
            _ => &[],
        }
    }

    fn run(self, tools: &Tools) -> Result<Tally> {
        for &tool in self.tools() {
            tools.path(tool)?;
        }
        match self {
            Self::Fmt => rust::fmt(),
            Self::Deny => deny::check(tools),
            Self::Architecture => rust::architecture(),
            Self::Islands => rust::islands(),
            Self::Clippy => rust::clippy(),
            Self::Docs => Ok(sum([rust::docs()?, links::check()?])),
            Self::Build => rust::build(),
            Self::Unit => rust::unit(),
            Self::Integration => rust::integration(),
            Self::Postgres => rust::postgres(tools),
            Self::Browser => clients::browser(tools),
            Self::Clients => clients::clients(tools),
            Self::Fleet => clients::fleet(tools),
            Self::Faults => faults::check(tools),
            Self::Logs => logs::check(),
        }
    }
}

/// How a step ended.
struct Report {
    step: Step,
    tally: Tally,
    took: Duration,
    note: String,
}

/// Runs the steps and prints the closing table.
///
/// # Errors
/// When the run cannot even begin.
pub fn run(only: &[Step]) -> Result<ExitCode> {
    let plan = plan(only);
    if plan.contains(&Step::Build) {
        forget_old_logs()?;
    }
    let wanted: BTreeSet<Tool> = plan.iter().flat_map(|step| step.tools()).copied().collect();
    let mut tools = Tools::default();
    if !wanted.is_empty() {
        heading("prerequisites");
        tools = Tools::ensure(&wanted);
    }

    let mut reports: Vec<Report> = Vec::new();
    for step in plan {
        if shell::interrupted() {
            break;
        }
        heading(&step.name());
        let report = attempt(step, &tools, &reports);
        println!(
            "-- {}: {}{} ({:.1} s)",
            step.name(),
            report.tally,
            report.note,
            secs(&report)
        );
        reports.push(report);
    }
    Ok(conclude(&reports))
}

/// Steps that run only when they are named: both start many processes for many minutes, and the fault suite kills
/// servers and moves clocks.
const ONLY_WHEN_NAMED: &[Step] = &[Step::Fleet, Step::Faults];

/// The chosen steps and everything they stand on, in order; all but [`ONLY_WHEN_NAMED`] when none is chosen.
fn plan(only: &[Step]) -> BTreeSet<Step> {
    if only.is_empty() {
        let all = Step::value_variants().iter().copied();
        return all.filter(|step| !ONLY_WHEN_NAMED.contains(step)).collect();
    }
    only.iter()
        .flat_map(|step| step.stands_on().iter().chain([step]))
        .copied()
        .collect()
}

fn attempt(step: Step, tools: &Tools, before: &[Report]) -> Report {
    let started = Instant::now();
    let base = before
        .iter()
        .find(|report| report.tally.failed > 0 && step.stands_on().contains(&report.step));
    let outcome = match base {
        Some(base) => Err(format!("not run, because {} failed", base.step.name()).into()),
        None => step.run(tools),
    };
    let (tally, note) = match outcome {
        Ok(tally) => (tally, String::new()),
        Err(error) => (Tally::FAIL, format!(": {error}")),
    };
    Report {
        step,
        tally,
        took: started.elapsed(),
        note,
    }
}

fn conclude(reports: &[Report]) -> ExitCode {
    heading("summary");
    println!(
        "{:<14}{:>8}{:>8}{:>9}{:>10}",
        "step", "passed", "failed", "skipped", "seconds"
    );
    for report in reports {
        let Tally {
            passed,
            failed,
            skipped,
        } = report.tally;
        let name = report.step.name();
        println!(
            "{name:<14}{passed:>8}{failed:>8}{skipped:>9}{:>10.1}",
            secs(report)
        );
    }
    let failed = reports.iter().filter(|report| report.tally.failed > 0);
    for report in failed {
        println!("FAILED: {}{}", report.step.name(), report.note);
    }
    let mut total = sum(reports.iter().map(|report| report.tally));
    if shell::interrupted() {
        println!("interrupted: the remaining steps did not run");
        total += Tally::FAIL;
    }
    println!("{total}");
    if total.failed > 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn sum(tallies: impl IntoIterator<Item = Tally>) -> Tally {
    let mut total = Tally::default();
    for tally in tallies {
        total += tally;
    }
    total
}

fn secs(report: &Report) -> f64 {
    report.took.as_secs_f64()
}

fn heading(title: &str) {
    println!("\n=== {title} ===");
}

/// The log check must see this run's logs only.
fn forget_old_logs() -> Result<()> {
    let logs = places::test_logs();
    if logs.exists() {
        fs::remove_dir_all(&logs)?;
    }
    fs::create_dir_all(&logs)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chosen_step_brings_what_it_stands_on_and_all_is_the_default() {
        let browser: Vec<Step> = plan(&[Step::Browser]).into_iter().collect();
        assert_eq!(browser, [Step::Islands, Step::Build, Step::Browser]);
        let unnamed = Step::value_variants().len() - ONLY_WHEN_NAMED.len();
        assert_eq!(plan(&[]).len(), unnamed);
        assert!(plan(&[Step::Faults]).contains(&Step::Faults));
    }

    #[test]
    fn what_stands_on_a_failed_step_fails_without_running() {
        let failed = Report {
            step: Step::Build,
            tally: Tally::FAIL,
            took: Duration::ZERO,
            note: String::new(),
        };
        let report = attempt(Step::Postgres, &Tools::default(), &[failed]);
        assert_eq!(report.tally, Tally::FAIL);
        assert_eq!(report.note, ": not run, because build failed");
    }

    #[test]
    fn a_missing_tool_fails_the_step_and_says_why() {
        let report = attempt(Step::Deny, &Tools::default(), &[]);
        assert_eq!(report.tally, Tally::FAIL);
        assert!(report.note.contains("CargoDeny"), "{}", report.note);
    }
}
