//! What messages themselves show: traps with their shape, viruses, attachments, forged
//! senders, and what speaks for a sender (OFF-2, 12, 13, 14).

use engine::PassesOn;
use model::content::{Danger, Kept, Shape, Spf};
use model::policy::{RuleMode, TrapKind};
use model::{
    Answered, Content, DomainHash, Evidence, ExhibitId, Fact, Judgement, Offence, PersonHash, Policy,
    Rejected, Secs, Sensor, Units,
};

use crate::world::{Host, Mail, PEOPLE, World, bot, ended, mail, policy, server, shaped, spam_to, verdict};

const ADDR: &str = "192.0.2.25";

fn signed(domain: u64) -> Content {
    Content { dkim: Some(DomainHash(domain)), ..Content::default() }
}

fn with(attachment: Danger) -> Content {
    Content { attachment, ..Content::default() }
}

fn fails_for(domain: u64) -> Content {
    Content { spf: Spf::Fail, sender_domain: Some(DomainHash(domain)), ..Content::default() }
}

/// A world with traps 1 to 60 of one kind.
fn mined(kind: TrapKind) -> World {
    let traps = (1..=60).map(|n| (PersonHash(n), kind)).collect();
    World::under(Policy { traps, ..policy() })
}

/// How many of the traps 1 to 60 a host reaches with messages of this shape.
fn traps_reached(world: &mut World, host: &Host, shape: Shape) -> usize {
    (1..=60).filter(|to| world.show(&mail(host, *to), shaped(shape))).count()
}

fn evidence(world: &World) -> Vec<Evidence> {
    world.side_rows.iter().map(|row| minicbor::decode(&row.body).unwrap()).collect()
}

#[test]
fn off_2_one_pristine_trap_blocks_a_stranger_whose_message_was_seen() {
    let plain = Shape::default();
    for host in [server(ADDR), bot(ADDR), bot(ADDR).helo("pc-7")] {
        assert_eq!(traps_reached(&mut mined(TrapKind::Pristine), &host, plain), 1);
        assert_eq!(traps_reached(&mut mined(TrapKind::Recycled), &host, plain), 3);
    }
    let infected = bot(ADDR).helo("localhost");
    assert_eq!(traps_reached(&mut mined(TrapKind::Recycled), &infected, plain), 1, "OFF-20");
    let (mut world, known) = (mined(TrapKind::Pristine), server(ADDR));
    world.befriend(&known, 8, 2);
    // Three would do, but sixteen good messages outweigh them.
    assert_eq!(traps_reached(&mut world, &known, plain), 4);
}

#[test]
fn off_2_a_hit_is_counted_once_at_its_recipient_or_at_its_end() {
    let (mut world, host) = (mined(TrapKind::Pristine), server(ADDR));
    world.show(&mail(&host, 1), Content::default());
    assert_eq!(world.case(&host).units(), Units::whole(5));
    assert_eq!(evidence(&world).len(), 1);
}

#[test]
fn off_2_a_message_that_never_ends_scores_as_one_whose_shape_was_not_seen() {
    let (mut world, host) = (mined(TrapKind::Pristine), bot(ADDR).helo("localhost"));
    let mut named = |to| {
        let (tag, answered) = (world.tag(), world.answer(&mail(&host, to)));
        world.frame(vec![world.observed_by(Sensor::Milter, tag, mail(&host, to).attempt(answered))]);
        answered == Answered::Passed
    };
    // The fourth, not the third: the end of the third could still have come.
    assert_eq!([1, 2, 3, 4, 5].map(&mut named), [true, true, true, true, false]);
    assert_eq!(world.case(&host).units(), Units::whole(20));
}

#[test]
fn off_2_without_a_milter_the_rule_is_what_it_was() {
    let (mut world, host) = (mined(TrapKind::Pristine), bot(ADDR).helo("localhost"));
    assert!(world.send(&mail(&host, 1)));
    assert!(world.is_blocked(&host));
    // A milter that was there an hour ago is there no more.
    let (mut world, other) = (mined(TrapKind::Pristine), server("192.0.2.26"));
    world.show(&mail(&other, PEOPLE), Content::default());
    assert!((1..=2).all(|to| world.send(&mail(&host, to))));
    world.wait(Secs::HOUR);
    assert!(world.send(&mail(&host, 3)) && !world.send(&mail(&host, 4)));
}

