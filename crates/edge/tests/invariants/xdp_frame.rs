//! What must hold for any frame that an interface brings, and for the frame that answers it.

use std::net::{IpAddr, SocketAddr};

use edge::xdp::ANSWER_LEN_MAX;
use edge::xdp::frame::{Datagram, Fault, glimpse, parse, turn_round};

const ETHERNET_LEN: usize = 14;
const UDP_LEN: usize = 8;
/// Octets of the room in which a frame lies, about.
const ROOM_LEN: usize = 4096;

/// Hands a frame over, once as it is and once with right checksums, and panics where something
/// does not hold; what was read of the latter.
pub(crate) fn check(frame: &[u8]) -> Result<bool, Fault> {
    let _ = check_one(frame);
    check_one(&mended(frame))
}

/// Whether it is IPv4, or why it is nothing.
fn check_one(frame: &[u8]) -> Result<bool, Fault> {
    let seems = glimpse(frame);
    let datagram = match parse(frame) {
        Ok(datagram) => datagram,
        Err(fault) => {
            // It does not rely on `parse`.
            let _ = turn_round(&mut room(frame), b"answer");
            return Err(fault);
        }
    };
    assert!(seems.starts_with(datagram.payload));
    let is_v4 = datagram.from.is_ipv4();
    assert_eq!(is_v4, datagram.to.is_ipv4());
    assert!(datagram.from.port() != 0 && !datagram.from.ip().is_unspecified());
    assert!(datagram.payload.len() <= frame.len() - headers_len(is_v4));
    let said = datagram.payload.len().min(ANSWER_LEN_MAX);
    for payload in [&[][..], &datagram.payload[..said], &[0xff; 11], &[7; ANSWER_LEN_MAX]] {
        check_answer(frame, &datagram, payload);
    }
    Ok(is_v4)
}

fn headers_len(is_v4: bool) -> usize {
    ETHERNET_LEN + if is_v4 { 20 } else { 40 } + UDP_LEN
}

fn room(frame: &[u8]) -> Vec<u8> {
    let mut room = frame.to_vec();
    room.resize(frame.len().max(ROOM_LEN), 0xAA);
    room
}

/// The answer is the plainest frame from receiver to sender that there is.
fn check_answer(frame: &[u8], asked: &Datagram<'_>, payload: &[u8]) {
    let (mut buffer, is_v4) = (room(frame), asked.from.is_ipv4());
    let len = turn_round(&mut buffer, payload).expect("there is room");
    let answer = &buffer[..len];
    assert_eq!(len, headers_len(is_v4) + payload.len());
    assert_eq!((&answer[..6], &answer[6..12], &answer[12..14]), (&frame[6..12], &frame[..6], &frame[12..14]));
    let packet = &answer[ETHERNET_LEN..];
    let (ends, udp) = if is_v4 { ipv4(packet) } else { ipv6(packet) };
    assert_eq!(usize::from(u16::from_be_bytes([udp[4], udp[5]])), udp.len());
    let port = |at: usize| u16::from_be_bytes([udp[at], udp[at + 1]]);
    let (from, to) = (SocketAddr::new(ends.0, port(0)), SocketAddr::new(ends.1, port(2)));
    assert_eq!((from, to, &udp[UDP_LEN..]), (asked.to, asked.from, payload));
    // RFC 768: zero would say that there is no checksum.
    assert_ne!(udp[6..8], [0, 0]);
    assert_eq!(folded(sum(&pseudo(&ends, udp.len())) + sum(udp)), 0xFFFF);
    // Whoever may be answered reads it as we would.
    if let Ok(told) = parse(answer) {
        assert_eq!((told.from, told.to, told.payload), (asked.to, asked.from, payload));
    }
}

type Ends = (IpAddr, IpAddr);

/// RFC 791 §3.1: no options, the whole length, a right checksum, not to be cut.
fn ipv4(packet: &[u8]) -> (Ends, &[u8]) {
    assert_eq!(
        (packet[0], packet[9], usize::from(u16::from_be_bytes([packet[2], packet[3]]))),
        (0x45, 17, packet.len())
    );
    assert_eq!((folded(sum(&packet[..20])), &packet[6..8]), (0xFFFF, &[0x40, 0][..]));
    let addr = |at: usize| IpAddr::from(<[u8; 4]>::try_from(&packet[at..at + 4]).expect("four"));
    ((addr(12), addr(16)), &packet[20..])
}

/// RFC 8200 §3.
fn ipv6(packet: &[u8]) -> (Ends, &[u8]) {
    assert_eq!((packet[0] >> 4, packet[6]), (6, 17));
    assert_eq!(usize::from(u16::from_be_bytes([packet[4], packet[5]])), packet.len() - 40);
    let addr = |at: usize| IpAddr::from(<[u8; 16]>::try_from(&packet[at..at + 16]).expect("sixteen"));
    ((addr(8), addr(24)), &packet[40..])
}

fn pseudo(ends: &Ends, len: usize) -> Vec<u8> {
    let octets = |addr: &IpAddr| match addr {
        IpAddr::V4(addr) => addr.octets().to_vec(),
        IpAddr::V6(addr) => addr.octets().to_vec(),
    };
    [octets(&ends.0), octets(&ends.1), vec![0, 17], (len as u16).to_be_bytes().to_vec()].concat()
}

/// RFC 1071 in the plainest form.
fn sum(bytes: &[u8]) -> u32 {
    bytes.chunks(2).map(|pair| u32::from(pair[0]) * 256 + u32::from(*pair.get(1).unwrap_or(&0))).sum()
}

fn folded(sum: u32) -> u32 {
    if sum >> 16 == 0 { sum } else { folded((sum & 0xFFFF) + (sum >> 16)) }
}

/// The frame with right checksums: no fuzzer guesses them.
pub(crate) fn mended(frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    let is_v4 = frame.get(12..14) == Some(&[8, 0]);
    if frame.len() < headers_len(is_v4) {
        return frame;
    }
    let (head, udp) = frame.split_at_mut(headers_len(is_v4) - UDP_LEN);
    let packet = &mut head[ETHERNET_LEN..];
    let from = if is_v4 { 12 } else { 8 };
    let addresses = packet[from..].to_vec();
    if is_v4 {
        packet[10..12].fill(0);
        let checksum = !folded(sum(packet)) as u16;
        packet[10..12].copy_from_slice(&checksum.to_be_bytes());
    }
    let len = usize::from(u16::from_be_bytes([udp[4], udp[5]]));
    if let Some(udp) = udp.get_mut(..len).filter(|udp| udp.len() >= UDP_LEN) {
        udp[6..8].fill(0);
        let all = sum(&addresses) + 17 + len as u32 + sum(udp);
        udp[6..8].copy_from_slice(&match !folded(all) as u16 {
            0 => [0xFF; 2],
            checksum => checksum.to_be_bytes(),
        });
    }
    frame
}
