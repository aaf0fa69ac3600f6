//! The one place where a URL chooses an implementation: memory or Redis, mailbox or mail server.

use std::sync::Arc;

use host::{Clock, Secret, database::without_credentials};
use url::Url;

use super::{Failure, Mail, settings::read_secret};
use crate::{
    mailer::{Mailbox, Mailer, SmtpMailer},
    state::{StateStore, memory::MemoryState, redis::RedisState},
};

/// Every key of ours in a shared Redis begins with it.
const REDIS_PREFIX: &str = "bailiwick";

/// The short-lived state behind `url`: `memory:`, `redis://…` or `rediss://…`.
///
/// # Errors
/// Another scheme, or a server that does not answer.
pub async fn state_store(url: &Secret, clock: &Clock) -> Result<Arc<dyn StateStore>, Failure> {
    let cannot = |why: &str| Failure::setting("node.state_url", why);
    match url.expose() {
        "memory:" => Ok(Arc::new(MemoryState::new(clock.clone()))),
        url if url.starts_with("redis://") || url.starts_with("rediss://") => {
            // Told apart from a server that does not answer, because the next step differs.
            if redis::Client::open(url).is_err() {
                return Err(cannot("it is not an address such as redis://cache:6379/0"));
            }
            match RedisState::connect(url, REDIS_PREFIX).await {
                Ok(store) => Ok(Arc::new(store)),
                Err(error) => {
                    let place = without_credentials(url);
                    Err(cannot(&format!("the store at {place}: {error}")))
                }
            }
        }
        _ => Err(cannot(
            "it must be memory: or begin with redis:// or rediss://",
        )),
    }
}

/// Who delivers mail, and the mailbox to look into if that is this process itself.
pub struct Post {
    /// Hands messages over.
    pub mailer: Arc<dyn Mailer>,
    /// Holds them, when no server does.
    pub mailbox: Option<Mailbox>,
}

/// The mail server of the settings, or a mailbox in this process.
///
/// # Errors
/// Half of the settings, an unreadable file, or a server address that cannot be used.
pub fn post(mail: &Mail, clock: &Clock) -> Result<Post, Failure> {
    let cannot = |key: &str, why: &str| Err(Failure::setting(key, why));
    match (&mail.smtp_url_file, &mail.from) {
        (None, None) => {
            let mailbox = Mailbox::new(clock.clone());
            Ok(Post {
                mailer: Arc::new(mailbox.clone()),
                mailbox: Some(mailbox),
            })
        }
        (Some(file), Some(from)) => {
            let url = read_secret("mail.smtp_url", file)?;
            let Ok(url) = Url::parse(url.expose()) else {
                return cannot(
                    "mail.smtp_url_file",
                    "the file does not hold a URL such as smtps://mail.example:465",
                );
            };
            let mailer = SmtpMailer::new(&url, from)
                .map_err(|error| Failure::setting("mail.smtp_url_file or mail.from", error))?;
            Ok(Post {
                mailer: Arc::new(mailer),
                mailbox: None,
            })
        }
        (Some(_), None) => cannot("mail.from", "mail.smtp_url_file is set, so it is needed"),
        (None, Some(_)) => cannot("mail.smtp_url_file", "mail.from is set, so it is needed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn urls_choose_and_wrong_ones_are_refused() {
        let clock = Clock::system();
        assert!(state_store(&Secret::new("memory:"), &clock).await.is_ok());
        let error = state_store(&Secret::new("memcached://x"), &clock)
            .await
            .err()
            .expect("refused");
        assert!(error.to_string().contains("redis://"), "{error}");
        let error = state_store(&Secret::new("redis://:geheim@cache:port/"), &clock)
            .await
            .err()
            .expect("refused")
            .to_string();
        assert!(error.contains("redis://cache:6379/0"), "{error}");
        assert!(!error.contains("geheim"), "{error}");
        let gone = Secret::new("redis://:geheim@127.0.0.1:1/");
        let error = state_store(&gone, &clock).await.err().expect("refused");
        assert!(error.to_string().contains("redis://127.0.0.1:1"), "{error}");
        assert!(!error.to_string().contains("geheim"), "{error}");
    }

    #[test]
    fn half_of_the_mail_settings_is_refused() {
        let clock = Clock::system();
        assert!(post(&Mail::default(), &clock).unwrap().mailbox.is_some());
        let half = Mail {
            from: Some("Acme <post@acme.example>".into()),
            ..Mail::default()
        };
        let error = post(&half, &clock).err().expect("refused").to_string();
        assert!(error.contains("smtp_url_file"), "{error}");
    }
}
