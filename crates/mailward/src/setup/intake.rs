//! Mail to Mailward itself: how Postfix hands it in over LMTP.

use std::path::Path;

use model::Domain;

use super::milter::{as_postfix_names, is_inside};
use super::postconf::Postconf;
use super::restrictions::words;
use crate::config::Config;

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
    (lines, notes(postfix, &addresses))
}

fn addresses(postfix: &Postconf, config: Option<&Config>) -> Vec<String> {
    let mut domains: Vec<String> = Vec::new();
    for word in DOMAINS.iter().flat_map(|setting| postfix.words(setting)) {
        let domain = word.parse::<Domain>().ok().map(|domain| domain.as_str().to_owned());
        let ours = domain.filter(|domain| domain.contains('.') && !domain.starts_with("localhost."));
        domains.extend(ours.filter(|domain| !domains.contains(domain)));
    }
    config.map(|config| config.report_addresses_at(&domains)).unwrap_or_default()
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

fn notes(postfix: &Postconf, addresses: &[String]) -> Vec<String> {
    let mut notes = vec![format!("Mail to {} goes to Mailward over LMTP.", addresses.join(", "))];
    if !postfix.value("recipient_delimiter").unwrap_or_default().contains('+') {
        notes.push("recipient_delimiter lacks +: report+…@ will not be known.".to_owned());
    }
    notes
}
