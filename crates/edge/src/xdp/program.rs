//! The program that chooses frames, in the kernel's instructions (eBPF, RFC 9669).
//!
//! It is assembled here, for one port and a few addresses, so that neither a compiler nor
//! a library is needed where we run. It has no loop and no state: compare, and hand over
//! or let pass. In doubt it lets pass; the kernel and our sockets are behind it.

use std::net::IpAddr;
use std::os::fd::{AsRawFd, OwnedFd};

/// Longer frames are the kernel's: they do not fit into ours, and no question is so long.
const FRAME_LEN_MAX: i32 = 1514;

/// The shortest frames with a DNS header in them, over IPv4 and IPv6.
const IPV4_LEN_MIN: i32 = 14 + 20 + 8 + 12;
const IPV6_LEN_MIN: i32 = 14 + 40 + 8 + 12;

/// What the program answers the kernel: go on as usual (`XDP_PASS`).
const PASS: i32 = 2;

/// `bpf_redirect_map`: into the socket that a map holds at a place.
const REDIRECT_MAP: i32 = 51;

/// Which frames are ours.
#[derive(Clone, Debug)]
pub struct Filter {
    /// The UDP port.
    pub port: u16,
    /// On which side of the datagram the port and the addresses stand.
    pub side: Side,
    /// Our addresses. Each costs a comparison in every datagram to the port.
    pub addresses: Vec<IpAddr>,
}

/// A side of a datagram.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// Servers take what is sent to their port.
    To,
    /// Generators of load take what comes back from it.
    From,
}

/// A place to jump to.
#[derive(Clone, Copy)]
struct Label(usize);

/// Instructions, with jumps that are filled in at the end.
#[derive(Default)]
struct Assembler {
    code: Vec<u64>,
    /// Where each label stands.
    labels: Vec<Option<usize>>,
    /// Instructions that jump, and where to.
    jumps: Vec<(usize, Label)>,
}

/// Registers by what they hold.
const RESULT: u8 = 0;
const CONTEXT: u8 = 1;
const DATA: u8 = 2;
const END: u8 = 3;
const LIMIT: u8 = 4;
const VALUE: u8 = 5;
const QUEUE: u8 = 6;

/// The program for `filter` on the interface whose own address is `mac`.
pub(super) fn assemble(filter: &Filter, mac: &[u8; 6], map: &OwnedFd) -> Vec<u64> {
    code(filter, mac, map.as_raw_fd())
}

pub(super) fn code(filter: &Filter, mac: &[u8; 6], map: i32) -> Vec<u64> {
    let mut a = Assembler::default();
    let (pass, redirect, ipv6) = (a.label(), a.label(), a.label());
    // Of the context (`struct xdp_md`): data, data_end, rx_queue_index.
    a.load(4, QUEUE, CONTEXT, 16);
    a.load(4, DATA, CONTEXT, 0);
    a.load(4, END, CONTEXT, 4);
    a.longer_than(FRAME_LEN_MAX, pass);
    a.shorter_than(IPV4_LEN_MIN, pass);
    // Only what is addressed to this interface, not to all or to others.
    a.unless(4, 0, native4(&mac[..4]), pass);
    a.unless(2, 4, native2(&mac[4..]), pass);
    a.unless(2, 12, native2(&[0x08, 0x00]), ipv6);
    ipv4_of(&mut a, filter, pass, redirect);
    a.here(ipv6);
    a.unless(2, 12, native2(&[0x86, 0xDD]), pass);
    a.shorter_than(IPV6_LEN_MIN, pass);
    ipv6_of(&mut a, filter, pass, redirect);
    a.here(redirect);
    a.map(CONTEXT, map);
    a.emit(0xBF, DATA, QUEUE, 0, 0);
    // Without a socket at this place the frame passes.
    a.emit(0xB7, END, 0, 0, PASS);
    a.emit(0x85, 0, 0, 0, REDIRECT_MAP);
    a.emit(0x95, 0, 0, 0, 0);
    a.here(pass);
    a.emit(0xB7, RESULT, 0, 0, PASS);
    a.emit(0x95, 0, 0, 0, 0);
    a.finish()
}

