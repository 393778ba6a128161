//! The program: the only place where all crates meet.

mod config;
mod replay;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Watches SMTP clients, blocks abusing servers in proportion, and tells them why.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Replay(replay::ReplayArgs),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.command {
        Command::Replay(args) => replay::main(args),
    };
    done.unwrap_or_else(|message| {
        eprintln!("{message}");
        ExitCode::from(1)
    })
}
