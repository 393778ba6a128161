//! The block lists before those who ask them: dig, kdig, drill and delv, a resolver that
//! minimises names, strangers and floods, mail servers and filters.
//!
//! Runs with `MAILWARD_WORLD=1`, as root, where they are installed (`cargo xtask test world`
//! sees to that); says `skipped: …` elsewhere. Each group has one room and one daemon, whose
//! clock stands; nothing leaves the machine.

#[path = "dns_clients/asking.rs"]
mod asking;
#[path = "dns_clients/lists.rs"]
mod lists;
#[path = "dns_clients/mail.rs"]
mod mail;
#[path = "dns_clients/resolver.rs"]
mod resolver;
mod site;
#[path = "dns_clients/strangers.rs"]
mod strangers;
#[path = "dns_clients/vectors.rs"]
mod vectors;
mod world;

use std::path::PathBuf;

use lists::Lists;
use mail::Mta;
use resolver::Resolver;
use world::room::{self, Room, unpacked};
use world::{Folder, Stories, postfix};

/// A room with lists, if there can be one; else says why not.
fn lists(folder: &Folder, programs: &[&str], dns: &str) -> Option<Lists> {
    let clients = asking::CLIENTS.iter().map(|(program, _)| *program);
    let programs: Vec<&str> =
        room::PROGRAMS.into_iter().chain(clients).chain(programs.iter().copied()).collect();
    let room = world::missing(&programs).map_or_else(Room::enter, Err);
    match room {
        Ok(room) => Some(Lists::start(folder.path(), room, dns)),
        Err(reason) => {
            println!("skipped: {reason}");
            None
        }
    }
}

#[test]
fn annex_3_is_answered_to_every_client() {
    let folder = Folder::new("dns-clients");
    let Some(lists) = lists(&folder, &[asking::DELV, resolver::PROGRAM], "") else { return };
    lists.fill();
    let (mut stories, mut log) = (Stories::default(), PathBuf::new());
    stories.tell("vectors", vectors::every_program_is_told_the_same);
    stories.tell("delv", vectors::delv_takes_answers_without_signatures);
    stories.tell("text", || vectors::the_text_has_the_way_and_no_secret(&lists));
    stories.tell("doctor", || vectors::doctor_asks_for_the_test_entry(&lists));
    stories.tell("protocol", vectors::the_rest_of_the_protocol_is_as_programs_expect_it);
    stories
        .tell("resolver", || log = resolver::who_minimises_names_finds_what_is_listed(&lists, folder.path()));
    stories.tell("ttl", || vectors::what_is_left_is_the_time_to_live(&lists));
    stories.end(&[lists.mailward.log(), log]);
}

#[test]
fn strangers_hear_why_and_a_flood_is_not_worth_while() {
    let folder = Folder::new("dns-strangers");
    let Some(mut lists) = lists(&folder, &[], "") else { return };
    lists.block("203.0.113.7", "2 h");
    let mut stories = Stories::default();
    stories.tell("local", strangers::a_local_list_refuses);
    stories.tell("acl", || strangers::a_list_with_an_acl_says_that_it_is_not_permitted(&mut lists));
    stories.tell("key", || strangers::a_key_opens_the_list(&mut lists));
    stories.tell("quota", || strangers::a_quota_is_used_up(&mut lists));
    stories.tell("long", || strangers::no_answer_is_long(&mut lists));
    stories.tell("flood", || strangers::a_flood_of_one_network_gets_a_trickle(&mut lists));
    stories.end(&[lists.mailward.log()]);
}

#[test]
fn mail_servers_refuse_by_what_setup_lists_prints() {
    let folder = Folder::new("dns-mail");
    let exim = unpacked("exim4-daemon-light", "usr/sbin/exim4");
    let programs = [resolver::PROGRAM, mail::SPAMASSASSIN, mail::RSPAMD[0], mail::RSPAMD[1], &exim];
    let programs: Vec<&str> = postfix::PROGRAMS.into_iter().chain(programs).collect();
    let Some(lists) = lists(&folder, &programs, "") else { return };
    lists.fill();
    let (printed, resolver) = (lists.printed(), Resolver::start(folder.path(), &lists));
    let servers = folder.path().join("resolv.conf");
    room::write(&servers, &format!("nameserver {}\n", resolver::RESOLVER));
    lists.room.run(&format!("mount --bind {} /etc/resolv.conf", servers.display()));
    let mta = Mta::start(folder.path(), &printed);
    let mut stories = Stories::default();
    stories.tell("smtpd", || mail::smtpd_refuses_who_is_listed(&mta));
    stories.tell("postscreen", || mail::postscreen_refuses_who_is_listed(&mta));
    stories.tell("exim", || mail::exim_refuses_who_is_listed(folder.path(), &lists, &printed));
    stories.tell("spamassassin", || mail::spamassassin_scores_who_is_listed(folder.path(), &printed));
    stories.tell("rspamd", || mail::rspamd_scores_who_is_listed(folder.path(), &printed));
    stories.end(&[mta.postfix.log(), lists.mailward.log(), resolver.log()]);
}
