//! Where Postfix shows whole messages to us: `smtpd_milters`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::postconf::Postconf;
use super::restrictions::words;
use crate::config::Config;

/// The socket's place inside Postfix's queue directory, beside the policy server's.
const SOCKET: &str = "mailward/milter";

/// How long a mail server may wait for the connection: we are on the same machine.
pub(super) const CONNECT: Duration = Duration::from_secs(5);

/// How long it may wait for an answer to one command. We answer in milliseconds; while
/// judges work we give a sign every ten seconds.
pub(super) const COMMAND: Duration = Duration::from_secs(30);

/// How much longer than our own patience it should wait at the end of a message.
const MARGIN: Duration = Duration::from_secs(60);

/// How long it may wait at the end of a message.
pub(super) fn end_of_message(config: Option<&Config>) -> Duration {
    /// The default of `milter.patience`, for a first installation.
    const USUAL: Duration = Duration::from_secs(60);
    config.map_or(USUAL, |config| config.milter().patience) + MARGIN
}

/// What Postfix needs to show us messages.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Milter {
    /// The socket, seen from outside the chroot; none where it asks over TCP.
    pub(super) socket: Option<PathBuf>,
    /// `smtpd_milters`.
    pub(super) entries: Vec<String>,
    /// It stood there already.
    pub(super) already: bool,
}

/// Works it out; `None` where the milter is off.
pub(super) fn milter(postfix: &Postconf, queue: &Path, config: Option<&Config>) -> Option<Milter> {
    let (socket, service) = service(queue, config)?;
    let was = words(&postfix.value("smtpd_milters").unwrap_or_default());
    let already = was.iter().any(|entry| entry.contains(&service));
    let mut entries = was;
    if !already {
        // A field of an earlier filter must be there when we look.
        let last = config.is_some_and(|config| config.judges().header.is_some());
        let at = if last { entries.len() } else { 0 };
        entries.insert(at, entry(&service, config));
    }
    Some(Milter { socket, entries, already })
}

/// Settings of its own, so that other milters keep theirs (Postfix 3.0 and newer). With
/// these mail flows when Mailward does not answer.
fn entry(service: &str, config: Option<&Config>) -> String {
    let [connect, command, end] = [CONNECT, COMMAND, end_of_message(config)].map(|span| span.as_secs());
    format!(
        "{{ {service}, default_action=accept, protocol=6, connect_timeout={connect}s, command_timeout={command}s, \
         content_timeout={end}s }}"
    )
}

/// The socket as we name it, and as Postfix does.
fn service(queue: &Path, config: Option<&Config>) -> Option<(Option<PathBuf>, String)> {
    let milter = config.map(Config::milter);
    let unix = milter.as_ref().and_then(|milter| milter.unix.clone());
    let tcp = milter.as_ref().and_then(|milter| milter.tcp);
    let is_off = milter.is_some() && unix.is_none() && tcp.is_none();
    match (unix.filter(|path| is_inside(path, queue)), tcp) {
        _ if is_off => None,
        (None, Some(addr)) if milter.is_some_and(|milter| milter.trust_local) => {
            let host = if addr.is_ipv6() { format!("[{}]", addr.ip()) } else { addr.ip().to_string() };
            Some((None, format!("inet:{host}:{}", addr.port())))
        }
        (configured, _) => {
            let socket = configured.unwrap_or_else(|| queue.join(SOCKET));
            let service = as_postfix_names(&socket, queue);
            Some((Some(socket), service))
        }
    }
}

/// Whether smtpd in its chroot reaches a socket, which is not in the queue directory
/// itself: Postfix minds strangers' files there.
pub(super) fn is_inside(socket: &Path, queue: &Path) -> bool {
    socket.strip_prefix(queue).is_ok_and(|inside| inside.components().count() > 1)
}

/// A socket as Postfix names it: relative to its queue directory.
pub(super) fn as_postfix_names(socket: &Path, queue: &Path) -> String {
    format!("unix:{}", socket.strip_prefix(queue).unwrap_or(socket).display())
}
