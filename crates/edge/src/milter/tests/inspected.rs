//! What an inspector says, and how the MTA hears it.

use answers::{Public, Reply};
use model::{CaseId, Millis, Secs};

use super::*;
use crate::testing::{case, site};

/// A refusal as `answers` makes them: one of class 5 or one of class 4.
fn reply(is_final: bool) -> Public<Reply> {
    let addr = "192.0.2.25".parse().unwrap();
    if !is_final {
        return answers::texts::too_often(&site(), addr, Some(case(5)));
    }
    let mut books = Books::new();
    books.block(5, "192.0.2.25", NOW.minus(Secs::MINUTE));
    let view = crate::views::Views::view(&*books.published);
    match answers::answer(&answers::Session::new(addr, NOW), &view, NOW).tell {
        answers::Tell::Refuse(reply) => reply,
        other => panic!("{other:?}"),
    }
}

fn ending(tell: EndTell) -> Ending {
    Ending { tell, insert: Vec::new() }
}

#[test]
fn a_refusal_at_the_end_goes_to_the_client() {
    let stage = Stage::ending(ending(EndTell::Refuse(reply(true))), |_| {});
    let all = stage.greeted().message();
    assert!(all.len() == 1 && all[0].starts_with("550-5.7.1 [192.0.2.25] "), "{all:?}");
    let stage = Stage::ending(ending(EndTell::TempFail(reply(false))), |_| {});
    let all = stage.greeted().message();
    assert!(all.len() == 1 && all[0].starts_with("451"), "{all:?}");
    assert_eq!((stage.counters().stopped, stage.counters().messages), (1, 1));
}

#[test]
fn a_reply_of_the_wrong_class_is_not_sent() {
    let stage = Stage::ending(ending(EndTell::Refuse(reply(false))), |_| {});
    assert_eq!(stage.greeted().message(), ["continue"]);
    let stage = Stage::ending(ending(EndTell::TempFail(reply(true))), |_| {});
    assert_eq!(stage.greeted().message(), ["continue"]);
    assert_eq!(stage.counters().stopped, 0);
}

fn fields() -> Ending {
    let field = |name: &[u8], value: &[u8]| (name.to_vec(), value.to_vec());
    let insert = vec![
        field(b"Authentication-Results", b"mx.example.org;\r\n\tspf=pass"),
        field(b"X-Bad Name", b"x"),
        field(b"X-Mailward", b"ham"),
    ];
    Ending { tell: EndTell::Pass, insert }
}

#[test]
fn fields_go_on_top_the_first_one_last() {
    let stage = Stage::ending(fields(), |_| {});
    let expect = [
        "insert 0 X-Mailward: ham",
        "insert 0 Authentication-Results: mx.example.org;\n\tspf=pass",
        "continue",
    ];
    assert_eq!(stage.greeted().message(), expect);
    let mut mta = stage.unix();
    mta.agree(OLD);
    mta.connect("192.0.2.25");
    assert_eq!(mta.message()[0], "insert 0 X-Mailward:ham", "the MTA writes the space itself");
}

#[test]
fn an_mta_that_takes_no_changes_gets_none() {
    let stage = Stage::ending(fields(), |config| config.quarantine = true);
    let mut mta = stage.unix();
    mta.agree(Offer { actions: Actions(0), ..POSTFIX });
    mta.connect("192.0.2.25");
    mta.mail("<a@example.net>");
    mta.rcpt("<b@example.org>");
    mta.field("Authentication-Results", " mx.example.org; spf=pass");
    assert_eq!(mta.content(), ["continue"]);
}

#[test]
fn a_quarantine_is_asked_for_where_it_was_agreed() {
    let wanted = || ending(EndTell::Quarantine("carries malware".into()));
    let stage = Stage::ending(wanted(), |config| config.quarantine = true);
    assert_eq!(stage.greeted().message(), ["quarantine carries malware", "continue"]);
    let stage = Stage::ending(wanted(), |_| {});
    assert_eq!(stage.greeted().message(), ["continue"]);
}

#[test]
fn fields_forged_under_our_name_are_removed() {
    let stage = Stage::new();
    let mut mta = stage.greeted();
    mta.mail("<a@example.net>");
    mta.rcpt("<b@example.org>");
    for value in [" mx.example.org; spf=pass", " mx.example.net; spf=pass", "\n\tMX.example.org 1; none"] {
        mta.field("authentication-RESULTS", value);
    }
    let expect = ["change 3 Authentication-Results:", "change 1 Authentication-Results:", "continue"];
    assert_eq!(mta.content(), expect);
    assert_eq!(stage.counters().forged, 2);
    // The letter is as it came: what was forged is evidence.
    assert_eq!(stage.keeps.letter().all("Authentication-Results").count(), 3);
    assert_eq!(mta.message(), ["continue"]);
}

#[test]
fn of_a_flood_of_forged_fields_a_thousand_are_removed() {
    let stage = Stage::new();
    let mut mta = stage.greeted();
    mta.mail("<a@example.net>");
    mta.rcpt("<b@example.org>");
    for _ in 0..3000 {
        mta.field("Authentication-Results", "mx.example.org;none");
    }
    let all = mta.content();
    assert_eq!((all.len(), all[0].as_str()), (1001, "change 1000 Authentication-Results:"));
}

#[test]
fn what_would_have_been_refused_is_told_to_the_inspector() {
    let mut stage = Stage::new();
    stage.books.learn(4);
    stage.books.block(5, "192.0.2.25", Millis(NOW.0 - 60_000));
    stage.greeted().message();
    let would: Vec<Option<CaseId>> = stage.keeps.shown.lock().unwrap().iter().map(|(_, a)| a.would).collect();
    assert_eq!(would, [Some(case(5))]);
}

/// Does what it does.
struct Acts(fn() -> Inspection);

impl Inspector for Acts {
    fn inspect(&self, _: Letter, _: About) -> Inspection {
        (self.0)()
    }
}

fn acting(act: fn() -> Inspection) -> Stage {
    Stage::with(|config| config.inspector = Some(Arc::new(Acts(act))))
}

#[test]
fn an_inspector_may_take_its_time() {
    let stage = acting(|| {
        Inspection::Pending(Box::pin(async {
            tokio::task::yield_now().await;
            ending(EndTell::Refuse(reply(true)))
        }))
    });
    assert!(stage.greeted().message()[0].starts_with("550"));
}

#[test]
fn a_message_passes_when_its_inspector_panics() {
    for act in [
        || -> Inspection { panic!("at once") },
        || -> Inspection { Inspection::Pending(Box::pin(async { panic!("later") })) },
    ] {
        let stage = acting(act);
        let mut mta = stage.greeted();
        assert_eq!(mta.message(), ["continue"]);
        assert_eq!(mta.message(), ["continue"]);
        assert_eq!((stage.counters().panicked, stage.counters().connections), (2, 1));
    }
}

#[test]
fn without_an_inspector_all_messages_pass() {
    let stage = Stage::with(|config| config.inspector = None);
    assert_eq!(stage.greeted().message(), ["continue"]);
}

#[test]
fn a_slow_inspection_holds_nobody_else() {
    let stage = acting(|| Inspection::Pending(Box::pin(std::future::pending())));
    let mut slow = stage.greeted();
    slow.mail("<a@example.net>");
    slow.rcpt("<b@example.org>");
    Command::EndOfBody(b"").write(&mut slow.out);
    slow.flush();
    let mut others: Vec<_> = (0..8).map(|_| stage.greeted()).collect();
    for mta in &mut others {
        mta.mail("<a@example.net>");
        assert_eq!(mta.rcpt("<b@example.org>"), "continue");
    }
}
