//! What the system says of a network interface.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use nix::ifaddrs::getifaddrs;

use super::XdpError;

/// The longest name that an interface can have (`IFNAMSIZ` without its NUL).
const NAME_LEN_MAX: usize = 15;

/// The most queues that we open: a thread and 8 MiB each. What comes in on others goes to
/// the ordinary sockets.
const QUEUES_MAX: u32 = 64;

/// The most addresses of one interface that we compare with.
const ADDRESSES_MAX: usize = 64;

/// `ARPHRD_ETHER`: what Ethernet cards, virtual ones too, call themselves.
const ETHERNET: u32 = 1;

/// A network interface.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    pub(super) index: u32,
    pub(super) mac: [u8; 6],
    /// Receiving queues, as many as we open.
    pub queues: u32,
    kind: u32,
    mtu: u32,
}

impl Interface {
    /// Reads what the system says of the interface `name`.
    pub fn read(name: &str) -> Result<Self, XdpError> {
        let failed = |source| XdpError::Interface { name: name.escape_debug().take(40).collect(), source };
        let plain = !name.is_empty() && name.len() <= NAME_LEN_MAX && !name.starts_with('.');
        if !plain || name.contains('/') || name.chars().any(char::is_control) {
            return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "no name of an interface")));
        }
        let folder = PathBuf::from("/sys/class/net").join(name);
        let text = |file: &str| std::fs::read_to_string(folder.join(file)).map_err(failed);
        let number = |file: &str| text(file)?.trim().parse::<u32>().map_err(|_| failed(unreadable()));
        let mac = mac(&text("address")?).unwrap_or_default();
        let queues = std::fs::read_dir(folder.join("queues")).map_err(failed)?.flatten();
        let queues = queues.filter(|queue| queue.file_name().as_encoded_bytes().starts_with(b"rx-")).count();
        let queues = (queues as u32).clamp(1, QUEUES_MAX);
        let (index, kind, mtu) = (number("ifindex")?, number("type")?, number("mtu")?);
        Ok(Self { name: name.into(), index, mac, queues, kind, mtu })
    }

    /// Whether frames of our form can come in and go out here.
    pub(super) fn fit(&self, mtu_min: u32) -> Result<(), XdpError> {
        let unfit = |why| Err(XdpError::Unfit { name: self.name.clone(), why });
        match self {
            Self { kind, .. } if *kind != ETHERNET => unfit("expected Ethernet, but got another kind"),
            Self { mtu, .. } if *mtu < mtu_min => {
                unfit("expected frames of 1280 octets, but got an MTU below")
            }
            _ => Ok(()),
        }
    }

    /// The interface's addresses that one of `listeners` answers on.
    #[must_use]
    pub fn listened(&self, listeners: &[SocketAddr]) -> Vec<IpAddr> {
        let all = getifaddrs().into_iter().flatten().filter(|entry| entry.interface_name == self.name);
        let ours = all.filter_map(|entry| {
            let address = entry.address?;
            let ipv4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
            ipv4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
        });
        ours.filter(|ip| listeners.iter().any(|listener| hears(*listener, *ip))).take(ADDRESSES_MAX).collect()
    }
}

/// Whether a socket bound to `listener` hears what is sent to `ip`.
pub(super) fn hears(listener: SocketAddr, ip: IpAddr) -> bool {
    let any = listener.ip().is_unspecified() && listener.is_ipv4() == ip.is_ipv4();
    any || listener.ip() == ip
}

/// Six octets in hexadecimal, with colons.
pub(super) fn mac(text: &str) -> Option<[u8; 6]> {
    let mut mac = [0; 6];
    let mut parts = text.trim().split(':');
    for octet in &mut mac {
        *octet = u8::from_str_radix(parts.next()?, 16).ok()?;
    }
    parts.next().is_none().then_some(mac)
}

fn unreadable() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "expected a number")
}