#[test]
fn s70_a_welcome_to_a_trap_is_no_spam() {
    for shape in [Shape::CONFIRMATION, Shape::AUTOMATIC, Shape::BOUNCE, Shape::NULL_SENDER] {
        let (mut world, host) = (mined(TrapKind::Pristine), bot(ADDR).helo("localhost"));
        assert!(world.show(&Mail { judged: Some(Judgement::Ham), ..mail(&host, PEOPLE) }, shaped(shape)));
        assert!(world.show(&mail(&host, 1), shaped(shape)));
        assert!(world.cases.is_empty(), "one alone blocks nobody");
        // What it scored is taken back: its next units are those of spam alone.
        world.spam(&host, 99);
        assert_eq!(world.case(&host).case.opened.as_ref().unwrap().units.len(), 1);
        assert_eq!(world.case(&host).case.units()[0].0, Offence::SpamVolume);
    }
}

#[test]
fn adv_4_twenty_traps_subscribed_to_a_list_host_do_not_block_its_mail() {
    let (mut world, host) = (mined(TrapKind::Pristine), server(ADDR));
    let list = |_| Content { shape: Shape::LIST, ..signed(1) };
    for _ in 0..3 {
        world.show_many(&host, 10, Some(Judgement::Ham), list);
        world.wait(Secs::DAY);
    }
    let subscribed = (1..=20).all(|to| world.show(&mail(&host, to), shaped(Shape::CONFIRMATION)));
    assert!(subscribed && world.cases.is_empty(), "a list host");
    assert_eq!(world.show_many(&host, 10, Some(Judgement::Ham), list), 10);
}

#[test]
fn off_12_one_virus_blocks_a_stranger_and_three_a_known_server() {
    let infected = Some(Judgement::Virus);
    assert_eq!(World::new().show_many(&server(ADDR), 9, infected, |_| Content::default()), 1);
    let (mut world, host) = (World::new(), server(ADDR));
    world.befriend(&host, 8, 2);
    assert_eq!(world.show_many(&host, 9, infected, |_| Content::default()), 3);
    assert_eq!(world.case(&host).units(), Units::whole(30));
    assert_eq!(world.case(&host).lasts(), Secs::HOUR.times(3));
    assert!(world.case(&host).is_for(Offence::Virus));
}

#[test]
fn off_12_an_established_server_is_blocked_by_twenty_five_if_they_are_thirty_percent() {
    let (mut world, host) = (World::new(), server(ADDR));
    world.befriend(&host, 15, 8);
    assert_eq!(world.show_many(&host, 99, Some(Judgement::Virus), |_| Content::default()), 25);
    let (mut world, host) = (World::new(), server(ADDR));
    world.befriend(&host, 15, 8);
    world.ham(&host, 99);
    assert_eq!(world.show_many(&host, 42, Some(Judgement::Virus), |_| Content::default()), 42);
}

#[test]
fn off_12_a_guess_of_the_scanner_counts_a_fifth() {
    let (mut world, host) = (World::new(), server(ADDR));
    assert_eq!(world.show_many(&host, 9, Some(Judgement::Heuristic), |_| Content::default()), 5);
    assert_eq!(world.case(&host).units(), Units::whole(10));
}

#[test]
fn off_12_a_sample_for_the_abuse_desk_blocks_nobody() {
    let (mut world, host) = (World::new(), bot(ADDR));
    let desk = |_| Content { attachment: Danger::Refused, ..shaped(Shape::TO_ABUSE_DESK) };
    assert_eq!(world.show_many(&host, 20, Some(Judgement::Virus), desk), 20);
}

