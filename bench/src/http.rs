//! The least HTTP/1.1 that measuring needs: one kept connection, one question at a time, no hidden retry.
//!
//! The clock starts before the first byte is written and stops after the last one was read, so that what is
//! measured is what a caller waits for.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use crate::Result;

/// Longest wait for one answer.
const LIMIT: Duration = Duration::from_secs(30);

/// A kept connection to one server, asked in one name.
pub struct Http {
    address: String,
    host: String,
    authorization: Option<String>,
    /// The version that was seen last, for a change that must name it.
    seen: Option<String>,
    connection: Option<BufReader<TcpStream>>,
}

/// An answer, and when it was asked and had.
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// Before the first byte went out.
    pub asked: Instant,
    /// After the last byte came in.
    pub answered: Instant,
}

impl Answer {
    /// The body as JSON, if the status is one of success.
    ///
    /// # Errors
    /// Another status, with what was said.
    pub fn json(&self) -> Result<Value> {
        if !(200..300).contains(&self.status) {
            let said = String::from_utf8_lossy(&self.body);
            return Err(format!("status {}: {said}", self.status).into());
        }
        Ok(serde_json::from_slice(&self.body)?)
    }
}

impl Http {
    /// Will ask `address` in the name of `host`, with an `Authorization` if there is one.
    pub fn new(address: &str, host: &str, authorization: Option<String>) -> Self {
        Self {
            address: address.to_owned(),
            host: host.to_owned(),
            authorization,
            seen: None,
            connection: None,
        }
    }

    /// Asks with a JSON body, and demands success.
    ///
    /// # Errors
    /// No connection, or no success.
    pub async fn call(&mut self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let answer = self.json(method, path, body).await?;
        answer
            .json()
            .map_err(|error| format!("{method} {path}: {error}").into())
    }

    /// Asks with a JSON body.
    ///
    /// # Errors
    /// No connection.
    pub async fn json(&mut self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer> {
        let body = body.map(Value::to_string).unwrap_or_default();
        self.ask((method, path), "application/json", &body).await
    }

    /// Asks with a body of this type.
    ///
    /// # Errors
    /// No connection, or no answer in time.
    pub async fn ask(
        &mut self,
        (method, path): (&str, &str),
        kind: &str,
        body: &str,
    ) -> Result<Answer> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.host);
        if let Some(authorization) = &self.authorization {
            head.push_str(&format!("authorization: {authorization}\r\n"));
        }
        if let (Some(seen), "PATCH") = (&self.seen, method) {
            head.push_str(&format!("if-match: {seen}\r\n"));
        }
        if !body.is_empty() {
            head.push_str(&format!("content-type: {kind}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
        let asked = Instant::now();
        let exchange = tokio::time::timeout(LIMIT, self.exchange(&head)).await;
        let (status, body) = match exchange {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                self.connection = None;
                return Err(error);
            }
            Err(_) => {
                self.connection = None;
                return Err(format!("{method} {path}: no answer in time").into());
            }
        };
        Ok(Answer {
            status,
            body,
            asked,
            answered: Instant::now(),
        })
    }

    async fn exchange(&mut self, request: &str) -> Result<(u16, Vec<u8>)> {
        if self.connection.is_none() {
            let stream = TcpStream::connect(&self.address).await?;
            stream.set_nodelay(true)?;
            self.connection = Some(BufReader::new(stream));
        }
        let Some(connection) = self.connection.as_mut() else {
            return Err("no connection".into());
        };
        connection.get_mut().write_all(request.as_bytes()).await?;
        let read = read_answer(connection).await?;
        if read.closes {
            self.connection = None;
        }
        self.seen = read.tag;
        Ok((read.status, read.body))
    }
}

/// What came.
struct Read {
    status: u16,
    body: Vec<u8>,
    tag: Option<String>,
    closes: bool,
}

async fn read_answer(from: &mut BufReader<TcpStream>) -> Result<Read> {
    let mut line = String::new();
    if from.read_line(&mut line).await? == 0 {
        return Err("the connection was closed".into());
    }
    let status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
    let status = status.ok_or("no status came")?;
    let (mut length, mut chunked, mut closes, mut tag) = (0_usize, false, false, None);
    loop {
        line.clear();
        from.read_line(&mut line).await?;
        let Some((name, value)) = line.trim().split_once(':') else {
            break;
        };
        match (name.to_ascii_lowercase().as_str(), value.trim()) {
            ("etag", value) => tag = Some(value.to_owned()),
            ("content-length", value) => length = value.parse()?,
            ("transfer-encoding", "chunked") => chunked = true,
            ("connection", "close") => closes = true,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body).await?;
    if chunked {
        read_pieces(from, &mut body).await?;
    }
    Ok(Read {
        status,
        body,
        tag,
        closes,
    })
}

/// Reads a chunked body (RFC 9112 section 7.1) to its last, empty piece.
async fn read_pieces(from: &mut BufReader<TcpStream>, body: &mut Vec<u8>) -> Result<()> {
    let mut line = String::new();
    loop {
        line.clear();
        from.read_line(&mut line).await?;
        let size = usize::from_str_radix(line.trim(), 16)?;
        let mut piece = vec![0; size + 2];
        from.read_exact(&mut piece).await?;
        if size == 0 {
            return Ok(());
        }
        body.extend_from_slice(&piece[..size]);
    }
}
