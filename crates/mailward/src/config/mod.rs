//! The configuration: one TOML file, one table of settings.
//!
//! [`rows::ROWS`] is the table; reading, checking, `config sample`, `config show` and the
//! manual are made from it. A file is refused as a whole, with all its mistakes: an unknown
//! key, a value of another form, settings that contradict each other. Nothing here opens a
//! socket; besides the file itself only lists of traps are read.

#![cfg_attr(not(test), expect(dead_code, reason = "until every command is there"))]

mod check;
mod error;
mod forms;
mod nearest;
mod net;
mod outward;
mod print;
mod read;
mod rows;
mod settings;
mod source;
#[cfg(test)]
mod tests;
mod traps;
mod units;
mod url;
mod words;

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use model::{Node, Secs};

pub(crate) use error::{ConfigError, ConfigErrors};
pub(crate) use words::Level;

use forms::Written;
use settings::Settings;
use source::Source;
use traps::{Open, Traps};

/// A configuration that was read whole and found good.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// The file as it was named.
    file: String,
    settings: Settings,
    /// Lines of the settings that stand in the file.
    lines: BTreeMap<&'static str, usize>,
    traps: Traps,
}

/// Where the daemon listens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Listeners {
    /// The policy protocol over TCP.
    pub(crate) policy_tcp: Option<SocketAddr>,
    /// The policy protocol over a unix socket.
    pub(crate) policy_unix: Option<PathBuf>,
    /// Whether what the TCP listener hears counts.
    pub(crate) trust_local: bool,
    /// Threads that answer policy requests; `None` is one per core.
    pub(crate) threads: Option<usize>,
    /// The portal.
    pub(crate) portal: Option<SocketAddr>,
    /// The operator's API.
    pub(crate) control: PathBuf,
}

/// How the journal rotates.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct JournalLimits {
    /// Bytes of one segment.
    pub(crate) segment_bytes: u64,
    /// Bytes of all segments together.
    pub(crate) total_bytes: u64,
    /// How long a segment is kept.
    pub(crate) age: Secs,
}

impl Config {
    /// Reads a file and the lists of traps that it names.
    ///
    /// # Errors
    ///
    /// All mistakes of the files, by file and line.
    pub(crate) fn load(path: &Path) -> Result<Config, ConfigErrors> {
        let name = path.display().to_string();
        match open(path) {
            Ok(text) => Config::from_str(&name, &text),
            Err(why) => Err(ConfigErrors::one(ConfigError::Unreadable { file: name, why })),
        }
    }

    /// Reads `text`, which errors call `name`, and the lists of traps that it names.
    ///
    /// # Errors
    ///
    /// All mistakes of the text and the lists, by file and line.
    pub(crate) fn from_str(name: &str, text: &str) -> Result<Config, ConfigErrors> {
        Config::from_source(Source { name, text }, &open)
    }

    fn from_source(source: Source<'_>, open: Open<'_>) -> Result<Config, ConfigErrors> {
        let reading = read::read(source);
        let (settings, lines, mut errors) = (reading.settings, reading.lines, reading.errors);
        // A bad value left its default, and a default contradicts nobody by itself.
        errors.extend(check::check(&settings, &lines, source.name));
        let (traps, bad_traps) = traps::collect(&settings, &lines, source.name, open);
        errors.extend(bad_traps);
        ConfigErrors::none(errors)?;
        Ok(Config { file: source.name.to_owned(), settings, lines, traps })
    }

    /// Where ledger, journal and keys are kept.
    pub(crate) fn data_dir(&self) -> &Path {
        &self.settings.data_dir
    }

    /// This host's number.
    pub(crate) fn node(&self) -> Node {
        Node(u16::try_from(self.settings.node.0).unwrap_or(u16::MAX))
    }

    /// Whether documentation prefixes may be blocked; then every listener is on loopback.
    pub(crate) fn allows_documentation(&self) -> bool {
        self.settings.allow_documentation_prefixes
    }

    /// Where the daemon listens.
    pub(crate) fn listeners(&self) -> Listeners {
        let (policy, threads) = (&self.settings.policy, self.settings.policy.threads.0);
        Listeners {
            policy_tcp: policy.tcp.0,
            policy_unix: policy.unix.clone(),
            trust_local: policy.trust_local,
            threads: usize::try_from(threads).ok().filter(|n| *n > 0),
            portal: self.settings.portal.listen.0,
            control: self.settings.control(),
        }
    }

    /// How the journal rotates.
    pub(crate) fn journal(&self) -> JournalLimits {
        let journal = &self.settings.journal;
        JournalLimits {
            segment_bytes: journal.segment_size.0,
            total_bytes: journal.total.0,
            age: journal.age,
        }
    }

    /// The least important log line that is written.
    pub(crate) fn log_level(&self) -> Level {
        self.settings.level
    }
}

/// Reads a text file; the error is what the system says.
fn open(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| error.to_string())
}

/// The commented sample: a TOML text that says nothing but the defaults.
pub(crate) fn sample() -> String {
    print::sample()
}

/// The manual's section on the configuration, in Markdown, with headings of the third level.
pub(crate) fn markdown() -> String {
    print::markdown()
}

/// Reads a duration as the configuration has it, for options of commands: `90 s`, `2 h`.
///
/// # Errors
///
/// What was expected and what was probably meant, as one text.
pub(crate) fn span(text: &str) -> Result<Secs, String> {
    Secs::parse(text).map_err(|fault| {
        let meant = fault.meant.map(|meant| format!("; did you mean {meant:?}?")).unwrap_or_default();
        let got = source::printable(text);
        format!("expected {}, but got {got:?}{meant}", <Secs as Written>::expected())
    })
}
