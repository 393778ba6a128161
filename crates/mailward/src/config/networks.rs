//! Files with networks of shared senders: `shared.files`.
//!
//! Two forms are read. A text has one network or address a line; what follows `#` is a
//! comment. A file that begins with `{` is JSON as warning lists have it, with the networks in
//! an array `list`; of other entries, such as host names, nothing is taken.

use std::collections::BTreeMap;
use std::path::Path;

use model::Prefix;

use super::error::{ConfigError, Place};
use super::forms::{Written, quoted};
use super::settings::Settings;
use super::source::printable;
use super::traps::Open;

/// Networks of all files together.
///
/// They stand in the policy, which each host journals and keeps in memory: near a megabyte.
const NETWORKS_MAX: usize = 65_536;
/// The setting.
const NAME: &str = "shared.files";

/// Collects the networks of all files, and tells what is wrong with them.
pub(super) fn collect(
    settings: &Settings,
    lines: &BTreeMap<&'static str, usize>,
    file: &str,
    open: Open<'_>,
) -> (Vec<Prefix>, Vec<ConfigError>) {
    let at = Place { file: file.to_owned(), line: lines.get(NAME).copied().unwrap_or(1) };
    let (mut networks, mut errors) = (Vec::new(), Vec::new());
    for path in &settings.shared_files {
        match open(path) {
            Ok(text) => match read(path, &text) {
                Ok(found) => networks.extend(found),
                Err(faults) => errors.extend(faults),
            },
            Err(why) => {
                let got = format!("{} ({why})", quoted(&printable(&path.display().to_string())));
                errors.push(wrong(at.clone(), "a readable text file", got, None));
            }
        }
    }
    let networks = detectors::ranges::apart(networks);
    if networks.len() > NETWORKS_MAX {
        let expected = format!("at most {NETWORKS_MAX} networks that lie apart");
        errors.push(wrong(at, &expected, networks.len().to_string(), None));
    }
    (networks, errors)
}

/// Reads one file.
fn read(path: &Path, text: &str) -> Result<Vec<Prefix>, Vec<ConfigError>> {
    if text.trim_start().starts_with('{') { in_json(path, text) } else { in_lines(path, text) }
}

fn in_lines(path: &Path, text: &str) -> Result<Vec<Prefix>, Vec<ConfigError>> {
    let (mut networks, mut errors) = (Vec::new(), Vec::new());
    for (line, said) in (1..).zip(text.lines()) {
        let said = said.split('#').next().unwrap_or_default().trim();
        if said.is_empty() {
            continue;
        }
        match <Prefix as Written>::parse(said) {
            Ok(network) => networks.push(network),
            Err(fault) => {
                let at = Place { file: path.display().to_string(), line };
                errors.push(wrong(at, &Prefix::expected(), quoted(&printable(said)), fault.meant));
            }
        }
    }
    if errors.is_empty() { Ok(networks) } else { Err(errors) }
}

fn in_json(path: &Path, text: &str) -> Result<Vec<Prefix>, Vec<ConfigError>> {
    let place = |line| Place { file: path.display().to_string(), line };
    let expected = "JSON with an array of networks called \"list\"";
    let whole: serde_json::Value = serde_json::from_str(text).map_err(|error| {
        vec![wrong(place(error.line()), expected, quoted(&printable(&error.to_string())), None)]
    })?;
    let Some(list) = whole.get("list").and_then(serde_json::Value::as_array) else {
        return Err(vec![wrong(place(1), expected, "none".to_owned(), None)]);
    };
    let networks: Vec<Prefix> =
        list.iter().filter_map(|entry| <Prefix as Written>::parse(entry.as_str()?).ok()).collect();
    if networks.is_empty() {
        return Err(vec![wrong(place(1), expected, "a list without any".to_owned(), None)]);
    }
    Ok(networks)
}

fn wrong(at: Place, expected: &str, got: String, meant: Option<String>) -> ConfigError {
    ConfigError::Setting { at, name: NAME.to_owned(), expected: expected.to_owned(), got, meant }
}

#[cfg(test)]
mod tests {
    use super::*;
    use detectors::{catalogue, ranges};
    use std::path::PathBuf;

