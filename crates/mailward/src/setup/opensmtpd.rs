//! OpenSMTPD asks through a filter of ours, which asks by the policy protocol.

use std::path::{Path, PathBuf};

use clap::Args;

use super::ours;
use super::place::{Place, take_ours};
use super::sheet::{Part, Sheet};
use crate::config::Config;

/// Where packages install the program.
const INSTALLED: &str = "/usr/bin/mailward";

/// How `setup opensmtpd` prints.
#[derive(Args)]
pub(crate) struct OpensmtpdArgs {
    /// The group that filters run as; _smtpd on OpenBSD.
    #[arg(long, value_name = "GROUP", default_value = "opensmtpd")]
    group: String,
    /// As JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// Works out what to paste.
pub(super) fn sheet(args: &OpensmtpdArgs, file: &Path, config: Option<&Config>) -> Sheet {
    let place = Place::policy(config);
    let mut parts = Vec::new();
    let folder = place.commands(&args.group);
    if !folder.is_empty() {
        parts.push(Part::commands("commands", "As root, the folder of the socket:", &folder));
    }
    let title = format!("Into {}; join it with sections that are there:", file.display());
    parts.push(Part::text("mailward_toml", title, ours::toml("policy", &place, config)));
    parts.push(Part::text("smtpd_conf", "Into /etc/smtpd.conf, before the first listen:", filter(&place)));
    let title = "At the end of each `listen on` line that takes mail from strangers (port 25), not of submission; \
                 beside a filter that is there, in a chain with ours first:";
    parts.push(Part::text("listen", title, "filter \"mailward\"\n"));
    let [check, restart] = take_ours(file);
    let then = [check, restart, "smtpd -n && systemctl restart opensmtpd".to_owned()];
    parts.push(Part::commands("then", "Then, in this order:", &then));
    Sheet { server: "OpenSMTPD", parts, notes: notes(&place) }
}

fn filter(place: &Place) -> String {
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from(INSTALLED));
    let server = match place {
        Place::Unix(path) => format!("--socket {}", path.display()),
        Place::Tcp(addr) => format!("--policy {addr}"),
    };
    format!("filter \"mailward\" proc-exec \"{} filter-opensmtpd {server}\"\n", program.display())
}

fn notes(place: &Place) -> Vec<String> {
    [
        "smtpd starts the filter, and ends itself if a filter ends: so ours stays whatever happens. When the daemon \
         does not answer within two seconds, or is not there, mail flows; the filter finds it again by itself.",
        "smtpd shows the client our reply as it stands, and logs it with its link: whoever reads the log can lift the \
         block.",
        "Postmaster, abuse and the contact stay open for Mailward; smtpd must take mail for them, too.",
        "Recipients that smtpd itself refuses are not told to Mailward: the policy protocol can not say them.",
        "Content can not be seen this way: give verdicts to `mailward observe` by smtpd's message number, eight \
         hexadecimal digits in its log (msgid=) and in its Received field.",
    ]
    .into_iter()
    .map(str::to_owned)
    .chain([place.note()])
    .collect()
}
