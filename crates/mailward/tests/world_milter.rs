//! Mailward's milter beside a real Postfix, with a real rspamd, SpamAssassin and ClamAV: what
//! each message is told, what becomes of its sender, and what a page shows of it.
//!
//! Runs with `MAILWARD_WORLD=1`, as root, where they are installed (`cargo xtask test world`
//! sees to that); says `skipped: …` elsewhere. Everything is started once, out of a temporary
//! folder; each story has addresses of its own, and takes them on by XCLIENT. Policy server
//! and milter both stand beside Postfix, as printed. Nothing leaves the machine, so there is
//! no SPF, DKIM and DMARC.

#[path = "milter/content.rs"]
mod content;
#[path = "milter/failure.rs"]
mod failure;
#[path = "../../judges/tests/world/filters.rs"]
mod filters;
#[path = "milter/people.rs"]
mod people;
#[path = "../../judges/tests/world/samples.rs"]
mod samples;
#[path = "milter/senders.rs"]
mod senders;
#[path = "milter/site.rs"]
mod site;
mod world;

use site::Site;
use world::{Folder, Stories, postfix, sink};

#[test]
fn a_message_is_judged_and_its_sender_told_why() {
    let programs = [sink::PROGRAM, filters::CLAMD, filters::SPAMD, filters::RSPAMD];
    let programs: Vec<&str> = postfix::PROGRAMS.into_iter().chain(programs).collect();
    if let Some(reason) = world::missing(&programs) {
        return println!("skipped: {reason}");
    }
    let folder = Folder::new("milter");
    let mut stories = Stories::default();
    let mut started = None;
    stories.tell("start", || started = Some(Site::start(folder.path())));
    let mut site = started.expect("a site");
    stories.tell("setup-again", || assert_eq!(site.mx.plan()["main_cf"], "# Nothing: it is all there.\n"));
    tell_all(&mut stories, &mut site);
    stories.end(&site.mx.logs());
}

fn tell_all(stories: &mut Stories, site: &mut Site) {
    let mut mailboxes = None;
    stories.tell("mailboxes", || mailboxes = Some(people::users_get_mail(site)));
    stories.tell("clean", || content::a_good_message_passes_with_a_mark(site));
    stories.tell("forged-results", || content::a_forged_result_of_our_name_is_removed(site));
    stories.tell("virus", || content::a_virus_is_refused_and_its_sender_blocked(site));
    stories.tell("virus-in-zip", || content::a_virus_in_a_zip_is_found_and_named(site));
    stories.tell("attachments", || content::a_program_in_a_zip_is_refused_and_a_pdf_only_scores(site));
    stories.tell("first-hit", || content::a_spam_of_a_nameless_client_is_evidence_at_once(site));
    stories.tell("unknown-recipients", || senders::each_unknown_recipient_is_seen_without_a_log(site));
    stories.tell("backscatter", || senders::the_same_unknown_recipient_counts_once(site));
    stories.tell("volume", || senders::spams_of_a_well_run_server_are_counted_once_each(site));
    stories.tell("trap", || senders::a_trap_blocks_a_stranger_at_the_end_of_its_message(site));
    stories.tell("confirmation", || senders::a_request_to_confirm_is_no_trap_hit(site));
    stories.tell("relay", || senders::behind_a_relay_the_inner_client_is_blocked(site));
    tell_of_reports(stories, site, mailboxes.as_ref());
    stories.tell("judges-die", || failure::without_judges_mail_flows_with_an_unknown_verdict(site));
    stories.tell("late-verdict", || failure::a_late_verdict_finds_the_headers(site));
    stories.tell("kill", || failure::without_the_daemon_mail_flows(site));
}

fn tell_of_reports(stories: &mut Stories, site: &Site, mailboxes: Option<&people::Mailboxes>) {
    let Some(got) = mailboxes else { return };
    site.mx.mailward.wait("25 h");
    stories.tell("reports", || people::three_who_forward_their_mail_block_its_sender(site, got));
    stories.tell("forged-report", || people::a_report_of_what_we_never_took_accuses_nobody(site, got));
    stories.tell("junk-button", || people::a_junk_button_reports_through_a_pipe(site, got));
}
