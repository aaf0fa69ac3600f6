//! Mail to people: who sends is chosen by the binary, what is said by the caller.
//!
//! A [`Mail`] can only be made of values that are safe in a header (R-INJ-03): one address, a subject
//! without control characters. Bodies are plain text, because a link in plain text cannot pretend to
//! lead elsewhere. No implementation may log a message: it carries one-time links.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use contract::{Invalid, text};
use host::Clock;
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox as Address, header::ContentType},
    transport::smtp,
};
use url::Url;

/// How many messages an in-process mailbox keeps.
const KEPT: usize = 200;

/// A message to one person.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    to: String,
    subject: String,
    text: String,
}

impl Mail {
    /// Composes a message.
    ///
    /// # Errors
    /// An address that is none, or a subject that would break a header.
    pub fn new(to: &str, subject: impl Into<String>, body: String) -> Result<Self, Invalid> {
        text::check_email("to", to)?;
        let subject = subject.into();
        if subject.chars().any(char::is_control) {
            return Err(Invalid::new(
                "subject",
                "must not contain control characters",
            ));
        }
        Ok(Self {
            to: to.to_owned(),
            subject,
            text: body,
        })
    }

    /// To whom.
    pub fn to(&self) -> &str {
        &self.to
    }

    /// About what.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The message itself.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Addresses and links are nobody's business in a log.
        f.write_str("Mail(***)")
    }
}

/// A message was not handed over. It keeps what kind of failure it was and the reply's code, never the text of
/// a reply, in which mail servers repeat the recipient's address.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The server's or the sender's address cannot be read.
    #[error("mail cannot be set up: {0}")]
    Setup(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The server will not take mail for this recipient, today or tomorrow.
    #[error("the mail server refuses the recipient for good (SMTP {code})")]
    RecipientRefused {
        /// The reply's code.
        code: u16,
    },
    /// The server refuses, for another reason or for now.
    #[error("the mail server refuses (SMTP {code})")]
    Refused {
        /// The reply's code.
        code: u16,
    },
    /// There was no reply that could be understood.
    #[error("the mail could not be handed over: {0}")]
    NotHandedOver(&'static str),
}

impl From<smtp::Error> for MailError {
    fn from(error: smtp::Error) -> Self {
        if let Some(code) = error.status().map(u16::from) {
            // x5z is the state of the recipient's mail system; 50z and 53z are about us (RFC 5321 §4.2.1).
            return if error.is_permanent() && (550..560).contains(&code) {
                Self::RecipientRefused { code }
            } else {
                Self::Refused { code }
            };
        }
        Self::NotHandedOver(if error.is_timeout() {
            "the mail server does not answer in time"
        } else if error.is_tls() {
            "TLS failed"
        } else if error.is_response() {
            "the mail server's answer is not understood"
        } else if error.is_client() {
            "the message cannot be sent this way"
        } else {
            "the connection failed"
        })
    }
}

/// Hands messages over to whoever delivers them.
#[async_trait]
pub trait Mailer: Send + Sync + 'static {
    /// Hands over one message.
    async fn send(&self, mail: Mail) -> Result<(), MailError>;
}

/// A message in a [`Mailbox`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// The message.
    pub mail: Mail,
    /// When it was sent.
    pub at: DateTime<Utc>,
}

/// Keeps the latest 200 messages in this process, for installations without a mail server. Clones share.
#[derive(Debug, Clone)]
pub struct Mailbox {
    clock: Clock,
    messages: Arc<Mutex<VecDeque<Delivered>>>,
}

impl Mailbox {
    /// An empty mailbox.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            messages: Arc::default(),
        }
    }

    /// What was sent, newest first.
    pub fn messages(&self) -> Vec<Delivered> {
        let messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        messages.iter().cloned().collect()
    }
}

