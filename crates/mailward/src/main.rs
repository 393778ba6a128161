//! The program: the only place where all crates meet.

mod atlas;
mod cli;
mod config;
mod daemon;
mod demo;
mod export;
mod filter_opensmtpd;
mod hearing;
mod import;
mod learn;
mod observe;
mod replay;
mod setup;
#[cfg(test)]
mod testing;

/// Prints a line for the person or program that reads standard output; when nobody reads
/// any more (`mailward … | head`), the program ends quietly.
#[macro_export]
macro_rules! say {
    ($($arg:tt)*) => { $crate::cli::print(&format!("{}\n", format_args!($($arg)*))) };
}

/// The same without a line end.
#[macro_export]
macro_rules! say_raw {
    ($($arg:tt)*) => { $crate::cli::print(&format!($($arg)*)) };
}

fn main() -> std::process::ExitCode {
    cli::main()
}
