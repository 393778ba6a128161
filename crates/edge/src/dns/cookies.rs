//! Server cookies (RFC 7873, RFC 9018): who sends one back has the address that he writes from.
//!
//! Every host of a site makes the same ones, and no list of them is kept: a cookie is a keyed
//! hash of the client's part, the time and the client's address. The key changes each day; the
//! one of the day before is still taken.

use std::hash::Hasher;
use std::net::IpAddr;

use model::Millis;
use sha2::{Digest, Sha256};
use siphasher::sip::SipHasher24;
use wire::dns::COOKIE_CLIENT_LEN;

/// Octets of both parts together.
pub(super) const COOKIE_LEN: usize = COOKIE_CLIENT_LEN + 16;

/// Seconds for which one is taken, and how far ahead of our clock it may be (RFC 9018 §4.3).
const AGE_MAX: u32 = 3600;
const AHEAD_MAX: u32 = 300;

/// Version 1 and three octets that are not used (RFC 9018 §4.1, §4.2).
const VERSION: [u8; 4] = [1, 0, 0, 0];

/// Makes and checks cookies; prints nothing of its secret.
pub(super) struct Cookies {
    secret: [u8; 32],
    /// The key of one day, made when first asked for.
    today: (u32, SipHasher24),
}

impl Cookies {
    pub(super) fn new(secret: [u8; 32]) -> Cookies {
        Cookies { secret, today: (0, of_day(&secret, 0)) }
    }

    /// The whole cookie for a client that showed this part of its own.
    pub(super) fn make(
        &mut self,
        client: [u8; COOKIE_CLIENT_LEN],
        from: IpAddr,
        now: Millis,
    ) -> [u8; COOKIE_LEN] {
        let stamp = (now.secs() as u32).to_be_bytes();
        let hash = self.hash(now.day(), client, stamp, from);
        let mut cookie = [0; COOKIE_LEN];
        cookie[..8].copy_from_slice(&client);
        cookie[8..12].copy_from_slice(&VERSION);
        cookie[12..16].copy_from_slice(&stamp);
        cookie[16..].copy_from_slice(&hash);
        cookie
    }

    /// Whether we made this cookie for this client lately.
    pub(super) fn is_ours(&mut self, cookie: &[u8], from: IpAddr, now: Millis) -> bool {
        let Ok(cookie) = <[u8; COOKIE_LEN]>::try_from(cookie) else { return false };
        let [client @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = cookie;
        let stamp = [cookie[12], cookie[13], cookie[14], cookie[15]];
        // Serial arithmetic, as RFC 9018 §4.3 has it.
        let age = (now.secs() as u32).wrapping_sub(u32::from_be_bytes(stamp));
        let is_fresh = age <= AGE_MAX || age.wrapping_neg() <= AHEAD_MAX;
        if cookie[8..12] != VERSION || !is_fresh {
            return false;
        }
        let made = Millis::from_secs(now.secs().wrapping_add_signed(-i64::from(age.cast_signed()))).day();
        let expect = self.hash(made, client, stamp, from);
        // Every octet is compared, whichever is the first that differs.
        expect.iter().zip(&cookie[16..]).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
    }

    fn hash(&mut self, day: u32, client: [u8; 8], stamp: [u8; 4], from: IpAddr) -> [u8; 8] {
        if self.today.0 < day {
            self.today = (day, of_day(&self.secret, day));
        }
        let mut hasher = if self.today.0 == day { self.today.1 } else { of_day(&self.secret, day) };
        hasher.write(&client);
        hasher.write(&VERSION);
        hasher.write(&stamp);
        match from {
            IpAddr::V4(from) => hasher.write(&from.octets()),
            IpAddr::V6(from) => hasher.write(&from.octets()),
        }
        hasher.finish().to_le_bytes()
    }
}

/// The key of a day.
fn of_day(secret: &[u8; 32], day: u32) -> SipHasher24 {
    let digest = Sha256::new()
        .chain_update(secret)
        .chain_update(b"dns cookie")
        .chain_update(day.to_be_bytes())
        .finalize();
    let mut key = [0; 16];
    key.copy_from_slice(&digest[..16]);
    SipHasher24::new_with_key(&key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_795_305_600_000);
    const CLIENT: [u8; 8] = *b"clientid";

    fn at(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_cookie_is_taken_from_whom_it_was_made_for() {
        let mut cookies = Cookies::new([7; 32]);
        let cookie = cookies.make(CLIENT, at("192.0.2.1"), NOW);
        assert!(cookies.is_ours(&cookie, at("192.0.2.1"), NOW));
        assert!(!cookies.is_ours(&cookie, at("192.0.2.2"), NOW));
        assert!(!Cookies::new([8; 32]).is_ours(&cookie, at("192.0.2.1"), NOW));
        for at_octet in 0..cookie.len() {
            let mut forged = cookie;
            forged[at_octet] ^= 1;
            assert!(!cookies.is_ours(&forged, at("192.0.2.1"), NOW), "octet {at_octet}");
        }
    }

    #[test]
    fn rfc_9018_4_3_an_hour_back_and_five_minutes_ahead() {
        let mut cookies = Cookies::new([7; 32]);
        // NOW is midnight: cookies of the day before were made under another key.
        for (secs, expect) in
            [(-3601_i64, false), (-3600, true), (-1, true), (0, true), (300, true), (301, false)]
        {
            let made = Millis(NOW.0.saturating_add_signed(secs * 1000));
            let cookie = Cookies::new([7; 32]).make(CLIENT, at("2001:db8::1"), made);
            assert_eq!(cookies.is_ours(&cookie, at("2001:db8::1"), NOW), expect, "{secs}");
        }
    }

    #[test]
    fn other_lengths_are_not_ours() {
        let mut cookies = Cookies::new([7; 32]);
        for len in [0, 8, 16, 23, 25, 40] {
            assert!(!cookies.is_ours(&vec![0; len], at("192.0.2.1"), NOW));
        }
    }
}
