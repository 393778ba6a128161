//! `mailward report` and `mailward intake`: mail for Mailward through a pipe.

use std::io::Read;
use std::process::ExitCode;

use clap::Args;

use super::client::{Client, query};
use super::{Done, Failed};

/// The largest message that is read: what the daemon takes.
const MESSAGE_LEN_MAX: u64 = 25 << 20;

/// Reports the message on standard input.
#[derive(Args)]
pub(crate) struct ReportArgs {
    /// Who reports: the mailbox that the message was in.
    #[arg(long, value_name = "ADDRESS")]
    reporter: String,
    /// It is no junk after all.
    #[arg(long)]
    not_junk: bool,
    /// Print what became of it as JSON.
    #[arg(long)]
    json: bool,
}

/// Takes a mail with a report in it from standard input.
#[derive(Args)]
pub(crate) struct IntakeArgs {
    /// The envelope sender.
    #[arg(long, value_name = "ADDRESS", env = "SENDER")]
    sender: String,
    /// Print what became of it as JSON.
    #[arg(long)]
    json: bool,
}

/// Reports a message itself.
pub(crate) fn report(client: &Client, args: &ReportArgs) -> Done {
    let vote = if args.not_junk { "not-junk" } else { "junk" };
    let path = format!("/v1/report?reporter={}&vote={vote}", query(&args.reporter));
    send(client, &path, args.json)
}

/// Hands in a mail that holds a report.
pub(crate) fn intake(client: &Client, args: &IntakeArgs) -> Done {
    send(client, &format!("/v1/report?reporter={}", query(&args.sender)), args.json)
}

fn send(client: &Client, path: &str, as_json: bool) -> Done {
    let mut raw = Vec::new();
    let read = std::io::stdin().lock().take(MESSAGE_LEN_MAX + 1).read_to_end(&mut raw);
    read.map_err(|e| format!("standard input: {e}"))?;
    if raw.len() as u64 > MESSAGE_LEN_MAX {
        return Err(Failed::Here("expected a message of at most 25 MiB".to_owned()));
    }
    let taken = client.post(path, raw)?;
    if as_json {
        crate::say!("{taken}");
    } else if taken["counted"].as_u64().unwrap_or(0) > 0 {
        crate::say!("Thank you. The report is taken.");
    } else {
        crate::say!("Thank you. It names no message of this server; the operator will read it.");
    }
    Ok(ExitCode::SUCCESS)
}
