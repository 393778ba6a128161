//! As much of the kernel's machine (RFC 9669) as the program needs, and its verifier's
//! main rule: what is read lies inside of what has been compared with the end.

/// Where the frame seems to lie.
const FRAME: u64 = 0x10_0000;
const QUEUE: u64 = 3;

/// Runs `code` over `frame`; true when it ends by handing the frame over.
pub(super) fn takes(code: &[u64], frame: &[u8]) -> bool {
    let mut machine = Machine { registers: [0; 11], frame, known: 0 };
    let mut at = 0;
    for _ in 0..code.len() {
        let op = Instruction::of(code[at]);
        at += 1;
        match op.code {
            0x18 => {
                assert_eq!((op.from, op.constant), (1, 7), "the map");
                at += 1;
            }
            0x85 => {
                assert_eq!((op.constant, machine.registers[2], machine.registers[3]), (51, QUEUE, 2));
                return true;
            }
            0x95 => {
                assert_eq!(machine.registers[0], 2, "pass");
                return false;
            }
            _ => at = at.wrapping_add_signed(machine.step(&op)),
        }
    }
    panic!("the program did not end");
}

struct Instruction {
    code: u8,
    to: usize,
    from: usize,
    offset: i16,
    constant: i32,
}

impl Instruction {
    fn of(word: u64) -> Self {
        let bytes = word.to_ne_bytes();
        let (low, high) = (usize::from(bytes[1] & 15), usize::from(bytes[1] >> 4));
        let (to, from) = if cfg!(target_endian = "little") { (low, high) } else { (high, low) };
        Self {
            code: bytes[0],
            to,
            from,
            offset: i16::from_ne_bytes([bytes[2], bytes[3]]),
            constant: i32::from_ne_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
        }
    }
}

struct Machine<'a> {
    registers: [u64; 11],
    frame: &'a [u8],
    /// Octets of the frame that a comparison has shown to exist.
    known: u64,
}

impl Machine<'_> {
    /// Carries one instruction out; how far it jumps.
    fn step(&mut self, op: &Instruction) -> isize {
        let (value, constant) = (self.registers[op.to], op.constant);
        let jump = isize::from(op.offset);
        match op.code {
            0x71 | 0x69 | 0x61 => self.registers[op.to] = self.read(op),
            0xBF => self.registers[op.to] = self.registers[op.from],
            0xB7 => self.registers[op.to] = i64::from(constant).cast_unsigned(),
            0x07 => self.registers[op.to] = value.wrapping_add_signed(i64::from(constant)),
            0x57 => self.registers[op.to] = value & i64::from(constant).cast_unsigned(),
            0x05 => return jump,
            0x16 if value as u32 == constant.cast_unsigned() => return jump,
            0x56 if value as u32 != constant.cast_unsigned() => return jump,
            0x2D if value > self.registers[op.from] => return jump,
            // Not beyond the end: so much of the frame is there.
            0x2D if op.to == 4 => self.known = self.known.max(value - FRAME),
            0x16 | 0x56 | 0x2D => {}
            other => panic!("an instruction that the program must not have: {other:#x}"),
        }
        0
    }

    fn read(&self, op: &Instruction) -> u64 {
        let size = [(0x71, 1), (0x69, 2), (0x61, 4)].iter().find(|(code, _)| *code == op.code).unwrap().1;
        if op.from == 1 {
            return match op.offset {
                0 => FRAME,
                4 => FRAME + self.frame.len() as u64,
                16 => QUEUE,
                other => panic!("nothing of the context at {other}"),
            };
        }
        assert_eq!(self.registers[op.from], FRAME, "only the frame is read");
        let at = usize::try_from(op.offset).unwrap();
        assert!((at + size) as u64 <= self.known, "{at} is read before its length is known");
        let mut bytes = [0; 8];
        bytes[..size].copy_from_slice(&self.frame[at..at + size]);
        if cfg!(target_endian = "big") {
            bytes.rotate_right(8 - size);
        }
        u64::from_ne_bytes(bytes)
    }
}
