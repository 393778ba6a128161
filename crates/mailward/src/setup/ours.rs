//! What our own configuration needs, whatever the mail server.

use std::path::Path;

use super::place::Place;
use crate::config::Config;

/// Lines of section `[portal]` without which nothing is refused; the names in them are a
/// proposal for a site at `domain`.
pub(super) fn portal(domain: Option<&str>, config: Option<&Config>) -> Vec<String> {
    let usual = || {
        vec!["url = \"https://mailward.example.org\"".into(), "contact = \"postmaster@example.org\"".into()]
    };
    let missing = config.map_or_else(usual, |config| {
        let lines = config.missing_for_refusals().into_iter();
        lines.map(|line| line.split("  #").next().unwrap_or("").to_owned()).collect()
    });
    let domain = domain.unwrap_or("example.org");
    missing.into_iter().map(|line: String| line.replace("example.org", domain)).collect()
}

/// The section `[portal]`, if anything of it is missing.
pub(super) fn portal_section(lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
    format!("# Without these nothing is refused; put your own names.\n[portal]\n{lines}\n")
}

/// A section with the socket where the mail server reaches us.
pub(super) fn socket_section(section: &str, socket: &Path) -> String {
    format!("[{section}]\nunix = {}\n\n", quoted(&socket.display().to_string()))
}

/// The whole, for a mail server whose names and networks we can not read.
pub(super) fn toml(section: &str, place: &Place, config: Option<&Config>) -> String {
    let mut out = portal_section(&portal(None, config));
    let configured = config.and_then(|config| match section {
        "milter" => config.milter().unix,
        _ => config.listeners().policy_unix,
    });
    match place {
        Place::Unix(socket) if configured.as_ref() != Some(socket) => {
            out.push_str(&socket_section(section, socket));
        }
        Place::Unix(_) | Place::Tcp(_) => {
            out.push_str(&format!("# Section [{section}] is right as it is.\n\n"));
        }
    }
    if config.is_none() {
        out.push_str("[own]\n");
        out.push_str(&list(
            "names",
            &[],
            "mx.example.org",
            "Nobody else may greet with these: your hosts and domains.",
        ));
        out.push_str(&list("networks", &[], "192.0.2.0/24", "Never blocked: your hosts and users."));
    }
    out
}

/// A list of the configuration; an empty one as a comment that shows its form.
pub(super) fn list(key: &str, items: &[String], example: &str, meaning: &str) -> String {
    if items.is_empty() {
        return format!("# {meaning}\n# {key} = [{}]\n", quoted(example));
    }
    let items: String = items.iter().map(|item| format!("    {},\n", quoted(item))).collect();
    format!("# {meaning}\n{key} = [\n{items}]\n")
}

/// A text of the configuration.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}
