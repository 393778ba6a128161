//! UDP datagrams in Ethernet frames: RFC 768 in RFC 791 or RFC 8200.
//!
//! Frames come from strangers as they were on the wire; nothing of them has been checked
//! but what [`super::program`] looked at, and this module does not rely on that. What the
//! kernel's own stack would drop is dropped here too. Options, extension headers,
//! fragments and VLAN tags are none of our forms: the program leaves them to the kernel.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Octets of an Ethernet header without a VLAN tag: to, from, type.
const ETHERNET_LEN: usize = 14;
/// Octets of an IPv4 header without options (RFC 791 §3.1).
const IPV4_LEN: usize = 20;
/// Octets of an IPv6 header (RFC 8200 §3).
const IPV6_LEN: usize = 40;
/// Octets of a UDP header (RFC 768).
const UDP_LEN: usize = 8;

const TYPE_IPV4: [u8; 2] = [0x08, 0x00];
const TYPE_IPV6: [u8; 2] = [0x86, 0xDD];
const PROTOCOL_UDP: u8 = 17;

/// How many routers an answer may pass; what all systems use.
const HOPS: u8 = 64;

/// A datagram, where it comes from and whom it is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Datagram<'a> {
    /// The sender.
    pub from: SocketAddr,
    /// We.
    pub to: SocketAddr,
    /// What is in it.
    pub payload: &'a [u8],
}

/// Why a frame holds no datagram for us. The peer's doing, or the wire's; it is dropped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// It ends before its headers do.
    Short,
    /// It is not UDP in IPv4 without options or in IPv6 without extension headers.
    Form,
    /// It is a piece of a larger packet.
    Fragment,
    /// A length says more than there is, or less than a header.
    Length,
    /// A checksum is wrong, or absent where it must not be.
    Checksum,
    /// The sender's address can not be answered, or is our own.
    Sender,
    /// The answer does not fit into the frame.
    Room,
}

/// Reads the datagram of a frame.
pub fn parse(frame: &[u8]) -> Result<Datagram<'_>, Fault> {
    let (ethernet, packet) = frame.split_at_checked(ETHERNET_LEN).ok_or(Fault::Short)?;
    let (from, to, udp) = match [ethernet[12], ethernet[13]] {
        TYPE_IPV4 => ipv4(packet)?,
        TYPE_IPV6 => ipv6(packet)?,
        _ => return Err(Fault::Form),
    };
    let header = udp.first_chunk::<UDP_LEN>().ok_or(Fault::Short)?;
    let len = usize::from(word(header, 4));
    let udp = udp.get(..len).filter(|udp| udp.len() >= UDP_LEN).ok_or(Fault::Length)?;
    let checksum = word(header, 6);
    let ends = pseudo_header(from, to, udp.len());
    // RFC 768: zero says that there is none; RFC 8200 §8.1 forbids that in IPv6.
    let absent = checksum == 0 && from.is_ipv4();
    // A neighbour on the same machine leaves the sum to a card that does not exist: the
    // field holds that of the pseudo-header alone.
    let left_out = checksum == fold(ends);
    if !absent && !left_out && fold(ends + sum(udp)) != 0xFFFF {
        return Err(Fault::Checksum);
    }
    let (from, to) = (SocketAddr::new(from, word(header, 0)), SocketAddr::new(to, word(header, 2)));
    if !can_be_answered(from) || from.ip() == to.ip() {
        return Err(Fault::Sender);
    }
    Ok(Datagram { from, to, payload: &udp[UDP_LEN..] })
}

type Ends<'a> = (IpAddr, IpAddr, &'a [u8]);

/// Sender, receiver and the rest of an IPv4 packet.
fn ipv4(packet: &[u8]) -> Result<Ends<'_>, Fault> {
    let header = packet.first_chunk::<IPV4_LEN>().ok_or(Fault::Short)?;
    // Version 4, five words of header.
    if header[0] != 0x45 || header[9] != PROTOCOL_UDP {
        return Err(Fault::Form);
    }
    // RFC 791 §3.1: "more fragments", or a place behind the first.
    if word(header, 6) & 0x3FFF != 0 {
        return Err(Fault::Fragment);
    }
    if fold(sum(header)) != 0xFFFF {
        return Err(Fault::Checksum);
    }
    let len = usize::from(word(header, 2));
    let rest = packet.get(IPV4_LEN..len).ok_or(Fault::Length)?;
    let address =
        |at: usize| IpAddr::V4(Ipv4Addr::new(header[at], header[at + 1], header[at + 2], header[at + 3]));
    Ok((address(12), address(16), rest))
}

/// Sender, receiver and the rest of an IPv6 packet.
fn ipv6(packet: &[u8]) -> Result<Ends<'_>, Fault> {
    let (header, rest) = packet.split_first_chunk::<IPV6_LEN>().ok_or(Fault::Short)?;
    if header[0] >> 4 != 6 || header[6] != PROTOCOL_UDP {
        return Err(Fault::Form);
    }
    let rest = rest.get(..usize::from(word(header, 4))).ok_or(Fault::Length)?;
    let address = |at: usize| {
        let mut octets = [0; 16];
        octets.copy_from_slice(&header[at..at + 16]);
        IpAddr::V6(Ipv6Addr::from(octets))
    };
    Ok((address(8), address(24), rest))
}

