//! What is refused at the end of a message, and what it is marked with.

use model::{Name, PersonHash, Site};

use super::*;
use crate::testing::{self, Block};
use crate::texts::{LONG_LEN_MAX, SHORT_LEN_MAX, is_reply};

const ALL: EndRules = EndRules {
    virus: Act::Refuse,
    attachment: Act::Refuse,
    encrypted: Act::Quarantine,
    forged: Act::Refuse,
    spam: Act::Refuse,
    spam_score: None,
    first_hit: Act::Refuse,
    scored: Act::Refuse,
};

fn verdict(judgement: Judgement, score: i32) -> Verdict {
    Verdict { queue: None, judgement, score: Some(score), source: Name::new(b"rspamd") }
}

fn ending<'a>(content: &'a Content, verdict: Option<&'a Verdict>) -> Ending<'a> {
    Ending {
        addr: "192.0.2.25".parse().unwrap(),
        trusted: false,
        content,
        verdict,
        score: None,
        first_hit: false,
        burst: false,
        sender_is_ours: true,
        desk: false,
        exempt: false,
        case: None,
        would: None,
        bounces: None,
    }
}

/// What was told and the mark, in one line.
fn told(ended: &Ended) -> String {
    let tell = match &ended.tell {
        Finish::Pass => "pass".to_owned(),
        Finish::Refuse(reply) => {
            let (short, long) = (reply.get().short(), reply.get().long());
            assert!(
                is_reply(short)
                    && is_reply(long)
                    && short.len() <= SHORT_LEN_MAX
                    && long.len() <= LONG_LEN_MAX
            );
            long[..long.find(' ').unwrap()].to_owned()
        }
        Finish::Quarantine(word) => format!("hold {word}"),
    };
    format!("{tell} | {}", ended.mark)
}

#[track_caller]
fn check(content: &Content, verdict: Option<&Verdict>, rules: &EndRules, expect: &str) {
    let view = testing::view(&[]);
    assert_eq!(told(&at_end(&ending(content, verdict), rules, &view)), expect);
}

fn with(attachment: Danger, spf: Spf, shape: Shape) -> Content {
    Content { attachment, spf, shape, ..Content::default() }
}

const PLAIN: Shape = Shape::BULK;

#[test]
fn each_kind_has_its_refusal() {
    let clean = with(Danger::None, Spf::Pass, PLAIN);
    let (virus, spam) = (verdict(Judgement::Virus, 0), verdict(Judgement::Spam, 1250));
    check(&clean, None, &ALL, "pass | pass; verdict=unknown");
    check(&clean, Some(&virus), &ALL, "554 | refused; rule=virus; verdict=virus; score=0.00; by=rspamd");
    check(&clean, Some(&spam), &ALL, "550 | refused; rule=spam; verdict=spam; score=12.50; by=rspamd");
    for danger in [Danger::None, Danger::Score] {
        check(&with(danger, Spf::None, PLAIN), None, &ALL, "pass | pass; verdict=unknown");
    }
    check(
        &with(Danger::Refused, Spf::None, PLAIN),
        None,
        &ALL,
        "550 | refused; rule=attachment; verdict=unknown",
    );
    check(
        &with(Danger::Encrypted, Spf::None, PLAIN),
        None,
        &ALL,
        "hold encrypted | quarantined; rule=encrypted; verdict=unknown",
    );
    // An archive that asks for a password, with the words of a lure.
    check(
        &with(Danger::Encrypted, Spf::None, Shape::LURE),
        None,
        &ALL,
        "550 | refused; rule=encrypted; verdict=unknown",
    );
    check(&with(Danger::None, Spf::Fail, PLAIN), None, &ALL, "550 | refused; rule=spf; verdict=unknown");
    // The hardest wins, then the first.
    let both = with(Danger::Refused, Spf::Fail, PLAIN);
    check(&both, Some(&spam), &ALL, "550 | refused; rule=attachment; verdict=spam; score=12.50; by=rspamd");
    let held = EndRules { attachment: Act::Quarantine, ..ALL };
    check(&both, Some(&spam), &held, "550 | refused; rule=spf; verdict=spam; score=12.50; by=rspamd");
}