/// IPv4 without options, whole, UDP, our port, one of our addresses.
fn ipv4_of(a: &mut Assembler, filter: &Filter, pass: Label, redirect: Label) {
    let (port_at, address_at) = if filter.side == Side::To { (36, 30) } else { (34, 26) };
    a.unless(1, 14, 0x45, pass);
    a.unless(1, 23, 17, pass);
    a.load(2, VALUE, DATA, 20);
    // RFC 791 §3.1: "more fragments" and the place of a fragment.
    a.emit(0x57, VALUE, 0, 0, native2(&[0x3F, 0xFF]));
    a.jump(0x56, 0, pass);
    a.unless(2, port_at, native2(&filter.port.to_be_bytes()), pass);
    a.load(4, VALUE, DATA, address_at);
    for address in &filter.addresses {
        if let IpAddr::V4(address) = address {
            a.jump(0x16, native4(&address.octets()), redirect);
        }
    }
    a.jump(0x05, 0, pass);
}

/// IPv6 without extension headers, UDP, our port, one of our addresses.
fn ipv6_of(a: &mut Assembler, filter: &Filter, pass: Label, redirect: Label) {
    let (port_at, address_at) = if filter.side == Side::To { (56, 38) } else { (54, 22) };
    a.unless(1, 20, 17, pass);
    a.unless(2, port_at, native2(&filter.port.to_be_bytes()), pass);
    for address in &filter.addresses {
        let IpAddr::V6(address) = address else { continue };
        let next = a.label();
        for (at, word) in (address_at..).step_by(4).zip(address.octets().chunks_exact(4)) {
            a.unless(4, at, native4(word), next);
        }
        a.jump(0x05, 0, redirect);
        a.here(next);
    }
    a.jump(0x05, 0, pass);
}

/// Octets of a frame as a load of the kernel's own byte order gives them.
fn native2(bytes: &[u8]) -> i32 {
    i32::from(u16::from_ne_bytes([bytes[0], bytes[1]]))
}

fn native4(bytes: &[u8]) -> i32 {
    i32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

impl Assembler {
    fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() - 1)
    }

    /// The label stands at the next instruction.
    fn here(&mut self, label: Label) {
        self.labels[label.0] = Some(self.code.len());
    }

    /// RFC 9669 §3: one instruction is eight octets.
    fn emit(&mut self, op: u8, to: u8, from: u8, offset: i16, constant: i32) {
        let mut bytes = [0; 8];
        bytes[0] = op;
        bytes[1] = if cfg!(target_endian = "little") { from << 4 | to } else { to << 4 | from };
        bytes[2..4].copy_from_slice(&offset.to_ne_bytes());
        bytes[4..].copy_from_slice(&constant.to_ne_bytes());
        self.code.push(u64::from_ne_bytes(bytes));
    }

    fn load(&mut self, size: u8, to: u8, from: u8, offset: i16) {
        let op = match size {
            1 => 0x71,
            2 => 0x69,
            _ => 0x61,
        };
        self.emit(op, to, from, offset, 0);
    }

    /// A jump that compares the lower 32 bits of the value with `constant`.
    fn jump(&mut self, op: u8, constant: i32, label: Label) {
        self.jumps.push((self.code.len(), label));
        let to = if op == 0x05 { 0 } else { VALUE };
        self.emit(op, to, 0, 0, constant);
    }

    /// Jumps unless `size` octets of the frame at `offset` are `constant`.
    fn unless(&mut self, size: u8, offset: i16, constant: i32, label: Label) {
        self.load(size, VALUE, DATA, offset);
        self.jump(0x56, constant, label);
    }

    fn shorter_than(&mut self, len: i32, label: Label) {
        self.limit(len);
        self.jumps.push((self.code.len(), label));
        self.emit(0x2D, LIMIT, END, 0, 0);
    }

    fn longer_than(&mut self, len: i32, label: Label) {
        self.limit(len);
        self.jumps.push((self.code.len(), label));
        self.emit(0x2D, END, LIMIT, 0, 0);
    }

    fn limit(&mut self, len: i32) {
        self.emit(0xBF, LIMIT, DATA, 0, 0);
        self.emit(0x07, LIMIT, 0, 0, len);
    }

    /// A map by its file descriptor; takes two instructions.
    fn map(&mut self, to: u8, map: i32) {
        self.emit(0x18, to, 1, 0, map);
        self.emit(0, 0, 0, 0, 0);
    }

    /// The instructions, each jump with its distance.
    fn finish(self) -> Vec<u64> {
        let mut code = self.code;
        for (at, label) in self.jumps {
            let target = self.labels[label.0].unwrap_or(code.len());
            let distance = (target - at - 1) as u16;
            let mut bytes = code[at].to_ne_bytes();
            bytes[2..4].copy_from_slice(&distance.to_ne_bytes());
            code[at] = u64::from_ne_bytes(bytes);
        }
        code
    }
}