/// RFC 1122 §3.2.1.3 and RFC 4291 §2: addresses that no packet may come from.
fn can_be_answered(from: SocketAddr) -> bool {
    let special = match from.ip() {
        IpAddr::V4(ip) => ip.octets()[0] == 0 || ip.octets()[0] >= 240,
        IpAddr::V6(ip) => ip.to_ipv4_mapped().is_some(),
    };
    let ip = from.ip();
    !(special || ip.is_unspecified() || ip.is_loopback() || ip.is_multicast() || from.port() == 0)
}

/// What would be the payload of a frame if it were one that [`parse`] takes.
pub fn glimpse(frame: &[u8]) -> &[u8] {
    let ip = if frame.get(12..14) == Some(&TYPE_IPV4[..]) { IPV4_LEN } else { IPV6_LEN };
    frame.get(ETHERNET_LEN + ip + UDP_LEN..).unwrap_or_default()
}

/// Turns a frame that [`parse`] took into one that brings `payload` back to its sender;
/// `buffer` begins with the frame. The length of the new frame.
pub fn turn_round(buffer: &mut [u8], payload: &[u8]) -> Result<usize, Fault> {
    let is_ipv4 = match buffer.get(12..14) {
        Some(kind) if kind == TYPE_IPV4 => true,
        Some(kind) if kind == TYPE_IPV6 => false,
        _ => return Err(Fault::Form),
    };
    let headers_len = ETHERNET_LEN + if is_ipv4 { IPV4_LEN } else { IPV6_LEN } + UDP_LEN;
    let frame = buffer.get_mut(..headers_len + payload.len()).ok_or(Fault::Room)?;
    let udp_len = u16::try_from(UDP_LEN + payload.len()).map_err(|_| Fault::Room)?;
    let (ethernet, packet) = frame.split_at_mut(ETHERNET_LEN);
    let (to, from) = ethernet.split_at_mut(6);
    to.swap_with_slice(&mut from[..6]);
    let (header, udp) = packet.split_at_mut(if is_ipv4 { IPV4_LEN } else { IPV6_LEN });
    let ends = if is_ipv4 { answer_ipv4(header, udp_len)? } else { answer_ipv6(header, udp_len) };
    udp.copy_within(0..2, 4);
    udp.copy_within(2..4, 0);
    udp.copy_within(4..6, 2);
    udp[4..6].copy_from_slice(&udp_len.to_be_bytes());
    udp[6..8].fill(0);
    udp[UDP_LEN..].copy_from_slice(payload);
    // RFC 768: a sum of zero is sent as all ones.
    let checksum = match !fold(ends + sum(udp)) {
        0 => 0xFFFF,
        checksum => checksum,
    };
    udp[6..8].copy_from_slice(&checksum.to_be_bytes());
    Ok(headers_len + payload.len())
}

/// A new IPv4 header from the sender to the receiver of the old one; the pseudo-header's sum.
fn answer_ipv4(header: &mut [u8], udp_len: u16) -> Result<u64, Fault> {
    let len = udp_len.checked_add(IPV4_LEN as u16).ok_or(Fault::Room)?;
    let (from, to) = header[12..20].split_at_mut(4);
    from.swap_with_slice(to);
    header[..2].copy_from_slice(&[0x45, 0]);
    header[2..4].copy_from_slice(&len.to_be_bytes());
    // RFC 6864 §4.1: an identification means nothing where "do not fragment" is set.
    header[4..8].copy_from_slice(&[0, 0, 0x40, 0]);
    header[8..12].copy_from_slice(&[HOPS, PROTOCOL_UDP, 0, 0]);
    let checksum = !fold(sum(header));
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
    Ok(sum(&header[12..20]) + u64::from(PROTOCOL_UDP) + u64::from(udp_len))
}

/// A new IPv6 header from the sender to the receiver of the old one; the pseudo-header's sum.
fn answer_ipv6(header: &mut [u8], udp_len: u16) -> u64 {
    let (from, to) = header[8..40].split_at_mut(16);
    from.swap_with_slice(to);
    header[..4].copy_from_slice(&[0x60, 0, 0, 0]);
    header[4..6].copy_from_slice(&udp_len.to_be_bytes());
    header[6..8].copy_from_slice(&[PROTOCOL_UDP, HOPS]);
    sum(&header[8..40]) + u64::from(PROTOCOL_UDP) + u64::from(udp_len)
}

/// RFC 768 and RFC 8200 §8.1: what the UDP checksum covers beside the datagram.
fn pseudo_header(from: IpAddr, to: IpAddr, udp_len: usize) -> u64 {
    let address = |ip| match ip {
        IpAddr::V4(ip) => sum(&ip.octets()),
        IpAddr::V6(ip) => sum(&ip.octets()),
    };
    address(from) + address(to) + u64::from(PROTOCOL_UDP) + udp_len as u64
}

/// The sum of 16-bit words (RFC 1071), not folded yet; an odd octet counts as the upper half.
fn sum(bytes: &[u8]) -> u64 {
    let mut fours = bytes.chunks_exact(4);
    let mut sum = 0;
    for four in &mut fours {
        sum += u64::from(u32::from_be_bytes([four[0], four[1], four[2], four[3]]));
    }
    let rest = fours.remainder();
    let octet = |at: usize, shift: u32| rest.get(at).map_or(0, |octet| u64::from(*octet) << shift);
    sum + octet(0, 8) + octet(1, 0) + octet(2, 8)
}

/// The one's complement sum in 16 bits.
fn fold(mut sum: u64) -> u16 {
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    sum as u16
}

fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}