#[test]
fn off_13_five_dangerous_attachments_in_a_day_block() {
    let (mut world, host) = (World::new(), server(ADDR));
    assert_eq!(world.show_many(&host, 9, None, |_| with(Danger::Refused)), 5);
    assert_eq!(world.case(&host).units(), Units::whole(25));
    for danger in [Danger::Encrypted, Danger::Score] {
        assert_eq!(World::new().show_many(&host, 50, None, |_| with(danger)), 50, "{danger:?}");
    }
}

#[test]
fn off_14_forged_senders_score_as_shipped_and_block_where_that_is_asked_for() {
    assert_eq!(World::new().show_many(&server(ADDR), 99, None, |n| fails_for(n % 10)), 99);
    let modes = vec![(Offence::ForgedSender, RuleMode::Block)];
    let mut world = World::under(Policy { modes, ..policy() });
    assert_eq!(world.show_many(&server(ADDR), 99, None, |n| fails_for(n % 10)), 50);
    assert_eq!(world.case(&server(ADDR)).units(), Units::whole(50));
    assert_eq!(world.show_many(&server("192.0.2.26"), 99, None, |n| fails_for(n % 9)), 99, "nine domains");
}

#[test]
fn adv_20_a_forwarder_that_breaks_spf_for_many_domains_is_never_blocked() {
    let modes = vec![(Offence::ForgedSender, RuleMode::Block)];
    let (mut world, host) = (World::under(Policy { modes, ..policy() }), bot(ADDR).helo("localhost"));
    // More domains than fifty, in a day and not in an hour, with good mail among it.
    for n in 0..51 {
        let judged = (n % 10 == 0).then_some(Judgement::Ham);
        assert!(world.show(&Mail { judged, ..mail(&host, PEOPLE + n) }, fails_for(n)));
        world.now = world.now.plus(Secs(600));
    }
    assert_eq!(world.engine.upstream(), [(host.key(), PassesOn::FailsForMany)]);
    // Six of sixty are a tenth.
    assert_eq!(world.spam(&host, 99), 55);
    assert!(world.engine.counters().guarded > 0);
}

#[test]
fn adv_20_mail_that_was_here_before_is_no_reason_to_block_who_brings_it_back() {
    let (mut world, host) = (World::new(), bot(ADDR).helo("localhost"));
    world.show_many(&host, 2, Some(Judgement::Ham), |_| shaped(Shape::WAS_HERE));
    assert_eq!(world.engine.upstream(), [(host.key(), PassesOn::WasHere)]);
    assert_eq!(world.spam(&host, 18), 18);
    // The mark alone can be forged: without good mail it shields nobody.
    let mut world = World::new();
    let forged = |_| shaped(Shape::WAS_HERE);
    assert_eq!(world.show_many(&host, 9, Some(Judgement::Spam), forged), 1);
    // Nor does good mail to a mailbox of one's own: as many pass as without the mark.
    let passed_of = |shape| {
        let mut world = World::new();
        for _ in 0..40 {
            world.now = world.now.plus(Secs(1));
            world.show(&Mail { judged: Some(Judgement::Ham), ..mail(&host, PEOPLE) }, shaped(shape));
        }
        world.show_many(&host, 200, Some(Judgement::Spam), |_| shaped(shape))
    };
    assert_eq!([Shape::WAS_HERE, Shape::default()].map(passed_of), [60, 60]);
}

#[test]
fn mail_that_passed_dkim_on_earlier_days_shields_from_the_first_hit() {
    let (mut world, host) = (World::new(), bot(ADDR));
    for _ in 0..3 {
        world.show_many(&host, 2, None, |_| signed(1));
        world.wait(Secs::DAY);
    }
    assert_eq!(world.spam(&host, 9), 2, "the first spam ends its history");
    let unsigned = World::new().show_many(&host, 9, Some(Judgement::Ham), |_| Content::default());
    assert_eq!(unsigned, 9, "a missing signature speaks against nobody");
}

