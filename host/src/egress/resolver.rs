//! Resolution that refuses: the addresses it lets through are the ones the connection is made to.
//!
//! One private address among several refuses the whole name: whoever answers so is mistaken or hostile,
//! and the connector would otherwise be free to choose it.

use std::{error::Error, io, net::SocketAddr, sync::Arc};

use futures::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;

use super::address::is_public;

/// Asks for the addresses of a name; a value, so that tests can answer as a hostile DNS server would.
pub type Lookup =
    Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// The operating system's resolver.
pub fn system_lookup() -> Lookup {
    Arc::new(|name| {
        Box::pin(async move {
            // The port is replaced by the URL's.
            Ok(tokio::net::lookup_host((name.as_str(), 0)).await?.collect())
        })
    })
}

/// Passes on only what is public.
pub struct Guarded(pub Lookup);

#[derive(Debug, Error)]
#[error("the name has an address outside the public internet")]
struct Refused;

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let answer = (self.0)(name.as_str().to_owned());
        Box::pin(async move {
            let addresses = answer.await?;
            if addresses.is_empty() || !addresses.iter().all(|address| is_public(address.ip())) {
                return Err(Refused.into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// Whether `error` comes from a refusal of ours, however deep the client buried it.
pub fn refused(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| (**error).source())
        .any(|error| error.is::<Refused>())
}
