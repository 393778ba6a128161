//! The table on paper: sample, `config show`, manual.

use super::read;
use crate::config::forms::Shown;
use crate::config::read::defaults;
use crate::config::rows::{ROWS, Row, SECTIONS};
use crate::config::{Config, markdown, sample};

fn shown(config: &Config) -> Vec<Shown> {
    ROWS.iter().map(|row| (row.slot.shown)(&config.settings)).collect()
}

fn value_of(row: &Row) -> Option<String> {
    (row.slot.shown)(&defaults()).to_toml()
}

#[test]
fn every_row_has_a_section_and_every_section_a_row() {
    for row in ROWS {
        assert!(SECTIONS.iter().any(|s| s.name == row.section()), "{}", row.name);
        assert_eq!(ROWS.iter().filter(|other| other.name == row.name).count(), 1, "{}", row.name);
    }
    for section in SECTIONS {
        assert!(section.rows().next().is_some(), "[{}]", section.name);
    }
    let by_section = SECTIONS.iter().flat_map(|section| section.rows().map(|row| row.name));
    assert_eq!(by_section.collect::<Vec<_>>(), ROWS.iter().map(|row| row.name).collect::<Vec<_>>());
}

#[test]
fn every_default_and_every_example_is_a_good_value_of_its_row() {
    for row in ROWS {
        for text in row.default.into_iter().chain(row.example) {
            let config = read(&format!("{} = {text}", row.name));
            // A list of traps can not be opened here; that its path is good was said by then.
            let only_unread = |e: &crate::config::ConfigErrors| e.to_string().contains("No such file");
            assert!(
                config.as_ref().is_ok() || config.as_ref().is_err_and(only_unread),
                "{}: {config:?}",
                row.name
            );
        }
        assert_eq!(value_of(row).is_some(), row.default.is_some(), "{}: the default is not read", row.name);
    }
}

#[test]
fn every_doc_is_one_sentence_or_more() {
    for doc in ROWS.iter().map(|row| row.doc).chain(SECTIONS.iter().map(|section| section.doc)) {
        assert!(doc.ends_with('.') && !doc.contains('\n'), "{doc}");
    }
}

#[test]
fn every_row_reads_and_shows_its_own_field() {
    let none = shown(&read("").unwrap());
    for (at, row) in ROWS.iter().enumerate().filter(|(_, row)| !row.name.ends_with("-file")) {
        let text = another_value(row);
        let got = shown(&read(&format!("{} = {text}", row.name)).unwrap_or_else(|e| panic!("{e}")));
        let changed: Vec<_> = (0..ROWS.len()).filter(|other| got.get(*other) != none.get(*other)).collect();
        assert_eq!(changed, [at], "{} = {text}", row.name);
    }
}

/// A good value that is not the default.
fn another_value(row: &Row) -> String {
    if let Some(example) = row.example {
        return example.to_owned();
    }
    match (value_of(row).as_deref(), row.name) {
        (Some("true"), _) => "false".into(),
        (Some("false"), _) => "true".into(),
        (_, "data-dir") => "'/srv/mw'".into(),
        (_, "mode") => "'enforce'".into(),
        (_, "rules.geo.mode" | "rules.helo-name.mode") => "'score'".into(),
        (_, "portal.listen" | "policy.tcp" | "milter.tcp" | "dns.rate-mode") => "'off'".into(),
        (_, "own.exempt" | "reports.addresses") => "['help']".into(),
        (_, "judges.macros" | "judges.encrypted") => "'refuse'".into(),
        (_, "rules.spam-volume.first-hit") => "'everybody'".into(),
        (_, "rules.trap.expiry" | "rules.reports.expiry") => "'reference'".into(),
        (_, "greylist.mode") => "'strict'".into(),
        (_, "dns.listen") => "['127.0.0.1:5353']".into(),
        (_, "dns.access") => "'acl'".into(),
        (_, "dns.ttl") => "'50 s'".into(),
        (_, "dns.rate-errors") => "6".into(),
        (_, name) if name.ends_with(".mode") => "'off'".into(),
        (_, "log.level") => "'warn'".into(),
        (_, "memory.keys") => "5000".into(),
        (_, "rules.bot.names-hour") => "6".into(),
        (_, name) if name.starts_with("rules.flood.") && name != "rules.flood.reached" => "55".into(),
        (Some(text), _) if text.ends_with(" s\"") => "'5 s'".into(),
        (Some(text), _) if text.ends_with("h\"") => "'5 h'".into(),
        (Some(text), _) if text.ends_with("d\"") => "'5 d'".into(),
        (Some(text), _) if text.ends_with("min\"") => "'5 min'".into(),
        (Some(text), _) if text.ends_with("MiB\"") => "'5 MiB'".into(),
        (Some(text), _) if text.ends_with("GiB\"") => "'5 GiB'".into(),
        (Some(text), _) if text.ends_with("%\"") => "'5 %'".into(),
        _ => "5".into(),
    }
}

#[test]
fn the_sample_says_nothing_but_the_defaults() {
    let config = read(&sample()).unwrap_or_else(|errors| panic!("{errors}"));
    assert!(config.lines.is_empty());
    assert_eq!(shown(&config), shown(&read("").unwrap()));
}

