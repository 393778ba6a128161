//! `mailward demo`.
use crate::cli::Done;
#[derive(clap::Args)]
pub(crate) struct DemoArgs {}
pub(crate) fn main(_a: &DemoArgs) -> Done {
    Ok(std::process::ExitCode::SUCCESS)
}
