//! Mail to Mailward itself: how Postfix hands it in over LMTP.

use std::path::Path;

use model::Domain;

use super::milter::{as_postfix_names, is_inside};
use super::postconf::Postconf;
use super::restrictions::words;
use crate::config::Config;

/// Who takes mail for Mailward, at each of our domains.
const LOCAL_PARTS: [&str; 3] = ["report", "unblock", "ticket"];

/// Settings with our mail domains.
const DOMAINS: [&str; 4] =
    ["mydestination", "virtual_mailbox_domains", "virtual_alias_domains", "relay_domains"];

/// Lines of main.cf, by the setting's name.
pub(super) type Lines = Vec<(&'static str, Vec<String>)>;

/// What is missing in main.cf; nothing without `reports.lmtp`. The second value says what a
/// person should know.
pub(super) fn intake(postfix: &Postconf, queue: &Path, config: Option<&Config>) -> (Lines, Vec<String>) {
    let Some(socket) = config.and_then(Config::lmtp) else { return (Vec::new(), Vec::new()) };
    if !is_inside(socket, queue) {
        let told = format!(
            "reports.lmtp ({}) is not in a folder inside {}, so a chrooted lmtp can not reach it.",
            socket.display(),
            queue.display()
        );
        return (Vec::new(), vec![told]);
    }
    let addresses = addresses(postfix, config);
    let service = format!("lmtp:{}", as_postfix_names(socket, queue));
    // Its own alias: that makes the address known, whatever class its domain has.
    let known = table(&addresses, str::to_owned);
    let transports = table(&addresses, |_| service.clone());
    let mut lines = Vec::new();
    lines.extend(added(postfix, "virtual_alias_maps", known));
    lines.extend(added(postfix, "transport_maps", transports));
    (lines, notes(postfix))
}

fn addresses(postfix: &Postconf, config: Option<&Config>) -> Vec<String> {
    let mut domains: Vec<String> = Vec::new();
    for word in DOMAINS.iter().flat_map(|setting| postfix.words(setting)) {
        let domain = word.parse::<Domain>().ok().map(|domain| domain.as_str().to_owned());
        let ours = domain.filter(|domain| domain.contains('.') && !domain.starts_with("localhost."));
        domains.extend(ours.filter(|domain| !domains.contains(domain)));
    }
    let all = domains.iter().flat_map(|domain| LOCAL_PARTS.map(|local| format!("{local}@{domain}")));
    let report = |address: &String| !address.starts_with("report@");
    all.filter(|address| report(address) || config.is_some_and(|config| config.takes_reports(address)))
        .collect()
}

/// A table inside main.cf (Postfix 3.0 and newer).
fn table(addresses: &[String], value: impl Fn(&str) -> String) -> String {
    let entries: Vec<_> = addresses.iter().map(|address| format!("{address}={}", value(address))).collect();
    format!("inline:{{ {} }}", entries.join(", "))
}

/// The setting with our table first, unless it is there.
fn added(postfix: &Postconf, setting: &'static str, table: String) -> Option<(&'static str, Vec<String>)> {
    let was = words(postfix.written(setting).unwrap_or_default());
    let squeezed = |text: &str| text.split_whitespace().collect::<String>();
    if was.iter().any(|entry| squeezed(entry) == squeezed(&table)) {
        return None;
    }
    Some((setting, [table].into_iter().chain(was).collect()))
}

fn notes(postfix: &Postconf) -> Vec<String> {
    let mut notes = vec![
        "Mail to report@, unblock@ and ticket@ goes to Mailward over LMTP; other addresses of reports.addresses can \
         be added to the two tables alike."
            .to_owned(),
    ];
    if !postfix.value("recipient_delimiter").unwrap_or_default().contains('+') {
        notes.push(
            "recipient_delimiter lacks +: replies to unblock+…@ and ticket+…@ will not be known.".to_owned(),
        );
    }
    notes
}
