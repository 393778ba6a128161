//! The command line: answers, then says what to do next.

mod block;
pub(crate) mod client;
mod doctor;
mod export;
mod feeds;
mod intake;
mod ledger;
mod log_line;
mod operate;
pub(crate) mod serve;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{self, Config};
use crate::{demo, filter_opensmtpd, learn, replay, setup};
use client::Client;

/// Where the configuration lies on an installed machine.
const CONFIG: &str = "/etc/mailward/mailward.toml";

/// Watches SMTP clients, blocks abusing servers in proportion, and tells them why.
#[derive(Parser)]
#[command(version, propagate_version = true)]
pub(crate) struct Cli {
    /// The configuration [default: $MAILWARD_CONFIG or /etc/mailward/mailward.toml; `replay`
    /// takes the shipped rules without it].
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the daemon (also without a command).
    Serve(serve::ServeArgs),
    /// Run everything on loopback with a recorded stream, to look around.
    Demo(demo::DemoArgs),
    /// Enforce from now on; shows first what the learnt days would have refused.
    Enforce(operate::EnforceArgs),
    /// Credit good mail from old Postfix logs, or go back to learning without files.
    Learn(learn::LearnArgs),
    /// Feed a content filter's verdicts to the daemon: JSON Lines, from a file or standard input.
    Observe(operate::ObserveArgs),
    /// Report a message to the daemon, as a junk button or a Sieve script does: reads it from
    /// standard input.
    Report(intake::ReportArgs),
    /// Take mail for Mailward from a mail server that speaks no LMTP: reads it from standard input.
    Intake(intake::IntakeArgs),
    Replay(replay::ReplayArgs),
    /// Say what is known of a key.
    Check(operate::CheckArgs),
    /// Say why a key is blocked, with every number.
    Explain(operate::ExplainArgs),
    /// Block a key by hand.
    Block(block::BlockArgs),
    /// Networks with many blocked servers, and the tables of networks.
    #[command(subcommand)]
    Networks(block::NetworksCommand),
    /// End a block early.
    Unblock(operate::UnblockArgs),
    /// Show or change the protected list.
    #[command(subcommand)]
    Protect(operate::ProtectCommand),
    /// List blocks in force.
    List(operate::ListArgs),
    /// Show one case.
    Show(operate::ShowArgs),
    /// Lift every automatic block of the last hour.
    Panic(operate::PanicArgs),
    /// Take addresses or domains from files of lists, as a list of your own or of others.
    Import(feeds::ImportArgs),
    /// Show bulk lists, or remove one.
    Feeds(feeds::FeedsArgs),
    /// Export what is listed, for other programs.
    Export(export::ExportArgs),
    /// Check or print the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Verify, dump, back up or restore the ledger.
    #[command(subcommand)]
    Ledger(ledger::LedgerCommand),
    /// Print what to paste into a mail server's configuration.
    #[command(subcommand)]
    Setup(setup::SetupCommand),
    /// Run as OpenSMTPD's filter, which smtpd starts (proc-exec).
    FilterOpensmtpd(filter_opensmtpd::FilterArgs),
    /// Look for what is wrong or missing.
    Doctor(doctor::DoctorArgs),
    /// Move a test clock on (only where the daemon runs with --test-clock).
    #[command(hide = true)]
    Clock(operate::ClockArgs),
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Read the file and report every mistake.
    Check,
    /// Print every setting with its value and where it comes from.
    Show {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print a commented file with every setting.
    Sample,
}

/// How a command ended that did not do what it was asked.
pub(crate) enum Failed {
    /// Exit 1: it failed.
    Here(String),
    /// Exit 2: usage or configuration.
    Usage(String),
}

impl From<String> for Failed {
    fn from(text: String) -> Failed {
        Failed::Here(text)
    }
}

/// What a command returns.
pub(crate) type Done = Result<ExitCode, Failed>;

/// Runs the program.
pub(crate) fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(code) => code,
        Err(Failed::Here(text)) => fail(&text, 1),
        Err(Failed::Usage(text)) => fail(&text, 2),
    }
}

fn fail(text: &str, code: u8) -> ExitCode {
    eprintln!("{text}");
    ExitCode::from(code)
}

fn run(cli: &Cli) -> Done {
    let from_env = || std::env::var_os("MAILWARD_CONFIG").map(PathBuf::from);
    let config = &cli.config.clone().or_else(from_env).unwrap_or_else(|| CONFIG.into());
    let client = || load(config).map(|config| Client::new(&config.listeners().control));
    let plain = Command::Serve(serve::ServeArgs::default());
    match cli.command.as_ref().unwrap_or(&plain) {
        Command::Serve(args) => serve::main(load(config)?, args),
        Command::Demo(args) => demo::main(args),
        Command::Replay(args) => replay::main(args, cli.config.as_deref()),
        Command::Enforce(args) => operate::enforce(&client()?, args),
        Command::Learn(args) => learn::main(&client()?, args),
        Command::Report(args) => intake::report(&client()?, args),
        Command::Intake(args) => intake::intake(&client()?, args),
        Command::Observe(args) => operate::observe(&client()?, args),
        Command::Check(args) => operate::check(&client()?, args),
        Command::Explain(args) => operate::explain(&client()?, args),
        Command::Networks(what) => block::networks(config, &client, what),
        Command::Block(args) => block::block(&client()?, args),
        Command::Unblock(args) => operate::unblock(&client()?, args),
        Command::Protect(what) => operate::protect(&client()?, what),
        Command::List(args) => operate::list(&client()?, args),
        Command::Show(args) => operate::show(&client()?, args),
        Command::Panic(args) => operate::panic(&client()?, args),
        Command::Import(args) => feeds::import(&load(config)?, args),
        Command::Feeds(args) => feeds::feeds(&client()?, args),
        Command::Export(args) => export::export(&client()?, args),
        Command::Clock(args) => operate::clock(&client()?, args),
        Command::Config(what) => config_command(config, what),
        Command::Ledger(what) => ledger::main(&load(config)?, what),
        Command::Setup(what) => setup::main(config, what),
        Command::FilterOpensmtpd(args) => filter_opensmtpd::main(config, args),
        Command::Doctor(args) => doctor::main(config, args),
    }
}

/// Writes to standard output; ends the program quietly when nobody reads any more.
pub(crate) fn print(text: &str) {
    use std::io::Write;
    if std::io::stdout().lock().write_all(text.as_bytes()).is_err() {
        std::process::exit(0);
    }
}

/// Reads the configuration; a mistake in it is exit 2.
pub(crate) fn load(path: &Path) -> Result<Config, Failed> {
    Config::load(path).map_err(|e| Failed::Usage(e.to_string()))
}

fn config_command(path: &Path, what: &ConfigCommand) -> Done {
    match what {
        ConfigCommand::Sample => crate::say_raw!("{}", config::sample()),
        ConfigCommand::Show { json: true } => crate::say!("{}", load(path)?.show_json()),
        ConfigCommand::Show { json: false } => crate::say_raw!("{}", load(path)?.show()),
        ConfigCommand::Check => {
            let missing = load(path)?.missing_for_refusals();
            crate::say!("{}: no mistakes.", path.display());
            for line in missing {
                crate::say!("No refusal leaves this site until the file has: {line}");
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
