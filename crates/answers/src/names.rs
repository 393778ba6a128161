//! S78: HELO names that do not exist in DNS (OFF-9 g).
//!
//! What is known comes from two sides: the newest look into DNS of who answers (`Session::absent`),
//! and the lesson that the name did not exist 24 hours apart, which every host of the site
//! has. The first defers, because DNS may be at fault; both together refuse. A server with
//! good mail is spared, and so is every name that DNS said nothing of. Ships off.

use model::policy::RuleMode;
use model::{Millis, Name};
use projections::View;

use crate::session::Session;
use crate::territory::Step;

/// Whether a HELO name is known not to exist, as far as the rule gives points; `absent` is what
/// the newest look said.
pub(crate) fn weighs(helo: Option<&Name>, absent: bool, view: &View, now: Millis) -> bool {
    view.site.helo_names >= Some(RuleMode::Score)
        && helo.is_some_and(|name| absent || view.lessons.no_such_name(name.as_bytes(), now))
}

/// What is done because of the name alone.
pub(crate) fn step(session: &Session<'_>, view: &View, now: Millis) -> Step {
    if view.site.helo_names != Some(RuleMode::Block) || !session.absent {
        return Step::None;
    }
    let lasting = |helo| view.lessons.no_such_name(Name::new(helo).as_bytes(), now);
    match session.helo {
        Some(helo) if lasting(helo) => Step::Refuse,
        Some(_) => Step::Defer,
        None => Step::None,
    }
}
