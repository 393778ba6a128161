//! What holds against a session's client.
//!
//! The index answers for everybody; only a hit looks up cases, whose exact beginning and
//! end decide (DESIGN §4, invariants 5 and 8).

use std::net::IpAddr;

use model::key::{client_prefix, fold};
use model::{Key, Millis, Mode, Prefix};
use projections::{Threat, View};

/// Whether the index knows anything of `addr` in either mode: what everybody is asked.
///
/// `addr` is folded ([`model::key::fold`]).
#[inline]
pub(crate) fn is_marked(view: &View, addr: IpAddr, now: Millis) -> bool {
    let minute = now.minute();
    view.live.get(addr, minute).is_some() || view.shadow.get(addr, minute).is_some()
}

/// The hardest case against `addr` in one mode that took effect before `began`, among those
/// whose reason `applies`.
pub(crate) fn against(
    view: &View,
    addr: IpAddr,
    mode: Mode,
    began: Millis,
    now: Millis,
    applies: &dyn Fn(u8) -> bool,
) -> Option<Threat> {
    let threats = keys_around(view, addr).into_iter().filter_map(|key| {
        let known = view.cases.key(&key)?;
        let cases = known.cases.iter().filter_map(|id| Some((*id, &view.case(*id)?.case)));
        // A session that was there first does not learn in its midst what it did (TXT-R3).
        let earlier = cases
            .filter(|(_, case)| case.opened.as_ref().is_some_and(|o| o.from < began && applies(o.reason)))
            // A good server in a blocked network is a hole in its block (OFF-22).
            .filter(|(_, case)| !case.spares(fold(addr)));
        Some(Threat { force: model::case::force(earlier, mode, now, known.lifted_up_to)?, key })
    });
    threats.max_by_key(|threat| threat.force)
}

/// The client's key, its one address, and the blocked networks around it.
pub(crate) fn keys_around(view: &View, addr: IpAddr) -> Vec<Key> {
    let host = Prefix::host(fold(addr));
    let nets = view.nets.iter().copied().filter(|net| net.covers(host));
    let mut keys: Vec<Prefix> = [client_prefix(addr), host].into_iter().chain(nets).collect();
    keys.dedup();
    keys.into_iter().map(Key::Net).collect()
}
