//! `mailward learn`.
use crate::cli::{Done, client::Client};
#[derive(clap::Args)]
pub(crate) struct LearnArgs {
    files: Vec<std::path::PathBuf>,
}
pub(crate) fn main(_client: &Client, _args: &LearnArgs) -> Done {
    Ok(std::process::ExitCode::SUCCESS)
}
