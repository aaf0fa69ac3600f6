//! The wire between the planes: TLS 1.3 on which both sides prove who they are, and text frames over
//! WebSocket on top.
//!
//! Both planes take the same pieces from here, so that no side can be laxer than the other. It knows
//! certificates and bytes; who a certificate stands for, and what a frame means, is the planes' business.
//! It must never fall back to a connection without proof: the one configuration that does not ask the
//! client for a certificate ([`Server::open`]) is named for what it is.

mod ask;
mod link;
mod probe;
mod tls;

pub use self::{
    ask::{Answered, Question, answer, ask},
    link::{
        Carried, Limits, Link, LinkError, Socket, Text, Turned, accept, accept_any, carry, open,
    },
    probe::{Asked, get},
    tls::{Client, Identity, Peer, Server, Waiting, WireError, connect},
};

#[cfg(test)]
mod tests;
