//! OFF-21 and OFF-23: what the country and the provider of a client weigh.
//!
//! Both need a table of networks (`View::atlas`); without one they say nothing. A country is
//! a policy of the site, not an accusation: it gives a point, defers or refuses by its mode,
//! and never becomes a block. A provider with many blocked servers gives half a point and
//! nothing else. Neither touches a server with good mail, nor is a recipient touched who
//! takes mail from every country.
//!
//! False positives are the nature of such rules: whoever lives there is innocent. So they
//! ship off, and in shadow.

use std::net::IpAddr;

use detectors::score::{Family, Part};
use model::atlas::Atlas;
use model::policy::RuleMode;
use model::site::ByCountry;
use projections::View;

use crate::session::{ConnectionScore, Session};

/// What a country gives, in quarters of a point.
const COUNTRY: i32 = 4;
/// What a provider gives.
const PROVIDER: i32 = 2;
/// The words for each, which go after ‘refused:’.
const COUNTRY_WORDS: &str = "a policy by country, not an accusation";
const PROVIDER_WORDS: &str = "many servers of its provider were blocked";

/// What is done because of a client's country.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    /// Nothing.
    None,
    /// A deferral.
    Defer,
    /// A refusal.
    Refuse,
}

/// The points of a country, in quarters.
pub fn geo_points(addr: IpAddr, atlas: &Atlas, rule: &ByCountry) -> i32 {
    if rule.mode == RuleMode::Score && is_listed(addr, atlas, rule) { COUNTRY } else { 0 }
}

fn is_listed(addr: IpAddr, atlas: &Atlas, rule: &ByCountry) -> bool {
    atlas.country(addr).is_some_and(|country| rule.countries.binary_search(&country).is_ok())
}

/// The rule by country, where it is about this session.
fn rule<'a>(session: &Session<'_>, view: &'a View) -> Option<(&'a Atlas, &'a ByCountry)> {
    let (atlas, rule) = (view.atlas.as_deref()?, view.site.by_country.as_ref()?);
    let spared = session.recipient.is_some_and(|to| is_spared(to, view));
    (!spared).then_some((atlas, rule))
}

/// What is done because of a client's country alone.
pub(crate) fn step(session: &Session<'_>, view: &View) -> Step {
    let step = match view.site.by_country.as_ref().map(|rule| rule.mode) {
        Some(RuleMode::Defer) => Step::Defer,
        Some(RuleMode::Block) => Step::Refuse,
        _ => return Step::None,
    };
    let listed = rule(session, view).is_some_and(|(atlas, rule)| is_listed(session.addr, atlas, rule));
    if listed && !view.has_credit(session.addr) { step } else { Step::None }
}

/// Whether a recipient takes mail from every country.
pub fn is_spared(recipient: &[u8], view: &View) -> bool {
    let rule = view.site.by_country.as_ref();
    rule.is_some_and(|rule| rule.spared.iter().any(|to| recipient.eq_ignore_ascii_case(to.as_bytes())))
}

/// The connection score with what country and provider give.
pub(crate) fn score(session: &Session<'_>, view: &View) -> Option<ConnectionScore> {
    let bare = session.score?;
    let spared = || session.recipient.is_some_and(|to| is_spared(to, view));
    let parts = view.atlas.as_deref().map(|atlas| parts(session.addr, atlas, spared, view));
    let parts = parts.filter(|parts| parts.iter().any(|part| part.quarters > 0));
    let Some(parts) = parts.filter(|_| !view.has_credit(session.addr)) else { return Some(bare) };
    Some(parts.iter().fold(bare, |score, part| score.with(part.quarters, part.text)))
}

/// What country and provider give to a stranger, as parts of the score.
fn parts(addr: IpAddr, atlas: &Atlas, spared: impl FnOnce() -> bool, view: &View) -> [Part; 2] {
    let country = view.site.by_country.as_ref().map_or(0, |rule| geo_points(addr, atlas, rule));
    let country = if country > 0 && spared() { 0 } else { country };
    let listed = || atlas.system(addr).is_some_and(|system| view.systems.contains(&system));
    let provider = if !view.systems.is_empty() && listed() { PROVIDER } else { 0 };
    let part = |quarters, text| Part { family: Family::Territory, quarters, text };
    [part(country, COUNTRY_WORDS), part(provider, PROVIDER_WORDS)]
}

