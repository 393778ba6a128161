//! `mailward setup`: prints what to paste into a mail server's configuration, and into
//! ours. It reads; it never changes a file.

mod copies;
mod exim;
mod intake;
mod lists;
mod milter;
mod opensmtpd;
mod ours;
mod own;
mod place;
mod plan;
mod postconf;
mod print;
mod restrictions;
mod sendmail;
mod sheet;
#[cfg(test)]
mod tests;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Args, Subcommand};

use crate::cli::{Done, Failed};
use crate::config::Config;
use plan::Plan;
use postconf::Postconf;
use sheet::Sheet;

/// The mail servers that Mailward can be set up beside.
#[derive(Subcommand)]
pub(crate) enum SetupCommand {
    /// For Postfix: main.cf, the socket's folder, and our own names and networks.
    Postfix(PostfixArgs),
    /// For Exim: three pieces of ACL, which ask the policy server.
    Exim(exim::EximArgs),
    /// For Sendmail: the line of sendmail.mc that shows messages to the milter.
    Sendmail(sendmail::SendmailArgs),
    /// For OpenSMTPD: the filter, which asks the policy server.
    Opensmtpd(opensmtpd::OpensmtpdArgs),
    /// For mail servers and filters that ask our lists by DNS, at this site and at others.
    Lists(lists::ListsArgs),
    /// For name servers that keep copies of our lists, and resolvers with the response policy.
    Copies(copies::CopiesArgs),
}

/// Where Postfix's settings come from, and how the plan is printed.
#[derive(Args)]
pub(crate) struct PostfixArgs {
    /// Read this output of `postconf -n` instead of asking Postfix; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    postconf: Option<PathBuf>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// What `postconf -n` leaves out when it is a default, though we need it.
const DEFAULTS: [&str; 4] = ["myhostname", "mydomain", "mynetworks", "queue_directory"];

/// Prints what to paste, for the configuration file `ours` if it is there.
pub(crate) fn main(ours: &Path, what: &SetupCommand) -> Done {
    // Without a file, or with a broken one, the plan is for a first installation.
    let config = Config::load(ours).ok();
    let (sheet, json) = sheet_of(ours, what, config.as_ref())?;
    if json {
        crate::say!("{}", sheet.json());
    } else {
        crate::say_raw!("{}", sheet.text());
    }
    Ok(ExitCode::SUCCESS)
}

/// The sheet, and whether it is wanted as JSON.
fn sheet_of(ours: &Path, what: &SetupCommand, config: Option<&Config>) -> Result<(Sheet, bool), Failed> {
    Ok(match what {
        SetupCommand::Postfix(args) => (postfix(ours, args, config)?, args.json),
        SetupCommand::Exim(args) => (exim::sheet(args, ours, config), args.json),
        SetupCommand::Sendmail(args) => (sendmail::sheet(args, ours, config), args.json),
        SetupCommand::Opensmtpd(args) => (opensmtpd::sheet(args, ours, config), args.json),
        SetupCommand::Lists(args) => (lists::sheet(ours, config), args.json),
        SetupCommand::Copies(args) => (copies::sheet(ours, config), args.json),
    })
}

fn postfix(ours: &Path, args: &PostfixArgs, config: Option<&Config>) -> Result<Sheet, Failed> {
    let postfix = Postconf::parse(&settings(args.postconf.as_deref())?);
    if postfix.is_empty() {
        return Err(Failed::Usage("expected lines `name = value` of postconf -n, but got none".to_owned()));
    }
    Ok(print::sheet(&Plan::new(&postfix, ours, config)))
}

/// The settings of Postfix as text: from a file, from standard input, or from Postfix.
fn settings(from: Option<&Path>) -> Result<String, Failed> {
    match from {
        None => Ok(ask(&DEFAULTS)? + &ask(&["-n"])?),
        Some(path) if path.as_os_str() == "-" => {
            let mut text = Vec::new();
            std::io::stdin().read_to_end(&mut text).map_err(|e| format!("standard input: {e}"))?;
            Ok(String::from_utf8_lossy(&text).into_owned())
        }
        Some(path) => match std::fs::read(path) {
            Ok(text) => Ok(String::from_utf8_lossy(&text).into_owned()),
            Err(error) => Err(Failed::Usage(format!("{}: {error}", path.display()))),
        },
    }
}

/// What postconf says; later lines of the joined output win, as in main.cf.
fn ask(arguments: &[&str]) -> Result<String, String> {
    let way_out = "name its output with --postconf FILE";
    let output = Command::new("postconf").args(arguments).output();
    let output = output.map_err(|e| format!("postconf can not be run ({e}); {way_out}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let why = String::from_utf8_lossy(&output.stderr);
    Err(format!("postconf failed ({}); {way_out}", why.trim().lines().last().unwrap_or("no reason given")))
}
