//! What an installation beside Postfix needs, worked out from Postfix's settings and ours.

use std::path::{Path, PathBuf};

use super::intake::{self, intake};
use super::milter::{Milter, as_postfix_names, is_inside, milter};
use super::ours;
use super::own::{Own, own};
use super::postconf::Postconf;
use super::restrictions::{List, Question, asks_others, at_end_of_data, at_recipients};
use crate::config::Config;

/// The socket's place inside Postfix's queue directory, which is the chroot of Debian's
/// smtpd. A smtpd without chroot finds it there, too: that directory is where it works.
const SOCKET: &str = "mailward/policy";

/// With these mail flows when Mailward does not answer. Postfix's own default would defer
/// everything (SMTPD_POLICY_README).
const FAIL_OPEN: [(&str, &str); 5] = [
    ("default_action", "DUNNO"),
    ("timeout", "5s"),
    ("try_limit", "2"),
    ("retry_delay", "1s"),
    ("request_limit", "0"),
];

/// What begins the name of such a setting where it holds for all policy services.
const FOR_ALL: &str = "smtpd_policy_service_";

/// Everything that is to be pasted, and why.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// Our configuration.
    pub(super) ours: PathBuf,
    /// Postfix's.
    pub(super) main_cf: PathBuf,
    /// The socket, seen from outside the chroot.
    pub(super) socket: PathBuf,
    /// The group that smtpd runs as.
    pub(super) group: String,
    /// `smtpd_recipient_restrictions`.
    pub(super) recipients: List,
    /// `smtpd_end_of_data_restrictions`; the milter makes it needless.
    pub(super) end_of_data: Option<List>,
    /// `smtpd_milters`.
    pub(super) milter: Option<Milter>,
    /// Mail to Mailward itself.
    pub(super) intake: intake::Lines,
    /// Settings for all policy services, by their whole names.
    pub(super) fail_open: Vec<(String, &'static str)>,
    /// The question has such settings of its own, because there are other services.
    pub(super) has_others: bool,
    /// Our names and networks.
    pub(super) own: Own,
    /// Lines of section `[portal]` without which nothing is refused.
    pub(super) portal: Vec<String>,
    /// What a person should know or look at.
    pub(super) notes: Vec<String>,
}

impl Plan {
    /// Works out the plan; `config` is our configuration, if there is a good one.
    pub(super) fn new(postfix: &Postconf, ours: &Path, config: Option<&Config>) -> Plan {
        let queue = PathBuf::from(postfix.value("queue_directory").unwrap_or_default());
        let (socket, service) = socket(&queue, config);
        let plain = format!("check_policy_service {service}");
        let plain = Question { entry: &plain, service: &service };
        let has_others = asks_others(postfix, &plain);
        let entry = if has_others { with_own_settings(&service) } else { plain.entry.to_owned() };
        let question = Question { entry: &entry, service: &service };
        let own = own(postfix);
        let milter = milter(postfix, &queue, config);
        let (intake, about_intake) = intake(postfix, &queue, config);
        let mut notes = notes(postfix, &own);
        notes.extend(about_intake);
        Plan {
            ours: ours.to_owned(),
            main_cf: PathBuf::from(postfix.value("config_directory").unwrap_or_default()).join("main.cf"),
            socket,
            group: postfix.value("mail_owner").unwrap_or_default(),
            recipients: at_recipients(postfix, &question),
            end_of_data: milter.is_none().then(|| at_end_of_data(postfix, &question)),
            milter,
            intake,
            fail_open: if has_others { Vec::new() } else { fail_open(postfix) },
            has_others,
            portal: portal(postfix, config),
            notes,
            own,
        }
    }
}

/// The socket as we name it, and as Postfix does: what is configured, if smtpd reaches it.
fn socket(queue: &Path, config: Option<&Config>) -> (PathBuf, String) {
    let configured = config.and_then(|c| c.listeners().policy_unix).filter(|path| is_inside(path, queue));
    let socket = configured.unwrap_or_else(|| queue.join(SOCKET));
    let service = as_postfix_names(&socket, queue);
    (socket, service)
}

fn with_own_settings(service: &str) -> String {
    let settings: String = FAIL_OPEN.iter().map(|(name, value)| format!(", {name}={value}")).collect();
    format!("check_policy_service {{ {service}{settings} }}")
}

/// The settings that are not so already.
fn fail_open(postfix: &Postconf) -> Vec<(String, &'static str)> {
    let settings = FAIL_OPEN.iter().map(|(name, value)| (format!("{FOR_ALL}{name}"), *value));
    settings.filter(|(name, value)| !postfix.is(name, value)).collect()
}

/// What is missing for refusals, with names of this site as a proposal.
fn portal(postfix: &Postconf, config: Option<&Config>) -> Vec<String> {
    let domain = postfix.value("mydomain").filter(|domain| domain.parse::<model::Domain>().is_ok());
    ours::portal(domain.as_deref(), config)
}

fn notes(postfix: &Postconf, own: &Own) -> Vec<String> {
    let mut notes = Vec::new();
    for (setting, entry) in &own.unread {
        notes.push(format!(
            "{setting} has {entry:?}, which is not read here: add what it holds to own.{} by hand.",
            if setting.contains("networks") || setting.contains("interfaces") { "networks" } else { "names" }
        ));
    }
    if !own.relayed.is_empty() {
        notes.push(format!(
            "own.names has domains that you only relay ({}): take one out if its own servers bring you mail and \
             greet with that bare name.",
            own.relayed.join(", ")
        ));
    }
    let found = REMARKS.iter().filter(|(name, value, _)| match *value {
        "" => postfix.written(name).is_some_and(|written| !written.is_empty()),
        value => postfix.is(name, value),
    });
    notes.extend(found.map(|(_, _, remark)| (*remark).to_owned()));
    notes.push(
        "A service in master.cf with its own -o smtpd_recipient_restrictions=… does not ask Mailward: right for \
         submission, wrong for port 25."
            .to_owned(),
    );
    notes
}

/// Settings of Postfix that change what Mailward sees: name, value (empty: any), what to say.
const REMARKS: [(&str, &str, &str); 4] = [
    (
        "smtpd_peername_lookup",
        "no",
        "smtpd_peername_lookup = no hides all reverse DNS names: every client looks as if it had none, and one \
         message judged spam blocks it. Set it to yes.",
    ),
    (
        "soft_bounce",
        "yes",
        "soft_bounce = yes makes every refusal temporary: senders learn of a block after days only.",
    ),
    (
        "content_filter",
        "",
        "content_filter gives a message a second queue id. Verdicts for `mailward observe` need the first one, under \
         which the outside smtpd took it.",
    ),
    (
        "smtpd_proxy_filter",
        "",
        "With smtpd_proxy_filter the outside smtpd has no queue id: verdicts for `mailward observe` will not find \
         their client.",
    ),
];
