//! Headers and frames as bytes: the tables of the [module above](super). Opens no file.

use std::io;

use sha2::{Digest, Sha256};

use super::{Birth, Frame, Identity};
use crate::files::quote;

/// The format byte that this code writes, and the newest that it reads.
pub(super) const FORMAT: u8 = 1;

/// The bytes of a segment's header.
pub(super) const HEADER_LEN: usize = 148;

/// The bytes of a frame before its body.
pub(super) const HEAD_LEN: usize = 48;

/// The most bytes of inputs in one frame, 16 MiB.
///
/// An epoch holds at most 1024 inputs of a few hundred bytes; this is room for a thousand of the
/// largest that sensors hand in, and bounds what a reader holds in memory.
pub const INPUTS_LEN_MAX: usize = 16 << 20;

/// The most bytes of a site's or node's name.
pub const NAME_LEN_MAX: usize = 32;

/// Shorter inputs are not worth the attempt: zstd's own framing eats what it saves.
const COMPRESS_FROM: usize = 256;

/// The fastest level: the journal writer has to keep up with every sensor on a busy machine.
const ZSTD_LEVEL: i32 = 1;

const MAGIC: [u8; 8] = *b"MWJRNL\r\n";
const FLAG_ZSTD: u8 = 1;

/// What a segment says of itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Header {
    /// Who wrote it.
    pub identity: Identity,
    /// The position of its first frame.
    pub first_position: u64,
    /// Wall time at its beginning, ms since 1970.
    pub begun_ms: u64,
    /// The seeds of the engine's keyed hashes.
    pub seeds: [u64; 2],
    /// SHA-256 of the last frame before it, or zeros.
    pub link: [u8; 32],
}

/// Bytes that are not what they should be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Damage {
    pub(super) expected: String,
    pub(super) got: String,
}

impl Damage {
    pub(super) fn new(expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self { expected: expected.into(), got: got.into() }
    }
}

/// Why a header cannot be used.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum HeaderError {
    Damage(Damage),
    /// The format byte is above ours; nothing behind it was looked at.
    Newer(u8),
}

impl Header {
    /// The header of a journal's very first segment.
    pub(super) fn new(identity: Identity, birth: Birth, begun_ms: u64) -> Self {
        let first_position = birth.first_position.max(1);
        Self { identity, first_position, begun_ms, seeds: birth.seeds, link: [0; 32] }
    }

    pub(super) fn encode(&self) -> [u8; HEADER_LEN] {
        let mut out = [0; HEADER_LEN];
        put(&mut out, 0, &MAGIC);
        put(&mut out, 8, &[FORMAT]);
        put(&mut out, 12, &self.identity.life.to_le_bytes());
        put(&mut out, 16, &self.first_position.to_le_bytes());
        put(&mut out, 24, &self.begun_ms.to_le_bytes());
        put(&mut out, 32, &self.seeds[0].to_le_bytes());
        put(&mut out, 40, &self.seeds[1].to_le_bytes());
        put(&mut out, 48, self.identity.site.as_bytes());
        put(&mut out, 80, self.identity.node.as_bytes());
        put(&mut out, 112, &self.link);
        let crc = crc32c::crc32c(&out[..144]);
        put(&mut out, 144, &crc.to_le_bytes());
        out
    }

    /// Reads a header, and returns with it the CRC that its frames' CRCs begin with.
    pub(super) fn decode(bytes: &[u8; HEADER_LEN]) -> Result<(Self, u32), HeaderError> {
        let crc = check_header(bytes)?;
        let header = Self {
            identity: Identity {
                site: name_at(bytes, 48)?,
                node: name_at(bytes, 80)?,
                life: u32::from_le_bytes(get(bytes, 12)),
            },
            first_position: u64_at(bytes, 16),
            begun_ms: u64_at(bytes, 24),
            seeds: [u64_at(bytes, 32), u64_at(bytes, 40)],
            link: get(bytes, 112),
        };
        Ok((header, crc))
    }
}

fn check_header(bytes: &[u8; HEADER_LEN]) -> Result<u32, HeaderError> {
    let damage = |expected: &str, got: String| Err(HeaderError::Damage(Damage::new(expected, got)));
    if bytes[..8] != MAGIC {
        return damage("a journal segment", quote(&bytes[..8]));
    }
    if bytes[8] > FORMAT {
        return Err(HeaderError::Newer(bytes[8]));
    }
    let (stored, crc) = (u32::from_le_bytes(get(bytes, 144)), crc32c::crc32c(&bytes[..144]));
    if stored != crc {
        return damage(&format!("a header with CRC {stored:08x}"), format!("{crc:08x}"));
    }
    if bytes[8] != FORMAT || bytes[9..12] != [0; 3] {
        return damage("format 1, not encrypted", quote(&bytes[8..12]));
    }
    Ok(crc)
}

fn name_at(bytes: &[u8], at: usize) -> Result<String, HeaderError> {
    let field = &bytes[at..at + NAME_LEN_MAX];
    let name = field.split(|byte| *byte == 0).next().unwrap_or_default();
    match std::str::from_utf8(name) {
        Ok(text) if is_name(text) => Ok(text.to_owned()),
        _ => Err(HeaderError::Damage(Damage::new("a site or node name", quote(field)))),
    }
}

/// Whether a site's or node's name has its place in a header, and can stand in a line of text.
pub(super) fn is_name(name: &str) -> bool {
    (1..=NAME_LEN_MAX).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
}

