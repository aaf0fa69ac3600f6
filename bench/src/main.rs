//! `bench`: measures the push fabric, and judges it.
//!
//! It drives the product's own processes over real mutual TLS on loopback. Light nodes live in this process; 1 % of the
//! nodes are the product's own. Every figure stands beside a floor of the same run, because a figure alone says more
//! about the machine than about the product.
//!
//! It must never be tuned until a goal holds: what misses is printed as such.
#![expect(
    clippy::disallowed_methods,
    reason = "a measuring tool is all edge: it reads the clock and the environment"
)]
#![expect(
    clippy::print_stdout,
    reason = "a measuring tool speaks to the person who started it"
)]

use std::{path::PathBuf, process::ExitCode, time::Instant};

use clap::{Parser, Subcommand, ValueEnum};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

mod board;
mod calibrate;
mod contain;
mod figures;
mod http;
mod light;
mod outage;
mod product;
mod push;
mod stand;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// File descriptors per light node: two connections on this side, and as many in the control plane.
const FILES_PER_NODE: usize = 3;

#[derive(Parser)]
#[command(name = "bench", arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Subcommand)]
enum Scenario {
    /// How long a change takes until nodes work by it.
    Push(Options),
    /// How long a containment takes until nodes refuse; reconnecting, and life without a control plane.
    Contain(Options),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Profile {
    /// Optimized, as shipped.
    Release,
    /// Debug binaries: ratios and safety are judged, times are not.
    Dev,
}

#[derive(clap::Args)]
struct Options {
    /// Which binaries.
    #[arg(long, value_enum, default_value = "release")]
    profile: Profile,
    /// Where they are.
    #[arg(long, value_name = "DIR")]
    binaries: PathBuf,
    /// Little of everything, with few nodes: judges ratios, growth and safety only.
    #[arg(long)]
    short: bool,
    /// Another number of nodes, 1 % of them full; may be given several times.
    #[arg(long, value_name = "N")]
    light: Vec<usize>,
    /// Shows where the control plane's processor time went, by thread.
    #[arg(long)]
    profile_cpu: bool,
}

/// How much is measured.
pub struct Scale {
    /// Numbers of nodes.
    pub nodes: Vec<usize>,
    /// Changes.
    pub changes: usize,
    /// Containments.
    pub containments: usize,
    /// Trials of C2.
    pub trials: usize,
    /// Tenants that are added to see what grows.
    pub more_tenants: usize,
    /// Size of the section that streams in C3.
    pub bundle_bytes: usize,
    /// Limit of C3.
    pub busy_ratio: f64,
    /// Whether F4 is measured.
    pub cold_start: bool,
    /// Whether it is shown where processor time goes.
    pub profile_cpu: bool,
}

impl Scale {
    fn of(options: &Options) -> Self {
        let nodes = |usual: &[usize]| match options.light.is_empty() {
            true => usual.to_vec(),
            false => options.light.clone(),
        };
        if options.short {
            return Self {
                nodes: nodes(&[1, 10, 100]),
                changes: 20,
                containments: 8,
                trials: 34,
                more_tenants: 20,
                bundle_bytes: 50_000,
                // Few containments on a loaded machine: only a lane that waits for releases is that slow.
                busy_ratio: 20.0,
                cold_start: false,
                profile_cpu: options.profile_cpu,
            };
        }
        Self {
            nodes: nodes(&[1, 100, 1_000]),
            changes: 200,
            containments: 100,
            trials: 1_000,
            more_tenants: 50,
            bundle_bytes: 900_000,
            busy_ratio: 1.5,
            cold_start: true,
            profile_cpu: options.profile_cpu,
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(mut arguments: Arguments) -> Result<bool> {
    let (name, options) = match &mut arguments.scenario {
        Scenario::Push(options) => ("push", options),
        Scenario::Contain(options) => ("contain", options),
    };
    // The processes work in a directory of their own.
    options.binaries = options.binaries.canonicalize()?;
    let options = &*options;
    let scale = Scale::of(options);
    let mut verdicts =
        figures::Verdicts::new(options.profile == Profile::Release && !options.short);
    println!("machine     {}", calibrate::machine());
    println!(
        "binaries    {:?} ({}); all of it on loopback: figures are the software's own share",
        options.profile,
        if verdicts.judges_times() {
            "times are judged"
        } else {
            "only ratios, growth and safety are judged"
        }
    );
    allow_files(scale.nodes.iter().copied().max().unwrap_or(1))?;
    println!("calibration {}", calibrate::primitives().await?);
    let begun = Instant::now();
    match name {
        "push" => push::run(&options.binaries, &scale, &mut verdicts).await?,
        _ => contain::run(&options.binaries, &scale, &mut verdicts).await?,
    }
    println!(
        "\n{name} took {:.0} s; load now {}",
        begun.elapsed().as_secs_f64(),
        calibrate::load()
    );
    if verdicts.failed().is_empty() {
        println!("every goal that is judged here holds");
        return Ok(true);
    }
    println!("missed: {}", verdicts.failed().join(", "));
    Ok(false)
}

/// Raises the limit of open files as far as it goes, and says if that is not far enough.
fn allow_files(nodes: usize) -> Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let wanted = u64::try_from(nodes * FILES_PER_NODE + 1_000)?;
    // Only somebody with the right to it may raise the hard limit.
    let raised = setrlimit(Resource::RLIMIT_NOFILE, wanted.max(soft), wanted.max(hard));
    if raised.is_err() {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    }
    let (now, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if now < wanted {
        return Err(
            format!("{nodes} nodes need {wanted} open files, and {now} are allowed").into(),
        );
    }
    println!("open files  {now} allowed, {wanted} wanted");
    Ok(())
}
