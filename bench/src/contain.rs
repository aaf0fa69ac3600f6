//! `bench contain`: how long a containment takes until every node refuses, and that nothing slips through after it
//! was confirmed.

use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use contract::ids::ContainmentId;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::{
    Result, Scale,
    board::Event,
    calibrate::fan_out,
    figures::{Kind, Times, Verdicts},
    http::{Answer, Http},
    outage,
    stand::{SLUG, Stand, token},
};

/// Longest wait for the last node.
const LIMIT: Duration = Duration::from_secs(20);
/// Pause between two questions to one door.
const ASK_EVERY: Duration = Duration::from_millis(1);
/// Size of a containment's document on the wire, for the floor.
const DOCUMENT_BYTES: usize = 900;

/// Goal of the p99 in milliseconds, by the number of nodes.
fn goal(nodes: usize) -> f64 {
    match nodes {
        0..=1 => 50.0,
        2..=100 => 100.0,
        101..=1_000 => 150.0,
        _ => 500.0,
    }
}

/// Measures, prints, judges.
///
/// # Errors
/// The installation cannot be made or asked.
pub async fn run(binaries: &Path, scale: &Scale, verdicts: &mut Verdicts) -> Result<()> {
    for &nodes in &scale.nodes {
        println!("\n-- contain, N = {nodes}");
        let mut stand = Stand::with(nodes, binaries).await?;
        let floor = fan_out(nodes, DOCUMENT_BYTES, scale.containments.min(100)).await?;
        println!("nodes                      {}", stand.mix());
        println!("bare TCP, each             {}", floor.each.line());
        println!("bare TCP, last             {}", floor.last.line());
        drill(&mut stand, 3).await?;
        let idle = drill(&mut stand, scale.containments).await?;
        idle.tell("idle", &stand);
        idle.judge(&stand, floor.last.ms(0.99), verdicts);
        busy(&mut stand, scale, &idle, verdicts).await?;
        nothing_slips_through(&mut stand, scale.trials, verdicts).await?;
        cut_off(&mut stand, verdicts).await?;
        outage::run(&mut stand, scale, verdicts).await?;
    }
    Ok(())
}

/// Containments and their ends.
struct Drilled {
    /// C1: from the request to the last node's refusal.
    contained: Times,
    /// C1 for full nodes alone, by real requests.
    at_doors: Times,
    /// C5: from the request to the last node's readiness.
    lifted: Times,
    missed: usize,
}

/// Contains the machine and lets go of it again, `times` times.
async fn drill(stand: &mut Stand, times: usize) -> Result<Drilled> {
    let (mut contained, mut at_doors, mut lifted) = (Vec::new(), Vec::new(), Vec::new());
    let mut missed = 0;
    for _ in 0..times {
        let doors = watch_doors(stand, false);
        let answer = contain(stand, "").await?;
        let id = id_of(&answer)?;
        let (last, door, lost) = until_last(stand, (id, 1), doors, &answer).await;
        contained.push(last);
        at_doors.extend(door);
        missed += lost;
        let doors = watch_doors(stand, true);
        let answer = lift(stand, id, "").await?;
        let (last, _, lost) = until_last(stand, (id, 2), doors, &answer).await;
        lifted.push(last);
        missed += lost;
    }
    Ok(Drilled {
        contained: Times::new(contained),
        at_doors: Times::new(at_doors),
        lifted: Times::new(lifted),
        missed,
    })
}

async fn contain(stand: &mut Stand, query: &str) -> Result<Answer> {
    let body = json!({
        "subject": { "kind": "application", "application": stand.machine },
        "reason": "A drill", "minutes": 60, "ends_existing": false,
    });
    let path = format!("/v1/tenants/{SLUG}/containments{query}");
    stand.owner.json("POST", &path, Some(&body)).await
}

async fn lift(stand: &mut Stand, id: ContainmentId, query: &str) -> Result<Answer> {
    let path = format!("/v1/tenants/{SLUG}/containments/{id}/lift{query}");
    let body = json!({ "reason": "The drill is over" });
    let answer = stand.owner.json("POST", &path, Some(&body)).await?;
    answer.json()?;
    Ok(answer)
}

fn id_of(answer: &Answer) -> Result<ContainmentId> {
    let made = answer.json()?;
    let id = made["id"].as_str().and_then(|text| text.parse().ok());
    id.ok_or_else(|| "a containment has no id".into())
}

/// A task per full node that asks its door for tokens until that is answered as wanted: when it asked that one.
fn watch_doors(stand: &Stand, wanted: bool) -> Vec<JoinHandle<Option<Instant>>> {
    let doors = stand.product.full.iter().map(|full| {
        let mut door = stand.product.door(full, Some(stand.basic.clone()));
        tokio::spawn(async move {
            let begun = Instant::now();
            while begun.elapsed() < LIMIT {
                let answered = token(&mut door).await.ok()?.is_some();
                if answered == wanted {
                    return Some(Instant::now());
                }
                tokio::time::sleep(ASK_EVERY).await;
            }
            None
        })
    });
    doors.collect()
}

