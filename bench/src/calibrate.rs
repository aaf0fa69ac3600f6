//! The machine, and the floors of this run: what the same bytes cost without the product.

use std::{
    fs,
    io::Write,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use contract::jws::{DocumentKind, ReleaseSigner, TrustRoot};
use host::statement::{StatementKey, verify};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf},
    sync::mpsc,
};

use crate::{Result, figures::Times};

const KIND: DocumentKind = DocumentKind {
    typ: "bailiwick-bench+jwt",
    max_bytes: 64 * 1024,
};
/// How long each rate is measured.
const RATE_FOR: Duration = Duration::from_millis(300);

/// What was measured of a bare fan-out.
pub struct FanOut {
    /// From the first write to each answer.
    pub each: Times,
    /// From the first write to the last answer.
    pub last: Times,
}

/// Processor, kernel, load, commit.
pub fn machine() -> Value {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find(|line| line.starts_with("model name"));
    let model = model
        .and_then(|line| line.split_once(": "))
        .map_or("unknown", |(_, name)| name);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let commit = Command::new("git")
        .args(["rev-parse", "--short", "HEAD"])
        .output();
    let commit = commit.map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned());
    json!({
        "cpu": model, "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "kernel": kernel.trim(), "load": load(), "commit": commit.unwrap_or_default(), "tls": true,
    })
}

/// The load averages.
pub fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace()
        .take(3)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Signatures per second of both kinds, a round trip, and a durable write.
///
/// # Errors
/// Something of it cannot be done at all.
pub async fn primitives() -> Result<Value> {
    let payload = json!({ "payload": "x".repeat(300) });
    let signer = ReleaseSigner::from_secret(&[7; 32]);
    let trust = TrustRoot {
        keys: vec![signer.public()],
    };
    let jws = signer.sign(KIND, &payload).map_err(|_| "cannot sign")?;
    let key = StatementKey::generate()?;
    let statement = key.sign(KIND.typ, &[b'x'; 300])?;
    let public = key.public();
    let trip = fan_out(1, 64, 200).await?;
    let written = durable_writes(50)?;
    Ok(json!({
        "ed25519_document_sign_per_s": rate(|| signer.sign(KIND, &payload).is_ok()),
        "ed25519_document_verify_per_s": rate(|| trust.verify::<Value>(KIND, &jws).is_ok()),
        "es256_statement_sign_per_s": rate(|| key.sign(KIND.typ, &[b'x'; 300]).is_ok()),
        "es256_statement_verify_per_s": rate(|| verify(KIND.typ, &statement, &public).is_ok()),
        "tcp_round_trip_p50_ms": trip.each.ms(0.5),
        "durable_write_4k_p50_ms": written.ms(0.5),
        "durable_write_4k_p99_ms": written.ms(0.99),
    }))
}

fn rate(work: impl Fn() -> bool) -> f64 {
    let begun = Instant::now();
    let mut done = 0_u32;
    while begun.elapsed() < RATE_FOR {
        assert!(work(), "a calibration must work to be one");
        done += 1;
    }
    f64::from(done) / begun.elapsed().as_secs_f64()
}

/// Appends of 4 KiB that are on the disk: what a commit costs at least.
fn durable_writes(count: usize) -> Result<Times> {
    let mut file = tempfile::tempfile()?;
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let begun = Instant::now();
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        times.push(begun.elapsed());
    }
    Ok(Times::new(times))
}

/// One writer sends a message of `bytes` to each of `nodes` plain sockets, whose readers answer one byte, `rounds`
/// times.
///
/// # Errors
/// Sockets cannot be made.
pub async fn fan_out(nodes: usize, bytes: usize, rounds: usize) -> Result<FanOut> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (answered, mut answers) = mpsc::unbounded_channel::<Instant>();
    let mut writers = Vec::with_capacity(nodes);
    for _ in 0..nodes {
        let far = TcpStream::connect(address).await?;
        let (near, _) = listener.accept().await?;
        far.set_nodelay(true)?;
        near.set_nodelay(true)?;
        tokio::spawn(answer(far, bytes));
        let (read, write) = near.into_split();
        tokio::spawn(count(read, answered.clone()));
        writers.push(write);
    }
    let message: Arc<[u8]> = vec![7; bytes].into();
    let (mut each, mut last) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let begun = Instant::now();
        for writer in &mut writers {
            writer.write_all(&message).await?;
        }
        let mut latest = begun;
        for _ in 0..nodes {
            let at = answers.recv().await.ok_or("a reader is gone")?;
            each.push(at - begun);
            latest = latest.max(at);
        }
        last.push(latest - begun);
    }
    Ok(FanOut {
        each: Times::new(each),
        last: Times::new(last),
    })
}

async fn answer(mut stream: TcpStream, bytes: usize) {
    let mut message = vec![0; bytes];
    while stream.read_exact(&mut message).await.is_ok() {
        if stream.write_all(&[1]).await.is_err() {
            return;
        }
    }
}

async fn count(mut from: OwnedReadHalf, answered: mpsc::UnboundedSender<Instant>) {
    let mut byte = [0];
    while from.read_exact(&mut byte).await.is_ok() {
        if answered.send(Instant::now()).is_err() {
            return;
        }
    }
}
