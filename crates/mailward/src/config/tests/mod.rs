//! Tests of the whole way from a text to what the program is told.

mod examples;
mod mistakes;
mod printed;
mod told;

use std::path::Path;

use super::source::Source;
use super::{Config, ConfigErrors};

/// Reads `text` as `t.toml`; the lists of traps are made up.
fn read(text: &str) -> Result<Config, ConfigErrors> {
    Config::from_source(Source { name: "t.toml", text }, &made_up)
}

fn made_up(path: &Path) -> Result<String, String> {
    match path.to_str() {
        Some("/traps/good") => Ok("# traps\n\n One@example.org \ntwo@example.org\n".into()),
        Some("/etc/mailward/shared.nets") => Ok("192.0.2.0/24\n".into()),
        Some("/nets/good") => Ok("198.51.100.0/24 # out\n192.0.2.0/25\n192.0.2.0/24\n".into()),
        Some("/nets/bad") => Ok("192.0.2.0/24\nmail.example.org\n".into()),
        Some("/traps/bad") => Ok("one@example.org\nno address\n<two@example.org>\n".into()),
        _ => Err("No such file".into()),
    }
}
