//! Where a request came from: the peer of the connection, or what a trusted proxy says of it (R-ENUM-05).
//!
//! Limits per address are worth nothing if a header chooses the address. So forwarding headers count only
//! when the connection itself comes from a listed proxy, and are read from right to left: each proxy
//! appends whom it heard, so everything left of the first address that is no proxy of ours is the caller's
//! own invention. Neither host nor scheme nor tenant is ever taken from such a header.

use std::{net::IpAddr, sync::Arc};

use actix_web::{
    HttpRequest,
    http::header::{self, HeaderMap, HeaderName},
};
use ipnet::IpNet;
use serde::Deserialize;

/// The proxies in front of us, by address or network; none unless they are set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct TrustedProxies(Arc<[IpNet]>);

/// An entry is no address and no network.
#[derive(Debug, thiserror::Error)]
#[error("an entry is not an IP address or a network such as 10.0.0.0/8")]
pub struct NoNetwork;

impl TryFrom<Vec<String>> for TrustedProxies {
    type Error = NoNetwork;
    fn try_from(entries: Vec<String>) -> Result<Self, NoNetwork> {
        let network = |entry: &String| {
            let alone = || entry.parse::<IpAddr>().map(IpNet::from);
            entry.parse().or_else(|_| alone()).map_err(|_| NoNetwork)
        };
        entries
            .iter()
            .map(network)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// The address of whoever sent a request; `None` where there is no connection.
pub fn client_ip(request: &HttpRequest) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip().to_canonical();
    let known = request.app_data::<TrustedProxies>();
    Some(known.map_or(peer, |proxies| proxies.client(peer, request.headers())))
}

impl TrustedProxies {
    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Who is behind `peer`. A proxy sets one of the two headers and passes the other on as it came, so where
    /// both are there and disagree, one of them is forged: then the peer itself is meant, and a caller who
    /// sends both wins nothing but a limit shared with others who do.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.trusts(peer) {
            return peer;
        }
        let plain = hops(
            headers,
            &HeaderName::from_static("x-forwarded-for"),
            address,
        );
        let standard = hops(headers, &header::FORWARDED, forwarded_for);
        match (plain, standard) {
            (None, None) => peer,
            (Some(hops), None) | (None, Some(hops)) => self.walk(peer, &hops),
            (Some(plain), Some(standard)) => {
                let (one, other) = (self.walk(peer, &plain), self.walk(peer, &standard));
                if one == other { one } else { peer }
            }
        }
    }

    /// The nearest address that is no proxy of ours. A hop that hides itself (RFC 7239 §6.3) or is no address
    /// ends the way: whoever reported it is as far as we can see.
    fn walk(&self, peer: IpAddr, hops: &[Option<IpAddr>]) -> IpAddr {
        let mut nearest = peer;
        for hop in hops.iter().rev() {
            let Some(address) = hop else { break };
            nearest = *address;
            if !self.trusts(nearest) {
                break;
            }
        }
        nearest
    }
}

/// The hops a header lists, over all of its lines, the farthest first; `None` if it is not there.
fn hops(
    headers: &HeaderMap,
    name: &HeaderName,
    read: fn(&str) -> Option<IpAddr>,
) -> Option<Vec<Option<IpAddr>>> {
    headers.contains_key(name).then(|| {
        headers
            .get_all(name)
            .flat_map(|line| line.to_str().unwrap_or_default().split(','))
            .map(|hop| read(hop.trim()))
            .collect()
    })
}

/// The `for` of one element of `Forwarded` (RFC 7239 §4).
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let mut named = element.split(';').filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("for")
            .then(|| value.trim())
    });
    match (named.next(), named.next()) {
        (Some(value), None) => address(value.trim_matches('"')),
        _ => None,
    }
}

