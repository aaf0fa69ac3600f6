//! `bench push`: how long a change takes until nodes work by it.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    Result, Scale,
    board::Event,
    calibrate::{FanOut, fan_out},
    figures::{Kind, Times, Verdicts},
    stand::{SLUG, Stand},
};

/// Longest wait for the last node.
const LIMIT: Duration = Duration::from_secs(20);
/// Pause between two changes, so that each is measured alone.
const PAUSE: Duration = Duration::from_millis(5);

/// Goals of p50 and p99 in milliseconds, by the number of nodes.
fn goals(nodes: usize) -> (f64, f64) {
    match nodes {
        0..=1 => (5.0, 20.0),
        2..=100 => (10.0, 30.0),
        101..=1_000 => (30.0, 80.0),
        _ => (200.0, 600.0),
    }
}

/// What many changes came to.
struct Pushed {
    from_answer: Times,
    from_request: Times,
    last: Times,
    missed: usize,
    bytes: f64,
    signed: f64,
    cpu_us: f64,
}

/// Measures, prints, judges.
///
/// # Errors
/// The installation cannot be made or asked.
pub async fn run(binaries: &Path, scale: &Scale, verdicts: &mut Verdicts) -> Result<()> {
    for &nodes in &scale.nodes {
        println!("\n-- push, N = {nodes}");
        let mut stand = Stand::with(nodes, binaries).await?;
        change(&mut stand, 10).await?;
        let pushed = change(&mut stand, scale.changes).await?;
        let floor = fan_out(
            nodes,
            (pushed.bytes as usize).max(64),
            scale.changes.min(100),
        )
        .await?;
        tell(nodes, &stand, &pushed, &floor);
        judge(nodes, &pushed, &floor, verdicts);
        if scale.profile_cpu {
            profile(&stand);
        }
        growth(&mut stand, scale, &pushed, verdicts).await?;
    }
    Ok(())
}

async fn change(stand: &mut Stand, changes: usize) -> Result<Pushed> {
    let nodes = stand.nodes();
    let path = format!("/v1/tenants/{SLUG}");
    let (mut from_answer, mut from_request, mut last) = (Vec::new(), Vec::new(), Vec::new());
    let mut missed = 0;
    // A change names the version it was made against; each answer tells the next one's.
    stand.platform.call("GET", &path, None).await?;
    let (signed, bytes, cpu) = (
        stand.product.signed().await?,
        stand.board.bytes(),
        stand.product.control_usage().0,
    );
    for number in 0..changes {
        let body = json!({ "name": format!("Globex {number} {nodes} {changes}") });
        let answer = stand.platform.json("PATCH", &path, Some(&body)).await?;
        let version = answer.json()?["release"]
            .as_u64()
            .ok_or("a change has no release")?;
        let done = stand
            .board
            .wait(Event::Release(stand.tenant, version), nodes, LIMIT)
            .await;
        missed += nodes - done.len();
        let latest = done.iter().copied().max().unwrap_or(answer.answered);
        last.push(latest.saturating_duration_since(answer.answered));
        for at in done {
            from_answer.push(at.saturating_duration_since(answer.answered));
            from_request.push(at - answer.asked);
        }
        tokio::time::sleep(PAUSE).await;
    }
    let each = f64::from(u32::try_from(changes.max(1))?);
    let light = f64::from(u32::try_from(stand.light.len().max(1))?);
    let bytes = (stand.board.bytes() - bytes) as f64;
    Ok(Pushed {
        from_answer: Times::new(from_answer),
        from_request: Times::new(from_request),
        last: Times::new(last),
        missed,
        bytes: bytes / each / light,
        signed: (stand.product.signed().await? - signed) / each,
        cpu_us: (stand.product.control_usage().0 - cpu) * 1e6 / each,
    })
}