/// What a frame says before its body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Head {
    pub(super) body_len: usize,
    pub(super) inputs_len: usize,
    pub(super) position: u64,
    pub(super) wall_ms: u64,
    pub(super) mono_ns: u64,
    /// The position up to which the journal was synced when this was written.
    pub(super) synced: u64,
    crc: u32,
    flags: u8,
}

impl Head {
    /// Reads a head. Its CRC covers the body too and is checked by [`Head::check`].
    pub(super) fn decode(bytes: &[u8; HEAD_LEN]) -> Result<Self, Damage> {
        let head = Self {
            body_len: length_at(bytes, 0)?,
            inputs_len: length_at(bytes, 12)?,
            position: u64_at(bytes, 16),
            wall_ms: u64_at(bytes, 24),
            mono_ns: u64_at(bytes, 32),
            synced: u64_at(bytes, 40),
            crc: u32::from_le_bytes(get(bytes, 4)),
            flags: bytes[8],
        };
        let plain = head.flags == 0 && head.body_len == head.inputs_len;
        let packed = head.flags == FLAG_ZSTD && head.body_len < head.inputs_len;
        if bytes[9..12] != [0; 3] || !(plain || packed) {
            return Err(Damage::new("a frame's head", quote(bytes)));
        }
        Ok(head)
    }

    /// Whether the frame (head and body) is what was written behind the header with CRC `begun`.
    pub(super) fn check(&self, frame: &[u8], begun: u32) -> Result<(), Damage> {
        let crc = frame_crc(frame, begun);
        if crc != self.crc {
            return Err(Damage::new(format!("a frame with CRC {:08x}", self.crc), format!("{crc:08x}")));
        }
        Ok(())
    }

    /// Unpacks a frame that has passed [`Head::check`].
    pub(super) fn into_frame(self, body: &[u8]) -> Result<Frame, Damage> {
        let inputs = if self.flags == FLAG_ZSTD { self.unpack(body)? } else { body.to_vec() };
        Ok(Frame { position: self.position, wall_ms: self.wall_ms, mono_ns: self.mono_ns, inputs })
    }

    fn unpack(self, body: &[u8]) -> Result<Vec<u8>, Damage> {
        let inputs = zstd::bulk::decompress(body, self.inputs_len)
            .map_err(|error| Damage::new("a zstd body", error.to_string()))?;
        if inputs.len() != self.inputs_len {
            let got = inputs.len().to_string();
            return Err(Damage::new(format!("{} bytes of inputs", self.inputs_len), got));
        }
        Ok(inputs)
    }
}

fn length_at(bytes: &[u8; HEAD_LEN], at: usize) -> Result<usize, Damage> {
    match usize::try_from(u32::from_le_bytes(get(bytes, at))) {
        Ok(length) if length <= INPUTS_LEN_MAX => Ok(length),
        _ => Err(Damage::new(format!("a length of at most {INPUTS_LEN_MAX}"), quote(&bytes[at..at + 4]))),
    }
}

fn frame_crc(frame: &[u8], begun: u32) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(begun, &frame[..4]), &frame[8..])
}

/// What the next segment's header says of the last frame before it.
pub(super) fn link_of(frame: &[u8]) -> [u8; 32] {
    Sha256::digest(frame).into()
}

/// Turns frames into bytes; keeps its buffers, so that a frame costs no allocation.
pub(super) struct Encoder {
    zstd: zstd::bulk::Compressor<'static>,
    packed: Vec<u8>,
    /// The frame encoded last.
    pub(super) frame: Vec<u8>,
}

impl Encoder {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { zstd: zstd::bulk::Compressor::new(ZSTD_LEVEL)?, packed: Vec::new(), frame: Vec::new() })
    }

    /// Encodes into `self.frame`, all but what [`Encoder::seal`] adds when the segment is known.
    ///
    /// The caller has checked the length of the inputs.
    pub(super) fn encode(&mut self, frame: &Frame) -> io::Result<()> {
        let packed = self.pack(&frame.inputs)?;
        let body = if packed { &self.packed } else { &frame.inputs };
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
        let out = &mut self.frame;
        out.clear();
        out.resize(HEAD_LEN, 0);
        put(out, 0, &length(body));
        put(out, 8, &[u8::from(packed) * FLAG_ZSTD]);
        put(out, 12, &length(&frame.inputs));
        put(out, 16, &frame.position.to_le_bytes());
        put(out, 24, &frame.wall_ms.to_le_bytes());
        put(out, 32, &frame.mono_ns.to_le_bytes());
        out.extend_from_slice(body);
        Ok(())
    }

    /// Adds how far the journal is synced, and the CRC for the segment whose header has the CRC `begun`.
    pub(super) fn seal(&mut self, synced: u64, begun: u32) {
        put(&mut self.frame, 40, &synced.to_le_bytes());
        let crc = frame_crc(&self.frame, begun);
        put(&mut self.frame, 4, &crc.to_le_bytes());
    }

    /// Packs into `self.packed` and says whether that is shorter.
    fn pack(&mut self, inputs: &[u8]) -> io::Result<bool> {
        if inputs.len() < COMPRESS_FROM {
            return Ok(false);
        }
        self.packed.clear();
        self.packed.reserve(zstd::zstd_safe::compress_bound(inputs.len()));
        self.zstd.compress_to_buffer(inputs, &mut self.packed)?;
        Ok(self.packed.len() < inputs.len())
    }
}

fn put(out: &mut [u8], at: usize, field: &[u8]) {
    out[at..at + field.len()].copy_from_slice(field);
}

fn get<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&bytes[at..at + N]);
    field
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(get(bytes, at))
}
