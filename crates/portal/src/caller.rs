//! Who asks: the address that the meters count.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::request::Parts;

use crate::listen::Peer;

/// The client's address.
///
/// A connection from this machine is a reverse proxy's or the operator's own. A proxy's
/// last `X-Forwarded-For` address is the one that it saw itself; those before it are the
/// client's to invent. From elsewhere the header means nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Caller(pub(crate) IpAddr);

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Caller, Infallible> {
        let served = parts.extensions.get::<ConnectInfo<Peer>>().map(|info| info.0.0);
        let other = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
        let peer = served.or(other).map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |addr| addr.ip());
        Ok(Caller(behind(peer, &parts.headers)))
    }
}

fn behind(peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let peer = model::key::fold(peer);
    let forwarded = headers.get_all("x-forwarded-for").iter().next_back();
    let last = forwarded.and_then(|value| value.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
    if peer.is_loopback() { last.unwrap_or(peer) } else { peer }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(peer: &str, forwarded: &[&str], expect: &str) {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        assert_eq!(behind(peer.parse().unwrap(), &headers), expect.parse::<IpAddr>().unwrap());
    }

    #[test]
    fn only_a_proxy_on_this_machine_speaks_for_others() {
        check("192.0.2.1", &[], "192.0.2.1");
        check("::ffff:192.0.2.1", &[], "192.0.2.1");
        check("192.0.2.1", &["203.0.113.9"], "192.0.2.1");
        check("127.0.0.1", &[], "127.0.0.1");
        check("127.0.0.1", &["203.0.113.9"], "203.0.113.9");
        check("::1", &["2001:db8::9"], "2001:db8::9");
    }

    #[test]
    fn only_the_last_hop_counts() {
        check("127.0.0.1", &["198.51.100.7, 203.0.113.9"], "203.0.113.9");
        check("127.0.0.1", &["198.51.100.7", "203.0.113.9"], "203.0.113.9");
        check("127.0.0.1", &["203.0.113.9, nonsense"], "127.0.0.1");
    }
}
