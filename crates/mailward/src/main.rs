//! The program: the only place where all crates meet.

mod cli;
mod config;
mod daemon;
mod demo;
mod learn;
mod observe;
mod replay;
mod setup;
#[cfg(test)]
mod testing;

fn main() -> std::process::ExitCode {
    cli::main()
}
