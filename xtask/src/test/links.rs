//! Relative links in the Markdown files: each must lead to a file, and to a heading where it names
//! one.
//!
//! Pages that point nowhere are the first sign of a repository nobody reads. Links to other hosts are
//! left alone: a check that needs the network fails for reasons that are not ours.

use std::fs;
use std::path::Path;

use crate::places;
use crate::shell::Result;
use crate::tally::Tally;

/// Checks every Markdown file in the repository; prints each broken link with its place.
pub fn check() -> Result<Tally> {
    let root = places::root();
    let mut broken = 0;
    let mut pages = 0;
    for page in places::files_below(&root)? {
        if page.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        pages += 1;
        let text = fs::read_to_string(&page)?;
        for (number, link) in links(&text) {
            if !leads_somewhere(&page, &text, link) {
                let page = page.strip_prefix(&root)?;
                println!("{}:{number}: broken link {link}", page.display());
                broken += 1;
            }
        }
    }
    println!("links: {pages} pages, {broken} broken links");
    Ok(if broken == 0 {
        Tally::PASS
    } else {
        Tally::FAIL
    })
}

/// Line number and target of every inline link outside code.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut in_code = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        // Every second piece between backticks is code.
        for prose in line.split('`').step_by(2) {
            for after in prose.split("](").skip(1) {
                let target = after.split([')', ' ']).next().unwrap_or_default();
                found.push((index + 1, target));
            }
        }
    }
    found
}

fn leads_somewhere(page: &Path, text: &str, link: &str) -> bool {
    if link.contains("://") || link.starts_with("mailto:") {
        return true;
    }
    let (file, heading) = link
        .split_once('#')
        .map_or((link, None), |(file, it)| (file, Some(it)));
    let target = page.parent().unwrap_or(page).join(file);
    if !file.is_empty() && !target.exists() {
        return false;
    }
    let Some(heading) = heading else {
        return !file.is_empty();
    };
    if file.is_empty() {
        return has_heading(text, heading);
    }
    // A fragment of anything but a page (`code.rs#L10`) is the viewer's business.
    target.extension().is_none_or(|extension| extension != "md")
        || fs::read_to_string(&target).is_ok_and(|text| has_heading(&text, heading))
}

fn has_heading(text: &str, anchor: &str) -> bool {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| slug(line.trim_start_matches('#').trim()))
        .any(|slug| slug == anchor)
}

/// The anchor that code forges derive from a heading.
fn slug(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'))
        .map(|letter| if letter == ' ' { '-' } else { letter })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_links_outside_code_and_follows_headings() {
        let text = "# A house, built\n[one](a.md) `[two](b.md)` [three](#a-house-built)\n\
                    ```\n[four](c.md)\n```\n[five](https://example.com \"title\")";
        let found = links(text);
        assert_eq!(
            found,
            [
                (2, "a.md"),
                (2, "#a-house-built"),
                (6, "https://example.com")
            ]
        );
        let page = Path::new("/nowhere/page.md");
        assert!(leads_somewhere(page, text, "#a-house-built"));
        assert!(!leads_somewhere(page, text, "#a-hut"));
        assert!(!leads_somewhere(page, text, "a.md"));
    }
}
