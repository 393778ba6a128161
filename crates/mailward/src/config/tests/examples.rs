//! The files in `examples/` are what they say they are.

use std::fs;
use std::path::{Path, PathBuf};

use model::{LinkKey, PersonHash, Policy};

use crate::config::Config;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

fn load(name: &str) -> Config {
    Config::load(&folder().join(name)).unwrap_or_else(|errors| panic!("{errors}"))
}

fn policy(config: &Config) -> Policy {
    config.policy(&|address| PersonHash(address.len() as u64))
}

#[test]
fn every_example_is_a_good_configuration() {
    let files =
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut files: Vec<_> = files.filter(|name| name.ends_with(".toml")).collect();
    files.sort();
    for name in &files {
        load(name);
    }
    assert_eq!(files, ["loopback.toml", "mailward.toml", "reference-24h.toml"], "each has a test below");
}

#[test]
fn the_sample_of_the_readme_is_short() {
    let text = fs::read_to_string(folder().join("mailward.toml")).unwrap();
    assert!(text.lines().count() <= 15);
    assert!(text.lines().all(|line| line.chars().count() <= 100));
}

#[test]
fn the_sample_of_the_readme_refuses_nothing_until_its_names_are_replaced() {
    let config = load("mailward.toml");
    assert_eq!(config.missing_for_refusals().len(), 2);
    assert!(policy(&config).learn_first);
    let text = fs::read_to_string(folder().join("mailward.toml")).unwrap();
    let edited = Config::from_str("edited", &text.replace("example.org", "mail.internal")).unwrap();
    assert!(edited.site(LinkKey::default()).may_refuse);
    assert_eq!(edited.site(LinkKey::default()).portal, "https://mailward.mail.internal");
}

#[test]
fn the_reference_is_the_models_reference() {
    assert_eq!(policy(&load("reference-24h.toml")), Policy::reference_24h());
}

#[test]
fn the_trial_blocks_from_the_start_and_is_reached_from_nowhere() {
    let config = load("loopback.toml");
    let listeners = config.listeners();
    assert!(listeners.policy_tcp.is_some_and(|at| at.ip().is_loopback()) && listeners.trust_local);
    assert!(listeners.portal.is_some_and(|at| at.ip().is_loopback()));
    assert!(config.site(LinkKey::default()).may_refuse);
    let policy = policy(&config);
    assert!(!policy.learn_first && policy.documentation && policy.traps.len() == 1);
}
