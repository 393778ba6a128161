//! What holds a decision back: guards of REQUIREMENTS C.1 as DESIGN §8 amends them.

use minicbor::{Decode, Encode};
use model::protected::{Hand, Protected};
use model::{Class, Millis, Mode, Policy, Prefix};

use crate::council::Alarm;
use crate::entry::Entry;

/// What a guard says of a trigger.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ruling {
    /// Open a case in this mode.
    Open(Mode),
    /// Open it in shadow, and tell the operator why.
    Shadow(Alarm),
    /// No case: the key is shielded.
    Held,
    /// No case: there is no evidence to show.
    NoEvidence,
}

/// The meter of G-CAP: automatic blocks of this minute that could hurt somebody.
#[derive(Clone, Copy, Debug, Decode, Default, Encode)]
pub(crate) struct Cap {
    #[n(0)]
    minute: u32,
    #[n(1)]
    count: u32,
}

/// A rule that fired, with what guards look at.
pub(crate) struct Trigger<'a> {
    pub(crate) key: Prefix,
    pub(crate) entry: &'a Entry,
    pub(crate) class: Class,
    pub(crate) mode: Mode,
    pub(crate) now: Millis,
}

/// Asks every guard.
pub(crate) fn rule(trigger: &Trigger<'_>, protected: &Protected, policy: &Policy, cap: &mut Cap) -> Ruling {
    let Trigger { key, entry, class, mode, now } = *trigger;
    let floored = protected.clear(key, Hand::Automatic).is_err();
    if floored || shielded(policy, class) || outweighed(policy, entry, now) {
        Ruling::Held
    } else if !entry.record.has_samples() {
        Ruling::NoEvidence
    } else if mode == Mode::Live && over_cap(cap, policy, entry, class, now) {
        Ruling::Shadow(Alarm::CapReached)
    } else {
        Ruling::Open(mode)
    }
}

/// G-CLASS: forwarders, shared senders and protected keys are never blocked automatically.
fn shielded(policy: &Policy, class: Class) -> bool {
    policy.guards.classes && class.factor_quarters(false).is_none()
}

/// The ratio guard: good mail of 30 days that is at least as much as a week's spam.
fn outweighed(policy: &Policy, entry: &Entry, now: Millis) -> bool {
    let good = u64::from(entry.record.standing.good(now).0);
    policy.guards.ratio && good > 0 && good >= entry.record.volume.spam_week(now)
}

/// G-CAP counts blocks of keys with good mail or class known and above. Keys without
/// history are not counted: a botnet must not disarm us.
fn over_cap(cap: &mut Cap, policy: &Policy, entry: &Entry, class: Class, now: Millis) -> bool {
    if class < Class::Known && !entry.has_credit(now) {
        return false;
    }
    if cap.minute != now.minute() {
        *cap = Cap { minute: now.minute(), count: 0 };
    }
    cap.count += 1;
    cap.count > policy.guards.blocks_per_minute
}
