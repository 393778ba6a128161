//! What the name server needs of whoever hands out whole zones.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use super::zones::ZONES;

/// Messages of one answer, in their order, each without the two octets of its length.
pub type Messages = Box<dyn Iterator<Item = Vec<u8>> + Send>;

/// Answers what is signed (RFC 8945) or asks for a whole zone (RFC 5936, RFC 1995).
pub trait Transfers: Send + Sync {
    /// The answer over UDP, if there is one.
    fn over_udp(&self, request: &[u8], from: SocketAddr) -> Option<Vec<u8>>;

    /// The answer over TCP; nothing closes the connection.
    fn over_tcp(&self, request: &[u8], from: SocketAddr) -> Messages;
}

/// The numbers of all zones (RFC 1982): whoever keeps them writes, answers read.
#[derive(Debug)]
pub struct Serials([AtomicU32; ZONES]);

impl Default for Serials {
    fn default() -> Self {
        Serials(std::array::from_fn(|_| AtomicU32::new(1)))
    }
}

impl Serials {
    /// The number of a zone; of one that there is not, 1.
    pub fn get(&self, zone: usize) -> u32 {
        self.0.get(zone).map_or(1, |serial| serial.load(Ordering::Relaxed))
    }

    /// Gives a zone its next number.
    pub fn set(&self, zone: usize, serial: u32) {
        if let Some(of) = self.0.get(zone) {
            of.store(serial, Ordering::Relaxed);
        }
    }
}
