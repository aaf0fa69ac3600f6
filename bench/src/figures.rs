//! Figures: quantiles, goals, and the lines that people and programs read.
//!
//! It must never turn a figure that misses its goal into anything but `FAIL`.

use std::time::Duration;

use serde_json::{Value, json};

/// Durations, sorted.
#[derive(Debug, Clone, Default)]
pub struct Times(Vec<Duration>);

impl Times {
    /// Takes them in any order.
    pub fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The smallest value that `share` of all do not exceed, in milliseconds; not a number if there are none.
    pub fn ms(&self, share: f64) -> f64 {
        let rank = (share * self.0.len() as f64).ceil().max(1.0) as usize;
        let value = self.0.get(rank - 1).or(self.0.last());
        value.map_or(f64::NAN, |value| value.as_secs_f64() * 1000.0)
    }

    /// As one line.
    pub fn line(&self) -> String {
        format!(
            "p50 {:8.2}  p90 {:8.2}  p99 {:8.2}  max {:8.2} ms  (n = {})",
            self.ms(0.5),
            self.ms(0.9),
            self.ms(0.99),
            self.ms(1.0),
            self.count()
        )
    }

    /// As JSON, in milliseconds.
    pub fn to_json(&self) -> Value {
        json!({
            "n": self.count(), "p50_ms": self.ms(0.5), "p90_ms": self.ms(0.9),
            "p99_ms": self.ms(0.99), "max_ms": self.ms(1.0),
        })
    }
}

/// What was judged in one run.
#[derive(Debug, Default)]
pub struct Verdicts {
    absolute: bool,
    failed: Vec<String>,
}

/// What a goal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A time on this class of machine.
    Absolute,
    /// A ratio to a floor of the same run, a growth or a safety property: it holds on any machine.
    Relative,
}

impl Verdicts {
    /// Nothing judged yet; whether times on this machine are to be judged, or ratios, growth and safety only.
    pub fn new(absolute: bool) -> Self {
        Self {
            absolute,
            failed: Vec::new(),
        }
    }

    /// Whether times on this machine are judged.
    pub fn judges_times(&self) -> bool {
        self.absolute
    }

    /// Judges `value`, which should be at most `goal`, and prints the line. Absolute goals are told and not held
    /// against a run that judges ratios only.
    pub fn at_most(
        &mut self,
        name: &str,
        kind: Kind,
        (value, goal): (f64, f64),
        floor: Option<f64>,
    ) {
        let holds = value <= goal;
        let judged = kind == Kind::Relative || self.absolute;
        let word = match (holds, judged) {
            (true, _) => "PASS",
            (false, true) => "FAIL",
            (false, false) => "MISS (not judged here)",
        };
        let beside = floor.map_or_else(String::new, |floor| {
            format!(" floor={floor:.3} ratio={:.2}", value / floor)
        });
        println!("GOAL {name} {word} value={value:.3} goal={goal:.3}{beside}");
        if !holds && judged {
            self.failed.push(name.to_owned());
        }
    }

    /// What failed.
    pub fn failed(&self) -> &[String] {
        &self.failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let times = Times::new((1..=100).rev().map(Duration::from_millis).collect());
        for (share, ms) in [(0.0, 1.0), (0.5, 50.0), (0.99, 99.0), (1.0, 100.0)] {
            assert!((times.ms(share) - ms).abs() < 1e-9, "{share}");
        }
        assert!(Times::default().ms(0.5).is_nan());
    }

    #[test]
    fn what_misses_fails_and_a_time_is_judged_only_where_it_means_something() {
        let mut short = Verdicts::default();
        short.at_most("absolute", Kind::Absolute, (2.0, 1.0), None);
        assert!(short.failed().is_empty());
        short.at_most("relative", Kind::Relative, (2.0, 1.0), Some(1.0));
        short.at_most("nothing measured", Kind::Relative, (f64::NAN, 1.0), None);
        short.at_most("holds", Kind::Relative, (1.0, 1.0), None);
        assert_eq!(short.failed(), ["relative", "nothing measured"]);
    }
}
