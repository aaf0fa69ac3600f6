//! The control plane goes away and comes back: C6, and F4, F5 and F7 beside it.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::{
    Result, Scale,
    board::Event,
    figures::{Kind, Times, Verdicts},
    stand::{Stand, token},
};

/// Longest wait until all are back.
const LIMIT: Duration = Duration::from_secs(60);
/// How long idle nodes are watched, and how long doors are asked.
const WATCH: Duration = Duration::from_secs(4);

/// Measures, prints, judges.
///
/// # Errors
/// A process does not come back.
pub async fn run(stand: &mut Stand, scale: &Scale, verdicts: &mut Verdicts) -> Result<()> {
    footprint(stand, verdicts).await;
    let normal = ask_door(stand).await?;
    stand.product.stop_control();
    without(stand, &normal, verdicts).await?;
    if scale.cold_start {
        cold(stand, verdicts).await?;
    }
    reconnect(stand, verdicts).await
}

/// F7.
async fn footprint(stand: &Stand, verdicts: &mut Verdicts) {
    let nodes = stand.nodes();
    let each = f64::from(u32::try_from(nodes).unwrap_or(u32::MAX));
    let (before, rss) = stand.product.control_usage();
    tokio::time::sleep(WATCH).await;
    let (after, _) = stand.product.control_usage();
    let grown =
        f64::from(u32::try_from(rss.saturating_sub(stand.rss_before)).unwrap_or(u32::MAX)) / each;
    let idle = (after - before) * 1e6 / WATCH.as_secs_f64() / each;
    println!(
        "F7: control plane {rss} KiB, {} KiB before nodes came: {grown:.1} KiB per node; idle CPU {idle:.0} us/s per node",
        stand.rss_before
    );
    // With few nodes, what the process needs for itself is divided among them.
    if nodes >= 1_000 {
        verdicts.at_most(
            &format!("F7.kib@{nodes}"),
            Kind::Absolute,
            (grown, 32.0),
            None,
        );
        verdicts.at_most(
            &format!("F7.idle_us@{nodes}"),
            Kind::Absolute,
            (idle, 50.0),
            None,
        );
    }
    println!(
        "{}",
        json!({ "scenario": "footprint", "nodes": nodes, "kib_per_node": grown, "idle_us_per_s_per_node": idle })
    );
}

/// What one caller gets of a door, one request after the other.
struct Asked {
    per_second: f64,
    failed: u32,
    times: Times,
}

async fn ask_door(stand: &Stand) -> Result<Asked> {
    let full = stand.product.full.first().ok_or("there is no full node")?;
    let mut door = stand.product.door(full, Some(stand.basic.clone()));
    let begun = Instant::now();
    let (mut failed, mut times) = (0, Vec::new());
    while begun.elapsed() < WATCH {
        let asked = Instant::now();
        if !matches!(token(&mut door).await, Ok(Some(_))) {
            failed += 1;
        }
        times.push(asked.elapsed());
    }
    let count = f64::from(u32::try_from(times.len())?);
    Ok(Asked {
        per_second: count / begun.elapsed().as_secs_f64(),
        failed,
        times: Times::new(times),
    })
}

/// F5.
async fn without(stand: &Stand, normal: &Asked, verdicts: &mut Verdicts) -> Result<()> {
    let alone = ask_door(stand).await?;
    let nodes = stand.nodes();
    println!(
        "F5: {:.0} tokens/s with a control plane, {:.0} without; {} failed",
        normal.per_second, alone.per_second, alone.failed
    );
    println!("F5 with     {}", normal.times.line());
    println!("F5 without  {}", alone.times.line());
    verdicts.at_most(
        &format!("F5.failed@{nodes}"),
        Kind::Relative,
        (f64::from(alone.failed), 0.0),
        None,
    );
    let ratio = normal.per_second / alone.per_second;
    verdicts.at_most(
        &format!("F5.slower@{nodes}"),
        Kind::Absolute,
        (ratio, 1.05),
        None,
    );
    Ok(())
}

/// F4, with the tenants that there are: from the start of a node's process to its first token, nobody to ask.
async fn cold(stand: &mut Stand, verdicts: &mut Verdicts) -> Result<()> {
    let mut times = Vec::new();
    for _ in 0..5 {
        stand.product.kill_full(0);
        let begun = Instant::now();
        stand.product.start_full(0)?;
        loop {
            let mut door = stand
                .product
                .door(&stand.product.full[0], Some(stand.basic.clone()));
            if matches!(token(&mut door).await, Ok(Some(_))) {
                break;
            }
            if begun.elapsed() > LIMIT {
                return Err("a node does not start without a control plane".into());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        times.push(begun.elapsed());
    }
    let times = Times::new(times);
    println!(
        "F4 exec -> first token, control plane down: {}; node {} KiB",
        times.line(),
        stand.product.full_usage(0).1
    );
    let name = format!("F4.few_tenants@{}", stand.nodes());
    verdicts.at_most(&name, Kind::Absolute, (times.ms(0.5), 150.0), None);
    println!(
        "{}",
        json!({ "scenario": "cold_start", "times": times.to_json() })
    );
    Ok(())
}

/// C6.
async fn reconnect(stand: &mut Stand, verdicts: &mut Verdicts) -> Result<()> {
    stand.board.clear();
    let bytes = stand.board.bytes();
    let refused = stand.board.refusals();
    stand.product.start_control().await?;
    let listening = Instant::now();
    let light = stand.light.len();
    let back = stand.board.wait(Event::Index, light, LIMIT).await;
    let last = back
        .iter()
        .map(|at| at.saturating_duration_since(listening))
        .max();
    let seconds = last.unwrap_or_default().as_secs_f64();
    // What would be sent again is sent by now.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (cpu, _) = stand.product.control_usage();
    let each = (stand.board.bytes() - bytes) as f64 / f64::from(u32::try_from(light.max(1))?);
    let nodes = stand.nodes();
    println!(
        "C6: {} of {light} light nodes are back {seconds:.2} s after the control plane is ready; {cpu:.2} CPU s since its start; {each:.0} bytes per node; {} refused",
        back.len(),
        stand.board.refusals() - refused
    );
    let missing = f64::from(u32::try_from(light - back.len())?);
    verdicts.at_most(
        &format!("C6.missing@{nodes}"),
        Kind::Relative,
        (missing, 0.0),
        None,
    );
    let [section, ..] = stand.board.largest();
    let resent = each >= f64::from(u32::try_from(section.max(64 * 1024))?);
    verdicts.at_most(
        &format!("C6.resent@{nodes}"),
        Kind::Relative,
        (f64::from(u8::from(resent)), 0.0),
        None,
    );
    if nodes >= 1_000 {
        verdicts.at_most(
            &format!("C6.seconds@{nodes}"),
            Kind::Absolute,
            (seconds, 5.0),
            None,
        );
        verdicts.at_most(
            &format!("C6.cpu_s@{nodes}"),
            Kind::Absolute,
            (cpu, 10.0),
            None,
        );
    }
    println!(
        "{}",
        json!({ "scenario": "reconnect", "nodes": nodes, "back": back.len(), "seconds": seconds, "control_cpu_s": cpu, "bytes_per_node": each })
    );
    Ok(())
}
