//! Opening a listening socket, with an error a person can act on.
//!
//! "Address in use (os error 98)" names neither the address nor the way out. A taken port is the most
//! common failure of a first start, so it gets one whole sentence. It must never pick another port
//! silently: bookmarks, redirect URIs and issuers depend on the chosen one.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use thiserror::Error;

/// Why the address could not be listened on. `Display` is one line for the operator.
#[derive(Debug, Error)]
pub enum BindError {
    /// Another process listens there.
    #[error("the address {addr} is already taken; choose another with {option}")]
    Taken {
        /// The wanted address.
        addr: SocketAddr,
        /// What sets it.
        option: String,
    },
    /// Ports below 1024 need a privilege.
    #[error(
        "no permission to listen on {addr}; choose a port from 1024 up with {option}, or grant CAP_NET_BIND_SERVICE"
    )]
    Forbidden {
        /// The wanted address.
        addr: SocketAddr,
        /// What sets it.
        option: String,
    },
    /// No network interface has this IP address.
    #[error("this machine has no address {}; choose another with {option}", .addr.ip())]
    NotHere {
        /// The wanted address.
        addr: SocketAddr,
        /// What sets it.
        option: String,
    },
    /// Anything else.
    #[error("cannot listen on {addr} (set by {option}): {source}")]
    Other {
        /// The wanted address.
        addr: SocketAddr,
        /// What sets it.
        option: String,
        /// What the operating system said.
        source: io::Error,
    },
}

/// Not an address one can listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "it must be an IP address and a port, such as 127.0.0.1:7000 or [::1]:7000; of names only localhost is understood"
)]
pub struct NotAnAddress;

/// Reads where to listen: an IP address and a port. `localhost` is 127.0.0.1; no other name is looked up,
/// because a name may have many addresses and a listener has one.
///
/// # Errors
/// [`NotAnAddress`].
pub fn parse_address(text: &str) -> Result<SocketAddr, NotAnAddress> {
    let on_this_machine = text
        .strip_prefix("localhost:")
        .map(|port| format!("127.0.0.1:{port}"));
    let address = on_this_machine.as_deref().unwrap_or(text);
    address.parse().map_err(|_| NotAnAddress)
}

/// Listens on `addr`, which `option` (such as `--console-addr`, or all its names) set. Port 0 takes any free port; read
/// the choice from the listener's `local_addr`.
///
/// # Errors
/// [`BindError`], one clear line.
pub fn bind(addr: SocketAddr, option: &str) -> Result<TcpListener, BindError> {
    let listen = || {
        let listener = TcpListener::bind(addr)?;
        // Both tokio and actix take the socket as it is and would block on it.
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    let option = option.to_owned();
    listen().map_err(|source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => BindError::Taken { addr, option },
        io::ErrorKind::PermissionDenied => BindError::Forbidden { addr, option },
        io::ErrorKind::AddrNotAvailable => BindError::NotHere { addr, option },
        _ => BindError::Other {
            addr,
            option,
            source,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named_with_the_way_out() {
        let first = bind("127.0.0.1:0".parse().unwrap(), "--console-addr").unwrap();
        let addr = first.local_addr().unwrap();
        let error = bind(addr, "--console-addr").unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("the address {addr} is already taken; choose another with --console-addr")
        );
    }

    #[test]
    fn addresses_are_numbers_and_localhost() {
        assert_eq!(
            parse_address("localhost:7000"),
            Ok(([127, 0, 0, 1], 7000).into())
        );
        assert!(parse_address("[::1]:0").is_ok_and(|address| address.is_ipv6()));
        for bad in [
            "localhost", "7000", "example.com:80", "localhost:", "localhost:70000", "",
        ] {
            assert_eq!(parse_address(bad), Err(NotAnAddress), "{bad}");
        }
    }

    #[test]
    fn an_address_of_another_machine_is_said_to_be_so() {
        // 192.0.2.0/24 is reserved for documentation (RFC 5737): no interface carries it.
        let error = bind("192.0.2.1:0".parse().unwrap(), "--auth-addr").unwrap_err();
        assert_eq!(
            error.to_string(),
            "this machine has no address 192.0.2.1; choose another with --auth-addr"
        );
    }
}
