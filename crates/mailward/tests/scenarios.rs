//! The stories of `scenarios/`, each played to a daemon of its own in simulated time.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may stop")]

mod scenario;
mod site;

/// A test for each story, by the name of its file.
macro_rules! stories {
    ($($name:ident)*) => {
        const STORIES: &[&str] = &[$(stringify!($name)),*];
        $(#[test] fn $name() { scenario::play(stringify!($name)); })*
    };
}

stories! {
    adv_18_warm_up
    connection_mailboxes
    curated
    hash_flood
    off_01_spam_volume
    off_02_trap
    off_02_trap_by_policy
    off_03_greytrap
    off_04_reports
    off_05_dictionary
    off_06_flood
    off_09_helo
    off_10_reverse_dns
    off_11_dynamic
    off_12_virus
    off_13_attachment
    off_14_forged_sender
    off_15_backscatter
    off_15_welcome_to_traps
    off_18_early_talker
    off_19_protocol
    off_20_bot
    off_21_geo
    off_22_network
    off_23_provider
    off_24_domain_conduct
    off_24_unreachable
    operator
}

#[test]
fn every_story_is_played() {
    let files = std::fs::read_dir(scenario::folder()).unwrap().flatten();
    let names = files.filter_map(|file| Some(file.file_name().to_str()?.strip_suffix(".scn")?.to_owned()));
    let mut names: Vec<String> = names.collect();
    names.sort();
    let mut played: Vec<&str> = STORIES.to_vec();
    played.sort_unstable();
    assert_eq!(names, played);
}