#[test]
fn as_shipped_spam_is_not_refused() {
    let (clean, spam) = (Content::default(), verdict(Judgement::Spam, 1250));
    let shipped = EndRules::default();
    check(&clean, Some(&spam), &shipped, "pass | pass; rule=spam; verdict=spam; score=12.50; by=rspamd");
    let high = EndRules { spam: Act::Refuse, spam_score: Some(1500), ..shipped };
    check(&clean, Some(&spam), &high, "pass | pass; verdict=spam; score=12.50; by=rspamd");
    let low = EndRules { spam_score: Some(1250), ..high };
    check(&clean, Some(&spam), &low, "550 | refused; rule=spam; verdict=spam; score=12.50; by=rspamd");
    let heuristic = verdict(Judgement::Heuristic, 100);
    check(&clean, Some(&heuristic), &ALL, "pass | pass; verdict=heuristic; score=1.00; by=rspamd");
}

#[test]
fn only_our_own_senders_are_refused_for_spf_and_never_passed_on_mail() {
    let fail = with(Danger::None, Spf::Fail, PLAIN);
    let view = testing::view(&[]);
    let refused = |of: &Ending<'_>, view: &View| matches!(at_end(of, &ALL, view).tell, Finish::Refuse(_));
    assert!(refused(&ending(&fail, None), &view));
    assert!(!refused(&Ending { sender_is_ours: false, ..ending(&fail, None) }, &view));
    let standing = |class| testing::view_with_class(&[], "192.0.2.25", class);
    for shape in [Shape::REWRITTEN, Shape::LIST, Shape::WAS_HERE] {
        let marked = with(Danger::None, Spf::Fail, shape);
        assert!(!refused(&ending(&marked, None), &standing(Class::Known)), "{shape:?}");
        // One header field, or one good message beside it, buys no sender of ours.
        assert!(refused(&ending(&marked, None), &view), "{shape:?}");
        assert!(refused(&ending(&marked, None), &standing(Class::Unknown)), "{shape:?}");
    }
    for spf in [Spf::SoftFail, Spf::TempError, Spf::PermError, Spf::Neutral, Spf::None] {
        assert!(!refused(&ending(&with(Danger::None, spf, PLAIN), None), &view), "{spf:?}");
    }
    let signed = Content { dmarc: Dmarc::Pass, ..fail.clone() };
    assert!(!refused(&ending(&signed, None), &view));
    let forwarder = testing::view_with_class(&[], "192.0.2.25", Class::Forwarder);
    assert!(!refused(&ending(&fail, None), &forwarder));
}

#[test]
fn open_recipients_take_no_malware_but_the_abuse_desk_does() {
    let (bad, virus) = (with(Danger::Refused, Spf::Fail, PLAIN), verdict(Judgement::Virus, 0));
    let view = testing::view(&[Block::of("192.0.2.25")]);
    let of = Ending { case: Some(testing::case(1)), ..ending(&bad, Some(&virus)) };
    let Finish::Refuse(reply) = at_end(&of, &ALL, &view).tell else { panic!("not refused") };
    assert!(reply.get().long().contains("/c/n1-1/"), "{}", reply.get().long());
    for of in [Ending { desk: true, ..of.clone() }, Ending { trusted: true, ..of.clone() }] {
        assert_eq!(at_end(&of, &ALL, &view).tell, Finish::Pass);
    }
    let protected = Ending { addr: "198.51.100.7".parse().unwrap(), ..of };
    assert_eq!(at_end(&protected, &ALL, &view).tell, Finish::Pass);
}

#[test]
fn without_a_case_a_help_page_explains() {
    let view = testing::view(&[]);
    let text =
        |content: &Content, verdict: Option<&Verdict>| match at_end(&ending(content, verdict), &ALL, &view)
            .tell
        {
            Finish::Refuse(reply) => reply.get().long().to_owned(),
            other => panic!("not refused: {other:?}"),
        };
    let clean = Content::default();
    for (line, topic) in [
        (text(&with(Danger::Refused, Spf::None, PLAIN), None), "files"),
        (text(&with(Danger::None, Spf::Fail, PLAIN), None), "spf"),
        (text(&clean, Some(&verdict(Judgement::Virus, 0))), "virus"),
        (text(&clean, Some(&verdict(Judgement::Spam, 0))), "spam"),
    ] {
        assert!(line.contains(&format!("https://mw.example.org/h/{topic}")), "{line}");
        assert!(crate::help_page(topic).is_some(), "{topic}");
    }
    assert_eq!(
        text(&with(Danger::None, Spf::Fail, PLAIN), None),
        "550 5.7.23 The sender domain's SPF record does not permit [192.0.2.25] to send this mail. Help: \
         https://mw.example.org/h/spf or write to postmaster@example.org (open to blocked hosts)"
    );
}