#[test]
fn evidence_names_the_exhibit_whenever_its_verdict_came() {
    let exhibit = ExhibitId([7; 16]);
    let content = Content { kept: Kept::Stored(exhibit), ..Content::default() };
    // The end of the message first, then its verdict; and the other way round.
    for late in [false, true] {
        let (mut world, host) = (World::new(), server(ADDR));
        world.spam(&host, 8);
        let attempt = mail(&host, PEOPLE + 50).attempt(Answered::Passed);
        let mut facts = [ended(5, content.clone()), verdict(Judgement::Spam, None)];
        if late {
            facts.reverse();
        }
        for fact in [attempt].into_iter().chain(facts) {
            world.frame(vec![world.observed_by(Sensor::Milter, 5, fact)]);
        }
        world.spam(&host, 1);
        let shown = evidence(&world);
        assert!(shown.iter().all(|e| e.judgement == Some(Judgement::Spam)));
        // Five of ten are shown, by their hashes: this one is among them.
        assert_eq!(shown.iter().filter(|e| e.exhibit == Some(exhibit)).count(), 1, "late: {late}");
    }
}

#[test]
fn a_message_whose_headers_were_lost_is_no_evidence_and_blocks_nobody() {
    let lost = |_| Content { kept: Kept::Lost, attachment: Danger::Refused, ..Content::default() };
    let (mut world, host) = (mined(TrapKind::Pristine), bot(ADDR));
    assert_eq!(world.show_many(&host, 20, Some(Judgement::Spam), lost), 20);
    assert!(world.show(&spam_to(&host, 1), lost(0)), "a trap");
    assert!(world.engine.counters().without_evidence > 0);
    // One message that can be shown is evidence for what was counted.
    world.show(&spam_to(&host, PEOPLE), Content::default());
    assert_eq!(evidence(&world).len(), 1);
}

#[test]
fn forty_unknown_recipients_are_forty_observations_and_forty_distinct() {
    let modes = vec![(model::Offence::Dictionary, model::policy::RuleMode::Score)];
    let (mut world, host) = (World::under(Policy { modes, ..policy() }), bot(ADDR));
    let rejected = |world: &World, n: u64, why| {
        world.observed_by(
            Sensor::Milter,
            n,
            Fact::Rejected(Rejected {
                client: host.0.clone(),
                sender: Some(PersonHash(7)),
                recipient: Some(PersonHash(n)),
                domain: Some(DomainHash(1)),
                why,
            }),
        )
    };
    let unknown = model::observation::Rejection::UnknownUser;
    let inputs = (0..40).map(|n| rejected(&world, n, unknown)).collect();
    world.frame(inputs);
    assert_eq!(world.engine.counters().observations, 40);
    assert_eq!(world.engine.unknown_recipients(host.key()), 40);
    let again = [rejected(&world, 0, unknown), rejected(&world, 99, model::observation::Rejection::Relaying)];
    world.frame(again.to_vec());
    assert_eq!(world.engine.unknown_recipients(host.key()), 40, "the same wrong address counts once");
    assert!(world.cases.is_empty(), "a rule that scores blocks nobody");
    world.wait(Secs::DAY);
    assert_eq!(world.engine.unknown_recipients(host.key()), 0);
}

#[test]
fn good_mail_that_answers_one_of_ours_counts_five() {
    let sent = |world: &World, who: u64| {
        let sender = Some(PersonHash(PEOPLE + who));
        let sent = model::Sent { sender, recipient: PersonHash(9), domain: Some(DomainHash(3)) };
        world.observed_by(Sensor::Milter, 0, Fact::Sent(sent))
    };
    let gets_through = |wrote: bool| {
        let (mut world, host) = (World::new(), server(ADDR));
        if wrote {
            let inputs = (0..4).map(|who| sent(&world, who)).collect();
            world.frame(inputs);
        }
        for _ in 0..4 {
            let content = |_| Content { sender_domain: Some(DomainHash(3)), ..Content::default() };
            world.show_many(&host, 2, Some(Judgement::Ham), content);
            world.wait(Secs::DAY.times(2));
        }
        world.spam(&host, 200)
    };
    // Eight good messages are few; forty make a known server whose spam they outweigh.
    assert_eq!([gets_through(false), gets_through(true)], [10, 41]);
}
