//! What anybody may learn: class, beginning and end of a block, rounded (D.6, level L0).
//!
//! No evidence, no numbers, no secret link. By an address everybody can ask; by a case
//! reference, which may stand in a log, only class, beginning and end are told, not the
//! address.

use std::net::IpAddr;

use model::case::Opened;
use model::key::fold;
use model::reasons::by_number;
use model::{CaseId, Millis, Mode, Site};
use projections::View;
use serde::Serialize;

use super::{State, life, words};
use crate::hold;
use crate::public::Public;
use crate::when::When;

/// The answer to a look-up.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct LookupPage {
    /// What was asked about: an address, or a case reference.
    pub about: String,
    /// Who answers.
    pub site: String,
    /// The mailbox that stays open.
    pub contact: String,
    /// Whether a block is in force.
    pub blocked: bool,
    /// Where the case stands; `None` where there is none.
    pub state: Option<State>,
    /// The entry that matched (S98); `None` where it is not told.
    pub key: Option<String>,
    /// `rbl` or `null-route`.
    pub kind: Option<&'static str>,
    /// The reason's word.
    pub reason: Option<&'static str>,
    /// The reason in words.
    pub because: Option<&'static str>,
    /// Begun not before this hour.
    pub since: Option<When>,
    /// Over by this hour.
    pub until: Option<When>,
    /// The help page about it, by topic.
    pub help: &'static str,
}

impl LookupPage {
    fn clear(site: &Site, about: String) -> LookupPage {
        LookupPage {
            about,
            site: words::site_name(site),
            contact: site.contact.clone(),
            blocked: false,
            state: None,
            key: None,
            kind: None,
            reason: None,
            because: None,
            since: None,
            until: None,
            help: "blocked",
        }
    }

    fn with(self, opened: &Opened, state: State, end: Millis) -> LookupPage {
        let reason = by_number(opened.reason);
        LookupPage {
            blocked: state.is_in_force(),
            state: Some(state),
            kind: Some(opened.kind.word()),
            reason: Some(reason.id),
            because: Some(reason.because),
            since: Some(When::hour(opened.from)),
            until: Some(When::hour_up(end)),
            help: words::help_topic(reason),
            ..self
        }
    }
}

/// Whether an address is blocked here.
pub fn lookup_page(view: &View, addr: IpAddr, now: Millis) -> Public<LookupPage> {
    let addr = fold(addr);
    let clear = LookupPage::clear(&view.site, addr.to_string());
    let open_to_all = view.mode == Mode::Shadow || view.protected.lists(addr);
    let threat =
        hold::against(view, addr, Mode::Live, Millis(u64::MAX), now, &|_| true).filter(|_| !open_to_all);
    let found = threat.and_then(|threat| {
        let case = view.case(threat.force.case)?;
        let (state, end) = life(view, case, now);
        let page = clear.clone().with(case.case.opened.as_ref()?, state, end);
        Some(LookupPage { key: Some(threat.key.to_string()), ..page })
    });
    Public::new(found.unwrap_or(clear))
}

/// What a case reference alone tells; `None` for an unknown one, and for a shadow case.
pub fn reference_page(view: &View, id: CaseId, now: Millis) -> Option<Public<LookupPage>> {
    let case = view.case(id).filter(|c| c.case.mode == Mode::Live)?;
    let (state, end) = life(view, case, now);
    let page = LookupPage::clear(&view.site, id.to_string());
    Some(Public::new(page.with(case.case.opened.as_ref()?, state, end)))
}