#[async_trait]
impl Mailer for Mailbox {
    async fn send(&self, mail: Mail) -> Result<(), MailError> {
        let delivered = Delivered {
            mail,
            at: self.clock.now(),
        };
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        messages.push_front(delivered);
        messages.truncate(KEPT);
        Ok(())
    }
}

/// Hands messages to an SMTP server.
#[derive(Clone)]
pub struct SmtpMailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Address,
}

impl SmtpMailer {
    /// Prepares to send through `server` (`smtps://user:password@host:port`, or `smtp://…?tls=required`
    /// for STARTTLS) as `from` (`Name <name@example.com>`). Connects at the first message.
    ///
    /// # Errors
    /// A server address or a sender that cannot be read.
    pub fn new(server: &Url, from: &str) -> Result<Self, MailError> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(server.as_str())
            .map_err(|error| MailError::Setup(Box::new(error)))?
            .build();
        let from = from.parse().map_err(|error| {
            let error: lettre::address::AddressError = error;
            MailError::Setup(Box::new(error))
        })?;
        Ok(Self { transport, from })
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, mail: Mail) -> Result<(), MailError> {
        let unsendable = || MailError::NotHandedOver("the message cannot be sent this way");
        let to = mail.to.parse().map_err(|_| unsendable())?;
        let message = Message::builder()
            .from(self.from.clone())
            .to(Address::new(None, to))
            .subject(mail.subject)
            .header(ContentType::TEXT_PLAIN)
            .body(mail.text)
            .map_err(|_| unsendable())?;
        self.transport.send(message).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
        net::TcpListener,
    };

    use super::*;

    /// A mail server that answers `RCPT` with this.
    async fn server(answer: &'static str) -> Url {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (socket, _) = listener.accept().await.unwrap();
            let (read, mut write) = socket.into_split();
            write.write_all(b"220 here\r\n").await.unwrap();
            let mut lines = BufReader::new(read).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let answer = match line.get(..4) {
                    Some("RCPT") => answer,
                    _ => "250 ok",
                };
                let answer = format!("{answer}\r\n");
                if write.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
            }
        });
        format!("smtp://{address}").parse().unwrap()
    }

    #[tokio::test]
    async fn a_failure_does_not_repeat_whom_it_was_for() {
        for (answer, for_good) in [
            ("550 5.1.1 <ada@example.com>: no such user", true),
            ("451 4.7.1 <ada@example.com>: come back later", false),
            ("530 5.7.0 authenticate, ada@example.com", false),
        ] {
            let mailer = SmtpMailer::new(&server(answer).await, "Acme <acme@example.org>").unwrap();
            let mail = Mail::new("ada@example.com", "hello", String::new()).unwrap();
            let error = mailer.send(mail).await.unwrap_err();
            let text = format!("{error} {error:?}");
            assert!(
                !text.contains("ada") && text.contains(&answer[..3]),
                "{text}"
            );
            assert!(std::error::Error::source(&error).is_none());
            let refused = matches!(error, MailError::RecipientRefused { .. });
            assert_eq!(refused, for_good, "{answer}");
        }
    }

    #[tokio::test]
    async fn a_mailbox_keeps_the_latest() {
        let mailbox = Mailbox::new(Clock::system());
        for n in 0..KEPT + 5 {
            let mail = Mail::new("ada@example.com", format!("{n}"), String::new()).unwrap();
            mailbox.send(mail).await.unwrap();
        }
        let messages = mailbox.messages();
        assert_eq!(messages.len(), KEPT);
        assert_eq!(messages[0].mail.subject(), (KEPT + 4).to_string());
    }

    #[test]
    fn headers_cannot_be_broken_out_of_r_inj_03() {
        for (to, subject) in [
            ("ada@example.com\r\nBcc: eve@example.com", "hello"),
            ("ada@example.com, eve@example.com", "hello"),
            ("ada@example.com", "hello\r\nBcc: eve@example.com"),
            ("ada@example.com", "hello\0"),
        ] {
            assert!(Mail::new(to, subject, String::new()).is_err(), "{to}");
        }
    }
}
