//! A plan for Postfix as parts to paste.

use super::ours;
use super::place::{make, take_ours};
use super::plan::Plan;
use super::restrictions::{List, Place};
use super::sheet::{Part, Sheet};

/// The plan as parts to paste.
pub(super) fn sheet(plan: &Plan) -> Sheet {
    let ours = plan.ours.display();
    let title = "As root, the folder of the sockets; the Debian package makes it, too:";
    let into_ours = format!("Into {ours}; join it with sections that are there:");
    let into_main = format!("Into {}, in place of settings with the same names:", plan.main_cf.display());
    let parts = vec![
        Part::commands("commands", title, &folders(plan)),
        Part::text("mailward_toml", into_ours, mailward_toml(plan)),
        Part::text("main_cf", into_main, main_cf(plan)),
        Part::commands("then", "Then, in this order:", &then(plan)),
    ];
    Sheet {
        server: "Postfix",
        parts,
        notes: explanations(plan).into_iter().chain(plan.notes.clone()).collect(),
    }
}

/// Setgid: the daemon's sockets there, mode 0660, belong to the group that smtpd runs as.
fn folders(plan: &Plan) -> Vec<String> {
    let sockets = [Some(&plan.socket), plan.milter.as_ref().and_then(|milter| milter.socket.as_ref())];
    let mut folders: Vec<_> = sockets.into_iter().flatten().filter_map(|socket| socket.parent()).collect();
    folders.dedup();
    folders.into_iter().map(|folder| make(folder, &plan.group)).collect()
}

fn mailward_toml(plan: &Plan) -> String {
    let mut out = ours::portal_section(&plan.portal);
    out.push_str(&ours::socket_section("policy", &plan.socket));
    if let Some(socket) = plan.milter.as_ref().and_then(|milter| milter.socket.as_ref()) {
        out.push_str(&ours::socket_section("milter", socket));
    }
    out.push_str("[own]\n");
    out.push_str(&named("names", &plan.own.names, "mx.example.org", "Nobody else may greet with these."));
    let meaning = "Never blocked: put your hosts and users there, too.";
    out.push_str(&named("networks", &plan.own.networks, "192.0.2.0/24", meaning));
    out.push_str(
        "# Backup MX and forwarders, which bring you other people's mail:\n# relays = [\"203.0.113.25\"]\n",
    );
    out
}

/// A list; one that postconf knows nothing for says so.
fn named(key: &str, items: &[String], example: &str, meaning: &str) -> String {
    let told = if items.is_empty() { " postconf names none:" } else { "" };
    ours::list(key, items, example, &format!("{meaning}{told}"))
}

fn main_cf(plan: &Plan) -> String {
    let mut out = String::new();
    for (name, list) in lists(plan) {
        if list.place != Place::Already {
            out.push_str(&setting(name, &list.entries));
        }
    }
    if let Some(milter) = plan.milter.as_ref().filter(|milter| !milter.already) {
        out.push_str(&setting("smtpd_milters", &milter.entries));
    }
    plan.intake.iter().for_each(|(name, entries)| out.push_str(&setting(name, entries)));
    if !plan.fail_open.is_empty() {
        out.push_str("# Mail flows when Mailward does not answer:\n");
    }
    plan.fail_open.iter().for_each(|(name, value)| out.push_str(&format!("{name} = {value}\n")));
    if out.is_empty() { "# Nothing: it is all there.\n".to_owned() } else { out }
}

fn setting(name: &str, entries: &[String]) -> String {
    format!("{name} =\n    {}\n", entries.join(",\n    "))
}

fn lists(plan: &Plan) -> impl Iterator<Item = (&'static str, &List)> {
    let end_of_data = plan.end_of_data.as_ref().map(|list| ("smtpd_end_of_data_restrictions", list));
    [("smtpd_recipient_restrictions", &plan.recipients)].into_iter().chain(end_of_data)
}

fn then(plan: &Plan) -> [String; 3] {
    let [check, restart] = take_ours(&plan.ours);
    [check, restart, "postfix check && postfix reload".to_owned()]
}

/// Why each line is as it is.
fn explanations(plan: &Plan) -> Vec<String> {
    let mut all: Vec<String> =
        lists(plan).map(|(name, list)| format!("{name}: {}", why(name, list.place))).collect();
    all.push(about_milter(plan).to_owned());
    if plan.has_others {
        all.push(
            "You ask other policy services: ours has its own settings in braces (Postfix 3.0 and newer), and theirs \
             stay as they are. With them mail flows when Mailward does not answer."
                .to_owned(),
        );
    }
    all.push(
        "The folder's setgid bit gives the socket the group of smtpd; the socket's mode is 0660, so nobody else can \
         make Mailward believe things."
            .to_owned(),
    );
    all
}

fn why(name: &str, place: Place) -> &'static str {
    match place {
        Place::Already => "asks Mailward already; left as it is.",
        Place::New if name.contains("end_of_data") => {
            "was empty. Mailward learns the queue id there, by which a filter's verdict finds its client."
        }
        Place::New => "was empty. Mailward is asked last, about mail for your own domains only.",
        Place::BehindGuard => {
            "Mailward is asked directly behind the refusal of strangers' domains, before any slower test; what you \
             had keeps its order around it."
        }
        Place::BehindOwnClients => {
            "Mailward is asked behind your own clients; smtpd_relay_restrictions has refused strangers' domains by \
             then."
        }
        Place::First => {
            "Mailward is asked first, so that it sees every message with its queue id; what you had follows."
        }
    }
}

fn about_milter(plan: &Plan) -> &'static str {
    match &plan.milter {
        None => {
            "The milter is off, so Mailward sees no headers and no content, and no recipients that Postfix refuses. \
             With milter.unix set, run this again."
        }
        Some(milter) if milter.already => "smtpd_milters shows messages to Mailward already; left as it is.",
        Some(_) => {
            "Ask both: the policy server refuses a blocked client before Postfix does anything for it; the milter sees \
             headers, content and the recipients that Postfix refuses. What both see is counted once. With the milter \
             smtpd_end_of_data_restrictions need not ask. Mailward itself tells Postfix which macros it wants, so no \
             milter_…_macros is needed. The braces are Mailward's own settings (Postfix 3.0 and newer); with them mail \
             flows when it does not answer."
        }
    }
}