/// From the request until the last node did it, the times of the doors, and how many nodes never did.
async fn until_last(
    stand: &Stand,
    (id, revision): (ContainmentId, u32),
    doors: Vec<JoinHandle<Option<Instant>>>,
    answer: &Answer,
) -> (Duration, Vec<Duration>, usize) {
    let light = stand.light.len();
    let done = stand
        .board
        .wait(Event::Containment(id, revision), light, LIMIT)
        .await;
    let mut missed = light - done.len();
    let mut at_doors = Vec::new();
    for door in doors {
        match door.await {
            Ok(Some(at)) => at_doors.push(at.saturating_duration_since(answer.asked)),
            _ => missed += 1,
        }
    }
    let light = done
        .iter()
        .map(|at| at.saturating_duration_since(answer.asked));
    let last = light.chain(at_doors.iter().copied()).max().unwrap_or(LIMIT);
    (last, at_doors, missed)
}

impl Drilled {
    fn tell(&self, name: &str, stand: &Stand) {
        println!(
            "C1 request -> last node    {}  ({name})",
            self.contained.line()
        );
        println!(
            "C1 request -> real refusal {}  ({name}, full nodes)",
            self.at_doors.line()
        );
        println!(
            "C5 undo -> last node       {}  ({name})",
            self.lifted.line()
        );
        let line = json!({
            "scenario": "contain", "state": name, "nodes": stand.nodes(), "mix": stand.mix(), "missed": self.missed,
            "c1": self.contained.to_json(), "c1_doors": self.at_doors.to_json(), "c5": self.lifted.to_json(),
        });
        println!("{line}");
    }

    fn judge(&self, stand: &Stand, floor: f64, verdicts: &mut Verdicts) {
        let nodes = stand.nodes();
        let goal = goal(nodes);
        for (name, times) in [("C1", &self.contained), ("C5", &self.lifted)] {
            let p99 = times.ms(0.99);
            verdicts.at_most(
                &format!("{name}.p99@{nodes}"),
                Kind::Absolute,
                (p99, goal),
                Some(floor),
            );
        }
        let p50 = self.contained.ms(0.5);
        verdicts.at_most(
            &format!("C1.p50@{nodes}"),
            Kind::Absolute,
            (p50, 15.0),
            None,
        );
        let missed = f64::from(u32::try_from(self.missed).unwrap_or(u32::MAX));
        verdicts.at_most(
            &format!("C1.missed@{nodes}"),
            Kind::Relative,
            (missed, 0.0),
            None,
        );
    }
}

