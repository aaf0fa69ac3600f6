//! WCAG 2.2 contrast of the token pairs, computed from `css/tokens.css` itself.
//!
//! Why so: a colour is changed in one place and judged there; nobody has to open a browser to learn that a pair fell below
//! 4.5:1 (text, SC 1.4.3) or 3:1 (borders of controls and solid marks, SC 1.4.11). It must never keep its own colour values.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of a test binary: a panic is the failing test"
)]

use std::collections::BTreeMap;

/// The OKLCH pair of one token: light, dark.
type Tokens = BTreeMap<String, [[f64; 3]; 2]>;

const TOKENS: &str = include_str!("../css/tokens.css");

/// Text on its fill.
const TEXT: &[(&str, &str)] = &[
    ("ink", "bg"),
    ("ink", "surface"),
    ("ink", "surface-2"),
    ("ink", "surface-3"),
    ("ink", "raised"),
    ("ink", "accent-soft"),
    ("ink", "ok-soft"),
    ("ink", "warn-soft"),
    ("ink", "bad-soft"),
    ("ink-2", "bg"),
    ("ink-2", "surface"),
    ("ink-2", "surface-2"),
    ("ink-2", "raised"),
    ("accent-ink", "bg"),
    ("accent-ink", "surface"),
    ("accent-ink", "surface-2"),
    ("accent-ink", "accent-soft"),
    ("on-accent", "accent"),
    ("on-accent", "accent-hover"),
    ("on-accent", "bad-solid"),
    ("on-accent", "bad-solid-hover"),
    ("ok-ink", "ok-soft"),
    ("ok-ink", "surface"),
    ("warn-ink", "warn-soft"),
    ("warn-ink", "surface"),
    ("bad-ink", "bad-soft"),
    ("bad-ink", "surface"),
    ("vendor-ink", "vendor-soft"),
    ("both-ink", "both-soft"),
    ("scope", "scope-soft"),
    ("scope", "surface"),
];

/// Shapes that carry meaning: control borders, focus, state solids, chart series.
const SHAPES: &[(&str, &str)] = &[
    ("line-strong", "surface"),
    ("line-strong", "bg"),
    ("accent-mark", "surface"),
    ("accent-mark", "bg"),
    ("accent-mark", "accent-soft"),
    ("ok", "surface"),
    ("warn", "surface"),
    ("bad", "surface"),
    ("scope-mark", "surface"),
    ("c1", "surface"),
    ("c2", "surface"),
    ("c3", "surface"),
    ("c4", "surface"),
    ("c5", "surface"),
];

#[test]
fn every_pair_is_readable_in_every_theme_and_scope() {
    let mut failures = Vec::new();
    for scope in ["", "platform", "grant"] {
        let tokens = tokens(scope);
        for (pairs, least) in [(TEXT, 4.5), (SHAPES, 3.0)] {
            for (front, back) in pairs {
                for (theme, name) in ["light", "dark"].into_iter().enumerate() {
                    let ratio = contrast(tokens[*front][theme], tokens[*back][theme]);
                    if ratio < least {
                        failures.push(format!(
                            "{name} {scope}: {front} on {back} is {ratio:.2}, needs {least}"
                        ));
                    }
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn the_arithmetic_knows_black_and_white() {
    let ratio = contrast([1.0, 0.0, 0.0], [0.0, 0.0, 0.0]);
    assert!((ratio - 21.0).abs() < 0.01, "{ratio}");
}

/// Reads the declarations of the root and, on top, of one scope; follows one level of `var()`.
fn tokens(scope: &str) -> Tokens {
    let (root, scopes) = TOKENS
        .split_once(":root[data-theme")
        .expect("the theme rules follow the root rule");
    let mut found = Tokens::new();
    read(root, &mut found);
    if !scope.is_empty() {
        let rule = scopes
            .split(&format!("data-scope=\"{scope}\"]"))
            .nth(1)
            .expect("the scope has a rule");
        read(rule.split('}').next().unwrap(), &mut found);
    }
    found
}

fn read(rule: &str, into: &mut Tokens) {
    for line in rule.lines() {
        let Some((name, value)) = line
            .trim()
            .strip_prefix("--")
            .and_then(|line| line.split_once(": "))
        else {
            continue;
        };
        if let Some(target) = value
            .strip_prefix("var(--")
            .and_then(|rest| rest.strip_suffix(");"))
        {
            let pair = into[target];
            into.insert(name.into(), pair);
        } else if value.starts_with("light-dark(oklch(") && !value.contains('/') {
            let mut pair = value.split("oklch(").skip(1).map(|rest| {
                let mut numbers = rest
                    .split(')')
                    .next()
                    .unwrap()
                    .split_whitespace()
                    .map(|n| n.parse::<f64>().unwrap());
                std::array::from_fn(|_| numbers.next().unwrap())
            });
            into.insert(name.into(), [pair.next().unwrap(), pair.next().unwrap()]);
        }
    }
}

/// WCAG 2.2 contrast ratio of two OKLCH colours.
fn contrast(a: [f64; 3], b: [f64; 3]) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// Relative luminance, by way of OKLab and linear sRGB (CSS Color 4, section 10), clipped to the sRGB gamut.
fn luminance([lightness, chroma, hue]: [f64; 3]) -> f64 {
    let (sin, cos) = hue.to_radians().sin_cos();
    let (a, b) = (chroma * cos, chroma * sin);
    let l = (lightness + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
    let m = (lightness - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
    let s = (lightness - 0.089_484_177_5 * a - 1.291_485_548_0 * b).powi(3);
    let red = 4.076_741_662_1 * l - 3.307_711_591_3 * m + 0.230_969_929_2 * s;
    let green = -1.268_438_004_6 * l + 2.609_757_401_1 * m - 0.341_319_396_5 * s;
    let blue = -0.004_196_086_3 * l - 0.703_418_614_7 * m + 1.707_614_701_0 * s;
    0.2126 * red.clamp(0.0, 1.0) + 0.7152 * green.clamp(0.0, 1.0) + 0.0722 * blue.clamp(0.0, 1.0)
}
