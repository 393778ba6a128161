//! Sendmail shows whole messages by the milter protocol.

use std::path::Path;

use clap::Args;

use super::milter::{COMMAND, CONNECT, end_of_message};
use super::ours;
use super::place::{Place, take_ours};
use super::sheet::{Part, Sheet};
use crate::config::Config;

/// How `setup sendmail` prints.
#[derive(Args)]
pub(crate) struct SendmailArgs {
    /// The group that Sendmail runs as.
    #[arg(long, value_name = "GROUP", default_value = "smmta")]
    group: String,
    /// As JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// Works out what to paste.
pub(super) fn sheet(args: &SendmailArgs, file: &Path, config: Option<&Config>) -> Sheet {
    let place = Place::milter(config);
    let mut parts = Vec::new();
    let folder = place.commands(&args.group);
    if !folder.is_empty() {
        parts.push(Part::commands("commands", "As root, the folder of the socket:", &folder));
    }
    let title = format!("Into {}; join it with sections that are there:", file.display());
    parts.push(Part::text("mailward_toml", title, ours::toml("milter", &place, config)));
    let (socket, times) = (socket(&place), times(config));
    let title = "Into /etc/mail/sendmail.mc, before the MAILER lines; the first filter is asked first:";
    let line = format!("INPUT_MAIL_FILTER(`mailward', `S={socket}, T={times}')dnl\n");
    parts.push(Part::text("sendmail_mc", title, line));
    let title = "Or, where sendmail.cf is kept by hand, into it; join the first line with one that is there:";
    let lines = format!("O InputMailFilters=mailward\nXmailward, S={socket}, T={times}\n");
    parts.push(Part::text("sendmail_cf", title, lines));
    let [check, restart] = take_ours(file);
    let then = [check, restart, "make -C /etc/mail && systemctl reload sendmail".to_owned()];
    parts.push(Part::commands("then", "Then, in this order:", &then));
    Sheet { server: "Sendmail", parts, notes: notes(&place) }
}

fn socket(place: &Place) -> String {
    match place {
        Place::Unix(path) => format!("local:{}", path.display()),
        Place::Tcp(addr) if addr.is_ipv6() => format!("inet6:{}@[{}]", addr.port(), addr.ip()),
        Place::Tcp(addr) => format!("inet:{}@{}", addr.port(), addr.ip()),
    }
}

fn times(config: Option<&Config>) -> String {
    let [connect, command, end] = [CONNECT, COMMAND, end_of_message(config)].map(|span| span.as_secs());
    format!("C:{connect}s;S:{command}s;R:{command}s;E:{end}s")
}

fn notes(place: &Place) -> Vec<String> {
    [
        "There is no F= on purpose: when Mailward does not answer, Sendmail goes on without it. F=R would refuse all \
         mail then, F=T defer it.",
        "Sendmail takes no socket below a folder that everybody, or a whole group, may write to.",
        "Mailward itself tells Sendmail (8.14 and newer) which macros it wants; no confMILTER_MACROS_… is needed.",
        "Sendmail shows the client our reply behind the recipient's address, each line as it stands. FEATURE(`delay_checks') is no matter: the milter is asked \
         at RCPT.",
        "Recipients that Sendmail itself refuses are shown to the milter, too; that is how dictionary attacks are \
         seen.",
        "Sessions of your own users on the same daemon are shown as well; logged-in ones are never refused.",
    ]
    .into_iter()
    .map(str::to_owned)
    .chain([place.note()])
    .collect()
}