/// C3: the same while releases stream.
async fn busy(
    stand: &mut Stand,
    scale: &Scale,
    idle: &Drilled,
    verdicts: &mut Verdicts,
) -> Result<()> {
    let section = fatten(stand, scale.bundle_bytes).await?;
    let stop = Arc::new(AtomicBool::new(false));
    let streamed = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let (stopping, counted) = (Arc::clone(&stop), Arc::clone(&streamed));
    let (mut api, apis) = (stand.product.api(Some(SLUG))?, apis(stand).await?);
    let streaming = tokio::spawn(async move {
        let path = format!("/v1/tenants/{SLUG}/apis/{apis}");
        let _ = api.json("GET", &path, None).await;
        let mut number = 0_u64;
        while !stopping.load(Relaxed) {
            let body = json!({ "name": format!("Orders {number}") });
            let answer = api.json("PATCH", &path, Some(&body)).await;
            if answer.is_ok_and(|answer| answer.status == 200) {
                counted.fetch_add(1, Relaxed);
            } else {
                // Somebody else's change came in between.
                let _ = api.json("GET", &path, None).await;
            }
            number += 1;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let drilled = drill(stand, scale.containments.div_ceil(2)).await;
    stop.store(true, Relaxed);
    let seconds = begun.elapsed().as_secs_f64();
    streaming.await?;
    let drilled = drilled?;
    drilled.tell("busy", stand);
    let [_, pulse, document] = stand.board.largest();
    let per_second = streamed.load(Relaxed) as f64 / seconds;
    println!(
        "C3: {per_second:.1} releases/s with a section of {section} bytes; pulse {pulse} bytes, document {document} bytes"
    );
    let nodes = stand.nodes();
    let ratio = drilled.contained.ms(0.99) / idle.contained.ms(0.99);
    verdicts.at_most(
        &format!("C3.p99@{nodes}"),
        Kind::Relative,
        (ratio, scale.busy_ratio),
        None,
    );
    let pulse = f64::from(u32::try_from(pulse)?);
    verdicts.at_most(
        &format!("C3.pulse_bytes@{nodes}"),
        Kind::Relative,
        (pulse, 256.0),
        None,
    );
    // What streamed must have come before anything else is measured.
    stand.board.clear();
    tokio::time::sleep(Duration::from_secs(1)).await;
    Ok(())
}

async fn apis(stand: &mut Stand) -> Result<String> {
    let listed = stand
        .owner
        .call("GET", &format!("/v1/tenants/{SLUG}/apis"), None)
        .await?;
    let id = listed["items"][0]["id"].as_str();
    Ok(id.ok_or("the tenant has no API")?.to_owned())
}

/// Gives the tenant APIs until their section has about `bytes`; tells how large it became.
async fn fatten(stand: &mut Stand, bytes: usize) -> Result<usize> {
    let mut number = 0;
    while stand.board.largest()[0] < bytes && number < 90 {
        let scopes: Vec<Value> = (0..50)
            .map(|scope| json!({ "scope": format!("scope{scope}:read"), "description": "d".repeat(95) }))
            .collect();
        let api = json!({
            "name": format!("Filler {number}"), "audience": format!("https://filler-{number}.example"), "scopes": scopes,
        });
        stand
            .owner
            .call("POST", &format!("/v1/tenants/{SLUG}/apis"), Some(&api))
            .await?;
        number += 1;
        if stand.light.is_empty() && number * 6_500 >= bytes {
            return Ok(number * 6_500);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(stand.board.largest()[0])
}

/// C2: after `wait=reachable` returned, no full node issues a token or lets one through.
async fn nothing_slips_through(
    stand: &mut Stand,
    trials: usize,
    verdicts: &mut Verdicts,
) -> Result<()> {
    let mut doors: Vec<Http> = Vec::new();
    let mut earlier: HashMap<usize, Http> = HashMap::new();
    stand.serves().await?;
    for (number, full) in stand.product.full.iter().enumerate() {
        let mut door = stand.product.door(full, Some(stand.basic.clone()));
        let held = token(&mut door)
            .await?
            .ok_or("no token before the trials")?;
        earlier.insert(
            number,
            stand.product.door(full, Some(format!("Bearer {held}"))),
        );
        doors.push(door);
    }
    let (mut issued, mut active, mut unconfirmed, mut done) = (0_u32, 0_u32, 0_u32, 0);
    let mut waits = Vec::new();
    while done < trials {
        let answer = contain(stand, "?wait=reachable").await?;
        waits.push(answer.answered - answer.asked);
        let said = answer.json()?;
        let nodes = said["nodes"].as_array().map_or(0, Vec::len);
        let confirmed = said["figures"]["confirmed"].as_u64().unwrap_or(0);
        unconfirmed += u32::from(confirmed != nodes as u64);
        for (number, door) in doors.iter_mut().enumerate() {
            issued += u32::from(token(door).await?.is_some());
            if let Some(held) = earlier.get_mut(&number) {
                let path = format!("/t/{SLUG}/oauth2/userinfo");
                // A living token of a machine is answered 403, a refused one 401.
                active += u32::from(held.json("GET", &path, None).await?.status != 401);
            }
            done += 1;
        }
        lift(stand, id_of(&answer)?, "?wait=reachable").await?;
    }
    let nodes = stand.nodes();
    println!(
        "C2: {done} trials: {issued} issued, {active} active; {unconfirmed} answers without every node; the call took {}",
        Times::new(waits).line()
    );
    verdicts.at_most(
        &format!("C2.issued@{nodes}"),
        Kind::Relative,
        (f64::from(issued), 0.0),
        None,
    );
    verdicts.at_most(
        &format!("C2.active@{nodes}"),
        Kind::Relative,
        (f64::from(active), 0.0),
        None,
    );
    Ok(())
}

/// C4: a node that nothing reaches is listed as not contained within 2 s.
async fn cut_off(stand: &mut Stand, verdicts: &mut Verdicts) -> Result<()> {
    let Some(light) = stand.light.first().cloned() else {
        return Ok(());
    };
    light.mute(true);
    let cut = Instant::now();
    let answer = contain(stand, "").await?;
    let id = id_of(&answer)?;
    let path = format!("/v1/tenants/{SLUG}/containments/{id}");
    let own = light.node().to_string();
    let listed = loop {
        let state = stand.owner.call("GET", &path, None).await?;
        let nodes = state["nodes"].as_array().cloned().unwrap_or_default();
        let node = nodes.iter().find(|node| node["node"] == own.as_str());
        let is_listed =
            node.is_some_and(|node| node["connected"] == false && node["outcome"] == "silent");
        if is_listed || cut.elapsed() > LIMIT {
            break cut.elapsed();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    light.mute(false);
    println!(
        "C4: a node that hears nothing is listed after {:.2} s",
        listed.as_secs_f64()
    );
    let nodes = stand.nodes();
    // Counted from the last word heard, which is up to a second before the cut; so the goal holds from the cut.
    verdicts.at_most(
        &format!("C4.seconds@{nodes}"),
        Kind::Relative,
        (listed.as_secs_f64(), 2.5),
        None,
    );
    lift(stand, id, "").await?;
    Ok(())
}