#[test]
fn while_learning_a_mark_says_what_would_have_been() {
    let learning = testing::learning(&[]);
    let (bad, virus) = (with(Danger::Encrypted, Spf::None, PLAIN), verdict(Judgement::Virus, 0));
    let ended = at_end(&ending(&bad, Some(&virus)), &ALL, &learning);
    assert_eq!(told(&ended), "pass | would refuse; rule=virus; verdict=virus; score=0.00; by=rspamd");
    assert!(ended.would && ended.rule == Some(EndRule::Virus));
    assert_eq!(
        told(&at_end(&ending(&bad, None), &ALL, &learning)),
        "pass | would quarantine; rule=encrypted; verdict=unknown"
    );
    let clean = Content::default();
    let of = Ending { would: Some(testing::case(7)), ..ending(&clean, None) };
    assert_eq!(told(&at_end(&of, &ALL, &learning)), "pass | would refuse; case=n1-7; verdict=unknown");
    // Without portal and contact nothing is refused either.
    let site = Site { may_refuse: false, ..testing::site() };
    let nobody = View { site: site.into(), ..testing::view(&[]) };
    assert!(at_end(&ending(&bad, Some(&virus)), &ALL, &nobody).would);
}

#[test]
fn a_mark_holds_nothing_but_words() {
    let odd = Verdict { source: Name::new(b"a b;\r\nX: y\xff%"), ..verdict(Judgement::Ham, -120) };
    let ended = at_end(&ending(&Content::default(), Some(&odd)), &ALL, &testing::view(&[]));
    assert_eq!(ended.mark.get().as_str(), "pass; verdict=ham; score=-1.20; by=a_b___x__y__");
}

#[test]
fn four_points_of_connection_and_content_are_refused_with_the_heaviest_facts() {
    let content = with(Danger::None, Spf::None, Shape::default());
    let facts = [Some("the address has no reverse DNS name"), Some("the text looks like spam")];
    let scored = |quarters| Some(ConnectionScore { quarters, heaviest: facts, line: false });
    let view = testing::view(&[]);
    let of = |quarters| at_end(&Ending { score: scored(quarters), ..ending(&content, None) }, &ALL, &view);
    assert_eq!(told(&of(15)), "pass | pass; verdict=unknown");
    assert_eq!(told(&of(16)), "550 | refused; rule=score; verdict=unknown");
    let Finish::Refuse(reply) = of(16).tell else { panic!("refused") };
    assert!(
        reply.get().short().starts_with(
            "550 5.7.1 Message refused: the address has no reverse DNS name and the text looks like spam. Help: "
        ),
        "{}",
        reply.get().short()
    );
}

#[test]
fn what_blocks_its_server_at_once_is_not_delivered_first() {
    let content = with(Danger::None, Spf::None, Shape::default());
    let rules = EndRules { spam: Act::Pass, ..ALL };
    let view = testing::view(&[]);
    let of = |judgement, first_hit| {
        let verdict = verdict(judgement, 700);
        told(&at_end(&Ending { first_hit, ..ending(&content, Some(&verdict)) }, &rules, &view))
    };
    assert!(of(Judgement::Spam, true).starts_with("550 | refused; rule=first-hit"));
    assert!(of(Judgement::Spam, false).starts_with("pass"));
    assert!(of(Judgement::Ham, true).starts_with("pass"));
}

#[test]
fn adv_18_what_a_bursting_server_sends_is_refused_by_the_message() {
    let view = testing::view(&[]);
    let shipped = EndRules::default();
    let of = |shape, judgement, burst| {
        let (content, verdict) = (with(Danger::None, Spf::None, shape), verdict(judgement, 700));
        told(&at_end(&Ending { burst, ..ending(&content, Some(&verdict)) }, &shipped, &view))
    };
    assert!(of(PLAIN, Judgement::Spam, true).starts_with("550 | refused; rule=burst"));
    assert!(of(PLAIN, Judgement::Spam, false).starts_with("pass"));
    assert!(of(PLAIN, Judgement::Ham, true).starts_with("pass"));
    // A thief of a password can write a Received field of ours, too.
    assert!(of(Shape::WAS_HERE, Judgement::Spam, true).starts_with("550 | refused; rule=burst"));
    let list = testing::view_with_class(&[], "192.0.2.25", Class::ListHost);
    let (content, spam) = (with(Danger::None, Spf::None, PLAIN), verdict(Judgement::Spam, 700));
    let of_a_list = Ending { burst: true, ..ending(&content, Some(&spam)) };
    assert!(told(&at_end(&of_a_list, &shipped, &list)).starts_with("pass"));
}

