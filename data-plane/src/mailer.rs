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

/// A message was not handed over.
#[derive(Debug, thiserror::Error)]
#[error("the mail could not be handed over: {0}")]
pub struct MailError(#[source] Box<dyn std::error::Error + Send + Sync>);

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
            .map_err(|error| MailError(Box::new(error)))?
            .build();
        let from = from.parse().map_err(|error| {
            let error: lettre::address::AddressError = error;
            MailError(Box::new(error))
        })?;
        Ok(Self { transport, from })
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, mail: Mail) -> Result<(), MailError> {
        let to = mail
            .to
            .parse()
            .map_err(|error: lettre::address::AddressError| MailError(Box::new(error)))?;
        let message = Message::builder()
            .from(self.from.clone())
            .to(Address::new(None, to))
            .subject(mail.subject)
            .header(ContentType::TEXT_PLAIN)
            .body(mail.text)
            .map_err(|error| MailError(Box::new(error)))?;
        self.transport
            .send(message)
            .await
            .map_err(|error| MailError(Box::new(error)))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