/// The score of a stranger with what country and provider give, for who shows each part.
pub(crate) fn added(
    mut score: detectors::ConnectionScore,
    addr: IpAddr,
    spared: bool,
    view: &View,
) -> detectors::ConnectionScore {
    let Some(atlas) = view.atlas.as_deref() else { return score };
    score.parts.extend(parts(addr, atlas, || spared, view).into_iter().filter(|part| part.quarters > 0));
    score.parts.sort_by_key(|part| -part.quarters);
    score
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, NOW};
    use crate::{Tell, answer};
    use model::atlas::{Country, Draft};
    use model::{Class, Site};
    use std::sync::Arc;

    /// A view in which 203.0.113.0/24 lies in China and is announced by a listed provider.
    fn view(mode: Option<RuleMode>, credited: bool) -> View {
        let (mut systems, mut countries) = (Draft::default(), Draft::default());
        systems.add_prefix("203.0.113.0/24".parse().unwrap(), 64_496);
        countries.add_prefix("203.0.113.0/24".parse().unwrap(), "CN".parse::<Country>().unwrap().into());
        let by_country = mode.map(|mode| ByCountry {
            mode,
            countries: vec!["CN".parse().unwrap()],
            spared: vec!["sales@example.org".into()],
        });
        let mut view = match credited {
            true => testing::view_with_class(&[], "203.0.113.9", Class::Known),
            false => testing::view(&[]),
        };
        view.site = Arc::new(Site { by_country, ..testing::site() });
        view.atlas = Some(Arc::new(Atlas::new(systems, countries)));
        view
    }

    fn session<'a>(addr: &str, recipient: &'a str, quarters: i32) -> Session<'a> {
        let score = Some(ConnectionScore { quarters, heaviest: [None, None], line: false });
        let addr = addr.parse().unwrap();
        Session { recipient: Some(recipient.as_bytes()), score, ..Session::new(addr, NOW) }
    }

    #[track_caller]
    fn check(view: &View, session: &Session<'_>, expect: &str) {
        let got = match answer(session, view, NOW).tell {
            Tell::Pass => "pass".to_owned(),
            Tell::Refuse(reply) | Tell::Defer(reply) => reply.get().short().to_owned(),
        };
        assert!(got.starts_with(expect), "{got}");
    }

    #[test]
    fn off_21_a_4_off_by_default_nobody_s_country_matters() {
        check(&view(None, false), &session("203.0.113.9", "user@example.org", 15), "pass");
    }

    #[test]
    fn off_21_a_4_a_listed_country_gives_a_point_and_a_history_of_good_mail_none() {
        let at =
            |view: &View, addr: &str| score(&session(addr, "user@example.org", 3), view).unwrap().quarters;
        let on = view(Some(RuleMode::Score), false);
        assert_eq!([at(&on, "203.0.113.9"), at(&on, "198.51.100.9")], [7, 3]);
        assert_eq!(at(&on, "::ffff:203.0.113.9"), 7);
        assert_eq!(at(&view(Some(RuleMode::Score), true), "203.0.113.9"), 3);
        check(&on, &session("203.0.113.9", "user@example.org", 11), "pass");
        check(
            &on,
            &session("203.0.113.9", "user@example.org", 12),
            "550 5.7.1 [203.0.113.9] refused: a policy by",
        );
    }

    #[test]
    fn off_21_a_4_a_recipient_who_takes_mail_from_every_country_gets_it() {
        for mode in [RuleMode::Score, RuleMode::Defer, RuleMode::Block] {
            check(&view(Some(mode), false), &session("203.0.113.9", "Sales@example.org", 15), "pass");
        }
    }

    #[test]
    fn off_21_a_4_the_reply_says_a_policy_by_country_not_an_accusation() {
        let refuse = "550 5.7.1 [203.0.113.9] refused: a policy by country, not an accusation. See https://";
        let defer = "451 4.7.1 [203.0.113.9] deferred: a policy by country, not an accusation. See https://";
        for (mode, expect) in [(RuleMode::Block, refuse), (RuleMode::Defer, defer)] {
            let on = view(Some(mode), false);
            check(&on, &session("203.0.113.9", "user@example.org", 0), expect);
            check(&on, &session("203.0.113.9", "postmaster@example.org", 0), "pass");
            check(&on, &session("198.51.100.9", "user@example.org", 0), "pass");
            check(&view(Some(mode), true), &session("203.0.113.9", "user@example.org", 0), "pass");
            let bare = View { atlas: None, ..on };
            check(&bare, &session("203.0.113.9", "user@example.org", 0), "pass");
        }
    }

    #[test]
    fn off_21_and_off_23_the_points_stand_among_the_parts_of_the_score() {
        let listed =
            |credited| View { systems: Arc::new([64_496].into()), ..view(Some(RuleMode::Score), credited) };
        let parts = |addr: &str, spared, view: &View| {
            let client = model::Client {
                addr: addr.parse().unwrap(),
                port: 0,
                helo: None,
                rdns: model::Rdns::Missing,
                authenticated: false,
            };
            let traits = detectors::Traits::of(&client, false, &model::Policy::shipped());
            let path = crate::MailPath { spared, ..crate::MailPath::default() };
            let score = crate::connection::weigh(&client, &traits, path, view, NOW);
            score.parts.iter().map(|part| (part.quarters, part.text)).collect::<Vec<_>>()
        };
        let bare = (4, "the address has no reverse DNS name");
        let (country, provider) = ((COUNTRY, COUNTRY_WORDS), (PROVIDER, PROVIDER_WORDS));
        assert_eq!(parts("203.0.113.9", false, &listed(false)), [bare, country, provider]);
        assert_eq!(parts("203.0.113.9", true, &listed(false)), [bare, provider]);
        assert_eq!(parts("198.51.100.9", false, &listed(false)), [bare]);
        assert_eq!(parts("203.0.113.9", false, &listed(true)), [bare, (-12, "it has sent good mail")]);
    }

    #[test]
    fn off_21_while_the_site_learns_nobody_is_refused_for_his_country() {
        let learning = View { mode: model::Mode::Shadow, ..view(Some(RuleMode::Block), false) };
        check(&learning, &session("203.0.113.9", "user@example.org", 0), "pass");
    }

    #[test]
    fn off_23_a_listed_provider_gives_half_a_point_and_never_refuses_alone() {
        let listed = View { systems: Arc::new([64_496].into()), ..view(None, false) };
        let at = |quarters| session("203.0.113.9", "user@example.org", quarters);
        assert_eq!(score(&at(3), &listed).unwrap().quarters, 5);
        check(&listed, &at(0), "pass");
        check(&listed, &at(13), "pass");
        check(&listed, &at(14), "550 5.7.1 [203.0.113.9] refused: many servers of its provider");
        let credited = View { systems: Arc::new([64_496].into()), ..view(None, true) };
        assert_eq!(score(&at(3), &credited).unwrap().quarters, 3);
    }
}