#[test]
fn an_open_recipient_is_open_at_the_end_of_the_message_too() {
    let facts = [Some("the text looks like spam"), None];
    let score = Some(ConnectionScore { quarters: 40, heaviest: facts, line: false });
    let (view, spam) = (testing::view(&[]), verdict(Judgement::Spam, 1200));
    let plain = with(Danger::None, Spf::None, Shape::default());
    let to_postmaster = Ending { exempt: true, first_hit: true, score, ..ending(&plain, Some(&spam)) };
    assert!(told(&at_end(&to_postmaster, &ALL, &view)).starts_with("pass"));
    let program = with(Danger::Refused, Spf::None, Shape::default());
    let with_program = Ending { content: &program, ..to_postmaster };
    assert!(told(&at_end(&with_program, &ALL, &view)).starts_with("550 | refused; rule=attachment"));
}

#[test]
fn mail_that_was_here_before_is_not_refused_for_a_client_with_good_mail() {
    let score = Some(ConnectionScore { quarters: 40, heaviest: [None, None], line: false });
    let spam = verdict(Judgement::Spam, 1200);
    let back = with(Danger::None, Spf::None, Shape::WAS_HERE);
    let rules = EndRules { spam: Act::Pass, ..ALL };
    let of = |first_hit, score, view: &View| {
        told(&at_end(&Ending { first_hit, score, ..ending(&back, Some(&spam)) }, &rules, view))
    };
    let view = |class, credit| testing::view_with_standing(&[], "192.0.2.25", class, credit);
    for known in [view(Class::Unknown, true), view(Class::Known, false), view(Class::ListHost, true)] {
        assert!(of(true, score, &known).starts_with("pass"));
    }
    // A stranger's Received field of ours is a word like any other.
    assert!(of(true, None, &testing::view(&[])).starts_with("550 | refused; rule=first-hit"));
    assert!(of(false, score, &view(Class::Unknown, false)).starts_with("550 | refused; rule=score"));
}

#[test]
fn a_4_automatic_answers_come_to_people_who_wrote_lately() {
    let mut projector = testing::projector(&[Block::of("192.0.2.25").with(|o| o.reason = 10)]);
    projector.set_writer(7, testing::NOW.plus(model::Secs::DAY));
    let view = projector.view();
    let to = |people: &[u64]| {
        let people = people.iter().map(|who| PersonHash(*who));
        bounces_case(&view, "192.0.2.25".parse().unwrap(), people, testing::NOW)
    };
    assert_eq!((to(&[7]), to(&[8, 7])), (None, None));
    assert_eq!((to(&[8]), to(&[])), (Some(testing::case(1)), Some(testing::case(1))));
}

#[test]
fn j5_who_sends_backscatter_is_refused_automatic_answers_and_no_other_mail() {
    let block = Block::of("192.0.2.25").with(|o| o.reason = 10);
    let view = testing::view(&[block]);
    let bounces = bounces_case(&view, "192.0.2.25".parse().unwrap(), std::iter::empty(), testing::NOW);
    assert_eq!(bounces, Some(testing::case(1)));
    assert_eq!(bounces_case(&view, "192.0.2.26".parse().unwrap(), std::iter::empty(), testing::NOW), None);
    let by_shape = |shape, exempt| {
        let content = Content { shape, ..Content::default() };
        let ended = at_end(&Ending { bounces, exempt, ..ending(&content, None) }, &ALL, &view);
        (told(&ended).starts_with("550"), ended.rule)
    };
    for shape in [Shape::AUTOMATIC, Shape::BOUNCE, Shape::NULL_SENDER] {
        assert_eq!(by_shape(shape, false), (true, Some(EndRule::Backscatter)));
    }
    assert_eq!(by_shape(Shape::LIST | Shape::BULK, false), (false, None), "other mail is welcome");
    assert_eq!(by_shape(Shape::AUTOMATIC, true), (false, None), "postmaster is open");
    let spam_block = testing::view(&[Block::of("192.0.2.25")]);
    assert_eq!(
        bounces_case(&spam_block, "192.0.2.25".parse().unwrap(), std::iter::empty(), testing::NOW),
        None
    );
}
