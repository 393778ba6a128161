//! Exim asks by the policy protocol, through `${readsocket}` in its ACLs.

use std::path::Path;

use clap::Args;

use super::ours;
use super::place::{Place, take_ours};
use super::sheet::{Part, Sheet};
use crate::config::Config;

/// How long Exim waits for us. We answer in milliseconds or not at all.
const PATIENCE: &str = "2s";

/// How `setup exim` prints.
#[derive(Args)]
pub(crate) struct EximArgs {
    /// The group that Exim runs as.
    #[arg(long, value_name = "GROUP", default_value = "Debian-exim")]
    group: String,
    /// As JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// Works out what to paste.
pub(super) fn sheet(args: &EximArgs, file: &Path, config: Option<&Config>) -> Sheet {
    let place = Place::policy(config);
    let mut parts = Vec::new();
    let folder = place.commands(&args.group);
    if !folder.is_empty() {
        parts.push(Part::commands("commands", "As root, the folder of the socket:", &folder));
    }
    let title = format!("Into {}; join it with sections that are there:", file.display());
    parts.push(Part::text("mailward_toml", title, ours::toml("policy", &place, config)));
    let title = "At the start of the ACL of acl_smtp_mail (Debian: acl_check_mail, before its accept):";
    parts.push(Part::text("acl_mail", title, MAIL));
    let title = "Into the ACL of acl_smtp_rcpt, behind the refusal of relaying and of unknown recipients, before \
                 dnslists and other slow tests (Debian: CHECK_RCPT_LOCAL_ACL_FILE names a file):";
    parts.push(Part::text("acl_rcpt", title, rcpt(&place)));
    let title = "Into the ACL of acl_smtp_data, first (Debian: CHECK_DATA_LOCAL_ACL_FILE names a file):";
    parts.push(Part::text("acl_data", title, data(&place)));
    let [check, restart] = take_ours(file);
    let then = [check, restart, "exim4 -bV && systemctl reload exim4".to_owned()];
    parts.push(Part::commands("then", "Then, in this order:", &then));
    Sheet { server: "Exim", parts, notes: notes(&place) }
}

/// What all questions about one message have in common, and no other message has.
const MAIL: &str = "  # Mailward: one mark for all recipients of a message.
  warn
    set acl_m_mailward_id = $pid.$tod_epoch_l
";

/// The question about one recipient, and what becomes of the answer. An answer that is no
/// refusal, or none at all, lets mail flow.
fn rcpt(place: &Place) -> String {
    let name = "${if def:sender_host_name{$sender_host_name}{${if eq{$host_lookup_failed}{1}{unknown}}}}";
    let login = "${if def:sender_host_authenticated{${if def:authenticated_id{$authenticated_id}{yes}}}}";
    let ask = ask(
        place,
        &[
            ("protocol_state", "RCPT"),
            ("client_address", "$sender_host_address"),
            ("client_port", "$sender_host_port"),
            ("client_name", name),
            ("reverse_client_name", name),
            ("helo_name", "$sender_helo_name"),
            ("sender", "$sender_address"),
            ("recipient", "$local_part@$domain"),
            ("instance", "$acl_m_mailward_id"),
            ("sasl_username", login),
        ],
        "action=DUNNO",
    );
    format!(
        "  # Mailward: refuses blocked clients; without an answer in {PATIENCE} mail flows.
  warn
    set acl_m_mailward = {ask}
  deny
    condition = ${{if match{{$acl_m_mailward}}{{\\N^action=5\\d\\d \\N}}}}
    message = ${{sg{{$acl_m_mailward}}{{\\N^action=|\\s+$\\N}}{{}}}}
    log_message = Mailward: $sender_host_address is blocked
  defer
    condition = ${{if match{{$acl_m_mailward}}{{\\N^action=4\\d\\d \\N}}}}
    message = ${{sg{{$acl_m_mailward}}{{\\N^action=|\\s+$\\N}}{{}}}}
    log_message = Mailward: $sender_host_address shall come again
  # Hosts that do not ask as above can ask Mailward's lists by DNS: mailward setup lists
"
    )
}

/// Tells the queue id, by which a filter's verdict finds its client. The answer does not
/// matter.
fn data(place: &Place) -> String {
    let tell = ask(
        place,
        &[
            ("protocol_state", "END-OF-MESSAGE"),
            ("client_address", "$sender_host_address"),
            ("client_port", "$sender_host_port"),
            ("sender", "$sender_address"),
            ("queue_id", "$message_exim_id"),
            ("recipient_count", "$recipients_count"),
            ("size", "$message_size"),
            ("instance", "$acl_m_mailward_id"),
        ],
        "",
    );
    format!("  # Mailward: learns the queue id of what was taken.\n  warn\n    set acl_m_mailward = {tell}\n")
}

/// One `${readsocket}`, which never fails: its last argument stands in for an answer. The
/// line ends of the answer become blanks.
fn ask(place: &Place, attributes: &[(&str, &str)], otherwise: &str) -> String {
    let server = match place {
        Place::Unix(path) => path.display().to_string(),
        Place::Tcp(addr) => format!("inet:{addr}"),
    };
    let lines: String =
        attributes.iter().map(|(name, value)| format!("      {name}={value}\\n\\\n")).collect();
    format!(
        "${{readsocket{{{server}}}\\\n      {{request=smtpd_access_policy\\n\\\n{lines}      \\n}}\\\n      \
         {{{PATIENCE}}}{{ }}{{{otherwise}}}}}"
    )
}

fn notes(place: &Place) -> Vec<String> {
    [
        "Exim shows the client our reply as it stands, in lines of about 75 characters; the link stays whole. Its log \
         gets a line without the link, because who has the link can lift the block.",
        "Postmaster, abuse and the contact stay open: Mailward knows them, Exim need not.",
        "host_lookup should match everybody, as Debian has it (host_lookup = *): reverse names make the judgement \
         better. A name that does not lead back to its address counts as none.",
        "Without acl_smtp_mail in your configuration: acl_smtp_mail = acl_mailward_mail, and an ACL of that name with \
         the lines of acl_smtp_mail and accept.",
        "Each recipient is a question over a connection of its own. A block that begins in the midst of a message \
         can therefore refuse its later recipients; with Postfix it waits for the next message.",
        "Content can not be seen this way: give verdicts to `mailward observe` by Exim's message id.",
    ]
    .into_iter()
    .map(str::to_owned)
    .chain([place.note()])
    .collect()
}
