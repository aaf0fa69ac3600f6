//! The fault suite of `e2e/faults`: what is killed, frozen and cut off, and the table of what was seen.
//!
//! Cases that have to sign what they inject are Rust tests ([`rust_cases`]); their rows stand in the same table.
//!
//! It must never show a case as passed that did not run: the table is written by the cases themselves, and begins
//! empty.

mod rust_cases;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use serde_json::Value;

use super::clients;
use crate::fleet;
use crate::places;
use crate::shell::{self, Result};
use crate::tally::{Dialect, Tally};
use crate::tools::{Tool, Tools};

/// What the suite needs besides the product.
pub const TOOLS: &[Tool] = &[Tool::Node, Tool::Postgres, Tool::Redis, Tool::Faketime];

/// `cargo xtask faults`: builds, and runs the suite alone.
///
/// # Errors
/// When a tool is missing or the product does not compile.
pub fn run() -> Result<ExitCode> {
    let tools = Tools::ensure(&TOOLS.iter().copied().collect());
    fleet::build()?;
    let tally = check(&tools)?;
    println!("{tally}");
    Ok(if tally.failed > 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Runs every case, one file after the other, and prints the table.
///
/// # Errors
/// When the suite cannot be started.
pub fn check(tools: &Tools) -> Result<Tally> {
    let table = places::target().join("fault-table.jsonl");
    if table.exists() {
        fs::remove_file(&table)?;
    }
    let mut suite = clients::node_tests(tools, &clients::files("faults", ".test.mjs")?)?;
    fleet::servers(tools, &mut suite)?;
    suite.env("BAILIWICK_FAULT_TABLE", &table);
    suite.env("BAILIWICK_TEST_FAKETIME", tools.path(Tool::Faketime)?);
    let processes = shell::count(&mut [suite], Dialect::Node);
    let (mut tally, rows) = rust_cases::run()?;
    append(&table, &rows)?;
    print_table(&table)?;
    tally += processes?;
    Ok(tally)
}

fn append(file: &Path, rows: &[Value]) -> Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(file)?;
    for row in rows {
        writeln!(file, "{row}")?;
    }
    Ok(())
}

fn print_table(file: &Path) -> Result<()> {
    let text = fs::read_to_string(file).unwrap_or_default();
    println!("\nid | injected | checked | notes | result");
    for line in text.lines() {
        let case: Value = serde_json::from_str(line)?;
        let columns = ["id", "injected", "checked", "notes", "result"];
        let words: Vec<String> = columns.iter().map(|name| words(&case[*name])).collect();
        println!("{}", words.join(" | "));
    }
    Ok(())
}

fn words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(all) => all.iter().map(words).collect::<Vec<_>>().join("; "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_reads_as_one_line() {
        let notes: Value = serde_json::from_str(r#"["a", "b 2"]"#).unwrap();
        assert_eq!(words(&notes), "a; b 2");
        assert_eq!(words(&Value::Null), "null");
    }
}