    /// Lists that others keep; they are held against ours, and nothing of them stands in it.
    const OTHERS: [(&str, u64); 4] = [
        ("smtp-sending-ips", 85),
        ("google-gmail-sending-ips", 100),
        ("microsoft-office365-ip", 99),
        ("amazon-aws", 85),
    ];

    /// A folder of the data beside the workspace, if it is there.
    fn data(folder: &str) -> Option<PathBuf> {
        let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
        let data = std::env::var_os("MAILWARD_SHARED_DATA").map_or_else(beside, PathBuf::from);
        let folder = data.join(folder);
        let there = folder.is_dir();
        if !there {
            println!("skipped: {} is not there", folder.display());
        }
        there.then_some(folder)
    }

    fn list(folder: &Path, name: &str) -> Vec<Prefix> {
        let path = folder.join(name).join("list.json");
        ranges::apart(read(&path, &std::fs::read_to_string(&path).unwrap()).unwrap())
    }

    /// Addresses of `of` that the shipped catalogue holds, and all of them; IPv4 only.
    fn covered(of: &[Prefix]) -> (u64, u64) {
        let size = |p: &Prefix| 1u64 << (32 - p.bits());
        let v4 = || of.iter().filter(|p| matches!(p, Prefix::V4(..)));
        let held = v4().map(|theirs| {
            let whole = catalogue::shipped().networks.iter().any(|ours| ours.covers(*theirs));
            let within = catalogue::shipped().networks.iter().filter(|ours| theirs.covers(**ours));
            if whole { size(theirs) } else { within.map(size).sum() }
        });
        (held.sum(), v4().map(size).sum())
    }

    #[test]
    fn the_catalogue_holds_most_of_what_others_list() {
        let Some(folder) = data("net/providers/misp-warninglists") else { return };
        for (name, least) in OTHERS {
            let (held, all) = covered(&list(&folder, name));
            println!("{name}: {held} of {all} addresses, {} %", held * 100 / all);
            assert!(held * 100 >= all * least, "{name}");
        }
    }

    #[test]
    fn nearly_all_sessions_from_what_others_list_come_from_shared_senders() {
        let (Some(folder), Some(mail)) = (data("net/providers/misp-warninglists"), data("mail")) else {
            return;
        };
        let theirs = ranges::apart(OTHERS.iter().flat_map(|(name, _)| list(&folder, name)).collect());
        let (mut all, mut held) = (0u64, 0);
        for addr in clients(&mail.join("phishing_pot-dev.jsonl.gz")) {
            if ranges::touch(&theirs, addr) {
                all += 1;
                held += u64::from(ranges::touch(&catalogue::shipped().networks, addr));
            }
        }
        println!("phishing_pot-dev: {held} of {all} sessions");
        assert!(all > 1000 && held * 100 >= all * 99, "{held} of {all}");
    }

    fn clients(stream: &Path) -> Vec<Prefix> {
        use std::io::{BufRead, BufReader};
        let file = flate2::read::MultiGzDecoder::new(std::fs::File::open(stream).unwrap());
        let lines = BufReader::new(file).lines().map(|line| line.unwrap());
        let client = |line: String| {
            serde_json::from_str::<serde_json::Value>(&line).ok()?["client_ip"].as_str()?.parse().ok()
        };
        lines.filter_map(client).collect()
    }

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let got = match read(Path::new("/nets"), text) {
            Ok(networks) => networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
            Err(faults) => faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
        };
        assert_eq!(got, expect);
    }

    #[test]
    fn a_text_has_one_network_a_line() {
        check(
            "# ours\n192.0.2.0/24 # out\n\n2001:db8::/48\n198.51.100.7\n",
            "192.0.2.0/24 2001:db8::/48 198.51.100.7",
        );
        check(
            "192.0.2.0/24\n192.0.2.9/24\n",
            "/nets:2: shared.files: expected an IP address or prefix, but got \"192.0.2.9/24\"; did you mean 192.0.2.0/24?",
        );
        check("", "");
    }

    #[test]
    fn a_warning_list_has_its_networks_in_an_array() {
        check(
            r#"{"name": "x", "list": ["192.0.2.0/24", ".example.org", "2001:db8::1/128"]}"#,
            "192.0.2.0/24 2001:db8::1",
        );
        for text in [r#"{"list": [".example.org"]}"#, r#"{"nets": []}"#, "{"] {
            assert!(read(Path::new("/nets"), text).is_err(), "{text}");
        }
    }
}
