//! Counts of tests, read from what test runners print.
//!
//! The closing line of `cargo xtask test` adds up real tests, not steps, so each runner's own summary
//! is read. It must never count a run without a summary as a success: see [`Tally::settle`].

use std::fmt;
use std::ops::AddAssign;

/// How many tests passed, failed and were skipped.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed, and checks that could not be made.
    pub failed: u64,
    /// Tests that were left out by their authors, or for want of something optional.
    pub skipped: u64,
}

/// Whose summary lines to look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// None: the command as a whole is one check.
    Silent,
    /// `cargo test`: `test result: ok. 3 passed; 0 failed; 1 ignored; …`, once per binary.
    Cargo,
    /// Node's runner: `# pass 3` (TAP) or `ℹ pass 3` (spec), one line per count.
    Node,
    /// Python's `unittest`: `Ran 3 tests in 0.1s`, then `OK (skipped=1)` or `FAILED (errors=1)`.
    Unittest,
}

impl Tally {
    /// One check that passed.
    pub const PASS: Self = Self {
        passed: 1,
        failed: 0,
        skipped: 0,
    };
    /// One check that failed.
    pub const FAIL: Self = Self {
        passed: 0,
        failed: 1,
        skipped: 0,
    };
    /// One check that was left out.
    pub const SKIP: Self = Self {
        passed: 0,
        failed: 0,
        skipped: 1,
    };

    /// Adds what one line of output says.
    pub fn read(&mut self, dialect: Dialect, line: &str) {
        let line = without_colour(line);
        let line = line.trim();
        match dialect {
            Dialect::Silent => {}
            Dialect::Cargo => self.read_cargo(line),
            Dialect::Node => self.read_node(line),
            Dialect::Unittest => self.read_unittest(line),
        }
    }

    /// Squares the counts with the exit code: a runner that ended badly without naming a failed test
    /// failed once, and so did one that claims success without having run a test.
    #[must_use]
    pub fn settle(mut self, dialect: Dialect, success: bool) -> Self {
        if dialect == Dialect::Silent {
            return if success { Self::PASS } else { Self::FAIL };
        }
        let ran_nothing = self == Self::default();
        if self.failed == 0 && (!success || ran_nothing) {
            self.failed = 1;
        }
        self
    }

    fn read_cargo(&mut self, line: &str) {
        let Some(counts) = line.strip_prefix("test result: ") else {
            return;
        };
        let mut before = "";
        for word in counts
            .split([' ', ';', '.'])
            .filter(|word| !word.is_empty())
        {
            let count = before.parse().unwrap_or(0);
            match word {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                "ignored" => self.skipped += count,
                _ => {}
            }
            before = word;
        }
    }

    fn read_node(&mut self, line: &str) {
        let mut words = line.split(' ');
        if !matches!(words.next(), Some("#" | "ℹ")) {
            return;
        }
        let (Some(key), Some(count), None) = (words.next(), words.next(), words.next()) else {
            return;
        };
        let Ok(count) = count.parse::<u64>() else {
            return;
        };
        match key {
            "pass" => self.passed += count,
            "fail" | "cancelled" => self.failed += count,
            "skipped" | "todo" => self.skipped += count,
            _ => {}
        }
    }

    fn read_unittest(&mut self, line: &str) {
        if let Some(rest) = line.strip_prefix("Ran ") {
            let count = rest
                .split(' ')
                .next()
                .and_then(|count| count.parse::<u64>().ok());
            self.passed += count.unwrap_or(0);
            return;
        }
        let verdict = line
            .strip_prefix("OK")
            .or_else(|| line.strip_prefix("FAILED"));
        let Some(inside) = verdict.and_then(|rest| rest.trim().strip_prefix('(')) else {
            return;
        };
        for part in inside.trim_end_matches(')').split(", ") {
            let Some((key, count)) = part.split_once('=') else {
                continue;
            };
            let count = count.parse().unwrap_or(0);
            match key {
                "failures" | "errors" | "unexpected successes" => self.failed += count,
                "skipped" => self.skipped += count,
                _ => continue,
            }
            self.passed = self.passed.saturating_sub(count);
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        )
    }
}

/// The line without terminal escapes (`ESC [ … letter`).
fn without_colour(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line.chars();
    while let Some(letter) = rest.next() {
        if letter == '\u{1b}' {
            rest.by_ref().find(char::is_ascii_alphabetic);
        } else {
            plain.push(letter);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(dialect: Dialect, lines: &[&str]) -> Tally {
        let mut tally = Tally::default();
        for line in lines {
            tally.read(dialect, line);
        }
        tally
    }

    fn tally(passed: u64, failed: u64, skipped: u64) -> Tally {
        Tally {
            passed,
            failed,
            skipped,
        }
    }

    #[test]
    fn reads_every_runner() {
        let cargo = [
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out",
            "test store::tests::failed_login ... ok",
            "\u{1b}[31mtest result: FAILED\u{1b}[0m. 2 passed; 4 failed; 0 ignored; finished in 0.1s",
        ];
        assert_eq!(count(Dialect::Cargo, &cargo), tally(5, 4, 1));

        let tap = [
            "# tests 5", "# Subtest: pass 3", "# pass 3", "# fail 1", "# skipped 1",
        ];
        assert_eq!(count(Dialect::Node, &tap), tally(3, 1, 1));
        let spec = [
            "ℹ tests 4", "ℹ pass 2", "ℹ cancelled 1", "ℹ todo 1", "# what pass 9 means",
        ];
        assert_eq!(count(Dialect::Node, &spec), tally(2, 1, 1));

        assert_eq!(
            count(Dialect::Unittest, &["Ran 2 tests in 0.1s", "OK"]),
            tally(2, 0, 0)
        );
        let failed = [
            "Ran 6 tests in 1.0s",
            "FAILED (failures=1, errors=2, skipped=1)",
        ];
        assert_eq!(count(Dialect::Unittest, &failed), tally(2, 3, 1));
    }

    #[test]
    fn a_run_without_tests_is_a_failure() {
        assert_eq!(
            Tally::default().settle(Dialect::Cargo, true),
            tally(0, 1, 0)
        );
        assert_eq!(tally(3, 0, 0).settle(Dialect::Node, false), tally(3, 1, 0));
        assert_eq!(tally(3, 2, 0).settle(Dialect::Node, false), tally(3, 2, 0));
        assert_eq!(Tally::default().settle(Dialect::Silent, true), Tally::PASS);
    }
}