/// An address with or without a port: `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
fn address(text: &str) -> Option<IpAddr> {
    let bare = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None => match text.split_once(':') {
            Some((host, port)) if !port.contains(':') => host,
            _ => text,
        },
    };
    Some(bare.parse::<IpAddr>().ok()?.to_canonical())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn proxies(entries: &[&str]) -> Result<TrustedProxies, NoNetwork> {
        let entries: Vec<String> = entries.iter().map(ToString::to_string).collect();
        entries.try_into()
    }

    #[test]
    fn entries_are_addresses_and_networks() {
        let some = proxies(&["10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::1"]).unwrap();
        for (address, trusted) in [
            ("10.255.0.1", true),
            ("11.0.0.1", false),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("2001:db8:ffff::1", true),
            ("2001:db9::1", false),
            ("::1", true),
        ] {
            assert_eq!(some.trusts(address.parse().unwrap()), trusted, "{address}");
        }
        assert!(!proxies(&[]).unwrap().trusts("127.0.0.1".parse().unwrap()));
        for bad in ["", "*", "10.0.0.0/33", "proxy.example", "10.0.0.0/-1"] {
            assert!(proxies(&[bad]).is_err(), "{bad}");
        }
    }

    /// The peer, the headers it sends, and the client that is meant.
    type Case = (
        &'static str,
        &'static [(&'static str, &'static str)],
        &'static str,
    );

    #[test]
    fn a_header_chooses_nothing_that_a_proxy_did_not_say_r_enum_05() {
        const XFF: &str = "x-forwarded-for";
        const STD: &str = "forwarded";
        let near = "10.0.0.1";
        let ours = proxies(&["10.0.0.0/8", "2001:db8:f::/48"]).unwrap();
        #[rustfmt::skip]
        let table: &[Case] = &[
            // peer, headers, client
            ("192.0.2.9", &[(XFF, "198.51.100.1")], "192.0.2.9"),
            ("192.0.2.9", &[(STD, "for=198.51.100.1")], "192.0.2.9"),
            (near, &[], near),
            (near, &[(XFF, "198.51.100.1")], "198.51.100.1"),
            (near, &[(XFF, "1.1.1.1, 198.51.100.1")], "198.51.100.1"),
            (near, &[(XFF, "1.1.1.1, 198.51.100.1, 10.0.0.2")], "198.51.100.1"),
            (near, &[(XFF, "10.9.9.9, 198.51.100.1, 10.0.0.2")], "198.51.100.1"),
            (near, &[(XFF, "1.1.1.1"), (XFF, "198.51.100.1")], "198.51.100.1"),
            (near, &[(XFF, "10.0.0.3, 10.0.0.2")], "10.0.0.3"),
            (near, &[(XFF, "198.51.100.1:4711")], "198.51.100.1"),
            (near, &[(XFF, "[2001:db8::1]:80")], "2001:db8::1"),
            (near, &[(XFF, "2001:db8::1")], "2001:db8::1"),
            (near, &[(XFF, "::ffff:198.51.100.1")], "198.51.100.1"),
            (near, &[(XFF, "198.51.100.1, 2001:db8:f::1")], "198.51.100.1"),
            (near, &[(XFF, "unknown")], near),
            (near, &[(XFF, "1.1.1.1, nonsense, 10.0.0.2")], "10.0.0.2"),
            (near, &[(XFF, "")], near),
            (near, &[(XFF, "1.1.1.1,")], near),
            (near, &[(STD, "for=198.51.100.1;proto=https;by=10.0.0.1")], "198.51.100.1"),
            (near, &[(STD, "For=\"[2001:db8::1]:80\"")], "2001:db8::1"),
            (near, &[(STD, "for=1.1.1.1, proto=https;for=198.51.100.1")], "198.51.100.1"),
            (near, &[(STD, "for=_hidden")], near),
            (near, &[(STD, "for=1.1.1.1;for=2.2.2.2")], near),
            (near, &[(STD, "proto=https")], near),
            (near, &[(XFF, "198.51.100.1"), (STD, "for=198.51.100.1")], "198.51.100.1"),
            (near, &[(XFF, "198.51.100.1"), (STD, "for=1.1.1.1")], near),
            ("::ffff:10.0.0.1", &[(XFF, "198.51.100.1")], "198.51.100.1"),
        ];
        for (peer, lines, expected) in table {
            let mut headers = HeaderMap::new();
            for (name, value) in *lines {
                headers.append(
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                );
            }
            let peer: IpAddr = peer.parse().unwrap();
            let client = ours.client(peer.to_canonical(), &headers);
            assert_eq!(client.to_string(), *expected, "{peer} {lines:?}");
        }
    }
}
