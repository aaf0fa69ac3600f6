//! The canary: no secret in any log that the test run wrote.
//!
//! The suites use known passwords and secrets and write them, one per line, into `canaries.txt`
//! beside the logs; this step looks for each of them in every log, and for the shapes that secrets
//! of this product have. It reports the place only: it must never print what it found.

use std::fs;
use std::path::Path;

use crate::places;
use crate::shell::Result;
use crate::tally::Tally;

const CANARIES: &str = "canaries.txt";
/// A shorter line would match by accident.
const SHORTEST_CANARY: usize = 6;

/// What a secret looks like: how it begins, and how many characters of its alphabet must follow.
const SHAPES: [(&str, &str, usize); 4] = [
    ("a machine secret", "bwk_", 16),
    ("a JSON web token", "eyJ", 16),
    ("a password hash", "$argon2id$", 0),
    ("a private key", "PRIVATE KEY-----", 0),
];

/// Searches every file under `target/test-logs`.
pub fn check() -> Result<Tally> {
    let home = places::test_logs();
    let canaries = fs::read_to_string(home.join(CANARIES)).unwrap_or_default();
    let canaries: Vec<&str> = canaries
        .lines()
        .map(str::trim)
        .filter(|it| it.len() >= SHORTEST_CANARY)
        .collect();
    let logs: Vec<_> = places::files_below(&home)
        .unwrap_or_default()
        .into_iter()
        .filter(|file| !file.ends_with(CANARIES))
        .collect();
    if canaries.is_empty() {
        return Err("no test named a canary, so nothing shows that logs hold no secrets".into());
    }
    if logs.is_empty() {
        return Err("no test wrote a log, so nothing shows that logs hold no secrets".into());
    }

    let mut hits = 0;
    for log in &logs {
        let text = String::from_utf8_lossy(&fs::read(log)?).into_owned();
        for (index, line) in text.lines().enumerate() {
            if let Some(what) = secret_in(line, &canaries) {
                println!("{}:{}: {what}", shown(log, &home), index + 1);
                hits += 1;
            }
        }
    }
    println!(
        "logs: {} files, {} canaries, {hits} hits",
        logs.len(),
        canaries.len()
    );
    Ok(if hits == 0 { Tally::PASS } else { Tally::FAIL })
}

/// What kind of secret the line holds, in words that do not repeat it.
fn secret_in(line: &str, canaries: &[&str]) -> Option<&'static str> {
    if canaries.iter().any(|canary| line.contains(canary)) {
        return Some("a secret of the test run");
    }
    let fits = |start: &str, length: usize| {
        line.match_indices(start)
            .any(|(at, _)| tail_length(&line[at + start.len()..]) >= length)
    };
    SHAPES
        .iter()
        .find(|(_, start, length)| fits(start, *length))
        .map(|(what, ..)| *what)
}

/// How far the base64url or base32 text at the beginning goes.
fn tail_length(text: &str) -> usize {
    text.bytes()
        .take_while(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte))
        .count()
}

fn shown(log: &Path, home: &Path) -> String {
    log.strip_prefix(home).unwrap_or(log).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_a_secret_from_talk_about_secrets() {
        let canaries = ["correct-horse-battery"];
        let held = |line| secret_in(line, &canaries);
        assert!(held("password=correct-horse-battery").is_some());
        assert!(held("issued bwk_0123456789abcdefghij").is_some());
        assert!(held("Bearer eyJhbGciOiJFUzI1NiIsInR5cCI6").is_some());
        assert!(held("hash $argon2id$v=19$m=19456").is_some());
        assert!(held("-----BEGIN PRIVATE KEY-----").is_some());
        assert!(held("secrets begin with bwk_ and tokens with eyJ").is_none());
        assert!(held("sign-in refused: wrong password").is_none());
    }
}