fn tell(nodes: usize, stand: &Stand, pushed: &Pushed, floor: &FanOut) {
    println!("nodes                 {}", stand.mix());
    println!("answer -> node acks   {}", pushed.from_answer.line());
    println!("request -> node acks  {}", pushed.from_request.line());
    println!("answer -> last node   {}", pushed.last.line());
    println!("bare TCP, each        {}", floor.each.line());
    println!("bare TCP, last        {}", floor.last.line());
    println!(
        "not acked {}  refused {}  bytes/change/node {:.0}  signatures/change {:.2}  control-plane CPU {:.0} us/change",
        pushed.missed,
        stand.board.refusals(),
        pushed.bytes,
        pushed.signed,
        pushed.cpu_us
    );
    let line = json!({
        "scenario": "push", "nodes": nodes, "mix": stand.mix(),
        "from_answer": pushed.from_answer.to_json(), "from_request": pushed.from_request.to_json(),
        "last_node": pushed.last.to_json(), "floor_each": floor.each.to_json(), "floor_last": floor.last.to_json(),
        "not_acked": pushed.missed, "refused": stand.board.refusals(), "bytes_per_change_per_node": pushed.bytes,
        "signatures_per_change": pushed.signed, "control_cpu_us_per_change": pushed.cpu_us,
    });
    println!("{line}");
}

fn judge(nodes: usize, pushed: &Pushed, floor: &FanOut, verdicts: &mut Verdicts) {
    let (p50, p99) = goals(nodes);
    // Judged from the request on: a change counts from when its author asked for it.
    let times = &pushed.from_request;
    let floors = (Some(floor.each.ms(0.5)), Some(floor.each.ms(0.99)));
    verdicts.at_most(
        &format!("push.p50@{nodes}"),
        Kind::Absolute,
        (times.ms(0.5), p50),
        floors.0,
    );
    verdicts.at_most(
        &format!("push.p99@{nodes}"),
        Kind::Absolute,
        (times.ms(0.99), p99),
        floors.1,
    );
    let missed = f64::from(u32::try_from(pushed.missed).unwrap_or(u32::MAX));
    verdicts.at_most(
        &format!("push.missed@{nodes}"),
        Kind::Relative,
        (missed, 0.0),
        None,
    );
    verdicts.at_most(
        &format!("push.signatures@{nodes}"),
        Kind::Relative,
        (pushed.signed, 1.0),
        None,
    );
}

/// Where processor time went since each process began.
fn profile(stand: &Stand) {
    for (name, seconds) in stand.product.control_threads() {
        println!("CPU control plane, thread {name:<20} {seconds:6.2} s");
    }
    for number in 0..stand.product.full.len() {
        println!(
            "CPU full node {number:<4} {:6.2} s",
            stand.product.full_usage(number).0
        );
    }
}

/// The bytes of a change must not grow with the tenants of the region.
async fn growth(
    stand: &mut Stand,
    scale: &Scale,
    before: &Pushed,
    verdicts: &mut Verdicts,
) -> Result<()> {
    if stand.light.is_empty() || scale.more_tenants == 0 {
        return Ok(());
    }
    let begun = Instant::now();
    for number in 0..scale.more_tenants {
        let new = json!({
            "slug": format!("more-{number}"), "name": "More", "environment": "sandbox",
            "region": crate::product::REGION,
        });
        stand
            .platform
            .call("POST", "/v1/tenants", Some(&new))
            .await?;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let after = change(stand, scale.changes.min(50)).await?;
    println!(
        "{} more tenants made in {:.1} s: bytes/change/node {:.0} -> {:.0}, p50 {:.2} -> {:.2} ms",
        scale.more_tenants,
        begun.elapsed().as_secs_f64(),
        before.bytes,
        after.bytes,
        before.from_request.ms(0.5),
        after.from_request.ms(0.5),
    );
    let name = format!("push.growth@{}", stand.nodes());
    verdicts.at_most(
        &name,
        Kind::Relative,
        (after.bytes / before.bytes, 1.1),
        None,
    );
    Ok(())
}
