//! `mailward setup`.
use crate::cli::Done;
#[derive(clap::Subcommand)]
pub(crate) enum SetupCommand {
    /// Postfix
    Postfix,
}
pub(crate) fn main(_c: &std::path::Path, _w: &SetupCommand) -> Done {
    Ok(std::process::ExitCode::SUCCESS)
}