#[test]
fn the_sample_can_be_used_line_by_line() {
    let mut set = 0;
    let bare: String = sample()
        .lines()
        .map(|line| {
            let is_here = |rest: &&str| is_setting(rest) && !names_a_file(rest);
            match line.strip_prefix("# ").filter(is_here) {
                Some(setting) => {
                    set += 1;
                    format!("{setting}\n")
                }
                None => format!("{line}\n"),
            }
        })
        .collect();
    let config = read(&bare).unwrap_or_else(|errors| panic!("{errors}\n{bare}"));
    assert_eq!((set, config.lines.len()), (ROWS.len() - 4, ROWS.len() - 4));
}

/// A list that is read with the configuration: there is none here.
fn names_a_file(setting: &str) -> bool {
    ["/traps.", "/bots.", "/transfer."].iter().any(|name| setting.contains(name))
}

fn is_setting(text: &str) -> bool {
    let key = text.split(" = ").next().unwrap_or_default();
    ROWS.iter().any(|row| row.key() == key) && text.contains(" = ")
}

#[test]
fn the_sample_reads_well() {
    let sample = sample();
    let floor = "\n\
        # The shortest sentence, before doubling. Value: a duration with a unit (s, min, h or d).\n\
        # floor = \"2 h\"\n";
    assert!(sample.contains(floor), "{sample}");
    let unix = "\n\
        # Unix socket inside Postfix's chroot; what it hears counts. Value: an absolute path. Not set by\n\
        # default; an example:\n\
        # unix = \"/var/spool/postfix/mailward/policy\"\n";
    assert!(sample.contains(unix), "{sample}");
    assert!(sample.contains("\n[rules.spam-volume]\n# OFF-1: messages judged spam.\n"), "{sample}");
    for line in sample.lines().filter(|line| !is_setting(line.trim_start_matches("# "))) {
        assert!(line.chars().count() <= 100, "{line}");
    }
}

const SOME: &str = "site = \"Example \\\"Networks\\\"\"\n[own]\nnetworks = ['192.0.2.0/24']\n\
    [guards]\nblocks-per-minute = \"unlimited\"\n[traps]\npristine = ['secret@example.org']\n";

#[test]
fn show_says_what_is_in_force_and_where_it_was_set() {
    let shown = read(SOME).unwrap().show();
    #[track_caller]
    fn has(shown: &str, value: &str, origin: &str) {
        let line = shown
            .lines()
            .find(|line| line.starts_with(value))
            .unwrap_or_else(|| panic!("{value} in\n{shown}"));
        assert!(line.ends_with(&format!("  # {origin}")), "{line}");
    }
    has(&shown, "policy.tcp = \"127.0.0.1:12340\"", "default");
    has(&shown, "own.networks = [\"192.0.2.0/24\"]", "t.toml:3");
    has(&shown, "guards.blocks-per-minute = \"unlimited\"", "t.toml:5");
    has(&shown, "# portal.url is not set", "default");
    has(&shown, "# traps.pristine counts 1", "t.toml:7");
    assert_eq!(shown.lines().count(), ROWS.len());
}

#[test]
fn show_can_be_read_again() {
    let config = read(&SOME.replace("secret@example.org", "").replace("['']", "[]")).unwrap();
    let again = read(&config.show()).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(shown(&again), shown(&config));
}

#[test]
fn no_output_holds_a_trap_address() {
    let config = read(SOME).unwrap();
    assert!(!config.show().contains("secret@"));
    assert!(!config.show_json().to_string().contains("secret@"));
}

#[test]
fn show_as_json_has_one_object_for_each_setting() {
    let json = read(SOME).unwrap().show_json();
    assert_eq!(json["file"], "t.toml");
    let of = |name: &str| {
        let all = json["settings"].as_array().into_iter().flatten();
        all.filter(|setting| setting["name"] == name).collect::<Vec<_>>()
    };
    for row in ROWS {
        assert_eq!(of(row.name).len(), 1, "{}", row.name);
    }
    let networks = of("own.networks")[0];
    assert_eq!(networks["value"], serde_json::json!(["192.0.2.0/24"]));
    assert_eq!((&networks["origin"], &networks["line"]), (&"file".into(), &3.into()));
    assert_eq!(networks["default"], serde_json::json!([]));
    let keys = of("memory.keys")[0];
    assert_eq!((&keys["value"], &keys["origin"]), (&500_000.into(), &"default".into()));
    assert!(keys["line"].is_null() && of("portal.url")[0]["value"].is_null());
}

#[test]
fn the_manual_has_a_row_for_each_setting() {
    let manual = markdown();
    for row in ROWS {
        let cells = manual.lines().filter(|line| line.starts_with(&format!("| `{}` | ", row.key())));
        assert!(cells.clone().any(|line| line.ends_with(&format!("| {} |", row.doc))), "{}", row.name);
        for line in cells {
            assert_eq!(line.matches(" | ").count(), 3, "{line}");
        }
    }
    assert!(manual.contains("### `[rules.spam-volume]`\n"));
    assert!(manual.contains(
        "| `unix` | an absolute path; such as `\"/var/spool/postfix/mailward/policy\"` | not set |"
    ));
}

#[test]
fn the_printed_manual_stands_in_the_manual() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/manual.md");
    let manual = std::fs::read_to_string(path).unwrap();
    for line in markdown().lines().filter(|line| !line.is_empty()) {
        assert!(manual.lines().any(|known| known == line), "docs/manual.md lacks: {line}");
    }
}
