//! Stories of what is missing: judges, their verdicts, the daemon itself.

use crate::samples::eicar;
use crate::site::{ALICE, Site, hides_recipients, plain, spam, text};
use crate::world::smtp::Client;

pub(crate) fn without_judges_mail_flows_with_an_unknown_verdict(site: &Site) {
    let client = Client::well_run("198.51.100.40");
    site.clamd.signal("KILL");
    let got = site.delivered(&client, &[ALICE], &plain("Without clamd", &eicar()));
    assert!(got.contains("\nX-Mailward: pass; ") && !got.contains("verdict=virus"), "{got}");
    assert!(site.count("/judges/clamd/unknown/unreachable") > 0);
    site.spamd.signal("STOP");
    site.rspamd.signal("KILL");
    let got = site.delivered(&client, &[ALICE], &spam("Without any"));
    assert!(got.contains("\nX-Mailward: pass; verdict=unknown\n"), "{got}");
    assert!(site.count("/judges/spamd/unknown/late") > 0);
    assert!(site.count("/judges/rspamd/unknown/unreachable") > 0);
    site.spamd.signal("KILL");
}

pub(crate) fn a_late_verdict_finds_the_headers(site: &Site) {
    let client = Client::nameless("203.0.113.40");
    let reply = site.send(&client, &[ALICE], &plain("Judged later", "Buy now."));
    site.mx.mailward.judge(&[reply.queue_id()], "spam");
    let case = site.case(&client);
    assert_eq!((text(&case, "reason"), text(&case, "units")), ("spam-volume", "1"));
    assert_eq!(site.mx.rcpt(&client, ALICE).link(), text(&case, "link"));
    let (page, twin) = site.page(&case);
    let received = format!("by mx.example.org with ESMTP id {}", reply.queue_id());
    assert!(page.contains(&received) && page.contains("Judged later"), "{page}");
    hides_recipients(&page, &twin);
}

pub(crate) fn without_the_daemon_mail_flows(site: &mut Site) {
    let client = Client::nameless("203.0.113.41");
    site.mx.spam(&client, &[ALICE]);
    let refused = site.mx.rcpt(&client, ALICE);
    assert_eq!(refused.code, 550);
    site.mx.mailward.kill();
    let got = site.delivered(&client, &[ALICE], &plain("Without the daemon", "Hello."));
    assert!(!got.contains("X-Mailward"), "{got}");
    site.mx.mailward.start();
    // Its clock begins at what the disk knows, which is before the wait.
    site.mx.mailward.wait("1 s");
    assert_eq!(site.mx.rcpt(&client, ALICE), refused, "the same words after the restart");
    site.mx.mailward.ask(&["ledger", "verify"]);
}
