//! What a batch of questions is about, looked at before the first is answered.
//!
//! A large list lies far away in memory, and one question after another would wait for it;
//! looked at together, they wait together (docs/decisions/dns-speed.md).

use wire::dns::glimpse;

use super::responder::Moment;

/// Questions that are looked at together.
pub(super) const AHEAD: usize = 64;

/// The addresses that questions seem to be about; a wrong guess costs a look, and nothing else.
pub struct Ahead {
    addresses: [u32; AHEAD],
    count: usize,
}

impl Default for Ahead {
    fn default() -> Ahead {
        Ahead { addresses: [0; AHEAD], count: 0 }
    }
}

impl Ahead {
    /// Takes a question; what is one too many is left out.
    pub fn add(&mut self, question: &[u8]) {
        if let Some(address) = self.addresses.get_mut(self.count) {
            *address = glimpse(question);
            self.count += 1;
        }
    }

    /// Brings near what the answers will look at.
    pub fn read(&self, at: &Moment<'_>) {
        at.view.read_ahead(&self.addresses[..self.count]);
    }
}
