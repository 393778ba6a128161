//! What settings ask of each other, after each was found good by itself.

use std::collections::BTreeMap;
use std::path::Path;

use model::Secs;

use super::error::{ConfigError, Place};
use super::forms::{Shown, Value, Written, quoted};
use super::net::Listener;
use super::settings::Settings;
use super::source::printable;
use super::units::Bytes;

/// The shortest floor: a block shorter than a client's pause between two attempts is none.
const FLOOR_MIN: Secs = Secs::MINUTE;

/// The least size of a journal segment: it holds many of the largest frames.
const SEGMENT_SIZE_MIN: Bytes = Bytes(1 << 20);

/// The journal keeps at least so many segments: the one that is written, and the one before.
const SEGMENTS_MIN: u64 = 2;

/// The least age of the journal: a restart after a short outage must find its tail.
const JOURNAL_AGE_MIN: Secs = Secs::HOUR;

/// The longest path of a unix socket: the kernel takes 108 bytes with the closing zero.
const SOCKET_PATH_LEN_MAX: usize = 107;

/// One side of a contradiction: the setting, what it should have been, and a way out.
struct Side {
    name: &'static str,
    expected: String,
    got: Shown,
    meant: Option<String>,
}

impl Side {
    fn new(name: &'static str, value: &impl Value, expected: String) -> Side {
        Side { name, expected, got: value.shown(), meant: None }
    }
}

/// Finds what contradicts; of two settings the one is named that stands in the file.
pub(super) fn check(
    settings: &Settings,
    lines: &BTreeMap<&'static str, usize>,
    file: &str,
) -> Vec<ConfigError> {
    let mut found: Vec<Vec<Side>> = Vec::new();
    found.extend(sentence(settings));
    found.extend(greylist(settings));
    found.extend(documentation(settings));
    found.extend(journal(settings));
    found.extend(same_listener(settings));
    found.extend(sockets(settings));
    found.extend(name_servers(settings));
    found.into_iter().filter_map(|sides| error(sides, lines, file)).collect()
}

fn error(sides: Vec<Side>, lines: &BTreeMap<&'static str, usize>, file: &str) -> Option<ConfigError> {
    let by_line = |side: &Side| lines.get(side.name).copied().unwrap_or(0);
    let side = sides.into_iter().max_by_key(by_line)?;
    Some(ConfigError::Setting {
        at: Place { file: file.to_owned(), line: by_line(&side).max(1) },
        name: side.name.to_owned(),
        expected: side.expected,
        got: side.got.to_toml().map_or("nothing".to_owned(), |text| printable(&text)),
        meant: side.meant,
    })
}

fn sentence(settings: &Settings) -> Vec<Vec<Side>> {
    let (floor, cap) = (settings.sentence.floor, settings.sentence.cap);
    let mut found = Vec::new();
    if floor < FLOOR_MIN {
        found.push(vec![Side::new("sentence.floor", &floor, format!("at least {}", FLOOR_MIN.text()))]);
    }
    if floor > cap {
        found.push(vec![
            Side::new("sentence.floor", &floor, format!("at most sentence.cap ({})", cap.text())),
            Side::new("sentence.cap", &cap, format!("at least sentence.floor ({})", floor.text())),
        ]);
    }
    found
}

fn greylist(settings: &Settings) -> Vec<Vec<Side>> {
    let greylist = &settings.greylist;
    let (pass, retry) = (&greylist.pass, &greylist.retry);
    let mut found = Vec::new();
    if *retry > Secs::DAY {
        found.push(vec![Side::new("greylist.retry", retry, format!("at most {}", Secs::DAY.text()))]);
    }
    if let Some(set) = pass.filter(|set| set >= retry) {
        found.push(vec![
            Side::new("greylist.pass", pass, format!("less than greylist.retry ({})", retry.text())),
            Side::new("greylist.retry", retry, format!("more than greylist.pass ({})", set.text())),
        ]);
    }
    found
}

fn documentation(settings: &Settings) -> Vec<Vec<Side>> {
    if !settings.allow_documentation_prefixes {
        return Vec::new();
    }
    let listeners = listeners(settings);
    let public = listeners.into_iter().filter(|(_, listener)| !listener.is_loopback());
    let public = public.map(|(name, listener)| vec![on_loopback(name, listener)]);
    let dns = settings.dns.listen.iter().any(|place| !place.0.ip().is_loopback());
    let expected = "loopback addresses beside allow-documentation-prefixes".to_owned();
    public.chain(dns.then(|| vec![Side::new("dns.listen", &settings.dns.listen, expected)])).collect()
}

/// Everything that listens on TCP.
fn listeners(settings: &Settings) -> [(&'static str, Listener); 3] {
    [
        ("policy.tcp", settings.policy.tcp),
        ("milter.tcp", settings.milter.tcp),
        ("portal.listen", settings.portal.listen),
    ]
}

fn on_loopback(name: &'static str, listener: Listener) -> Side {
    let expected = "an address on loopback beside allow-documentation-prefixes".to_owned();
    let meant = listener.0.map(|at| quoted(&format!("127.0.0.1:{}", at.port())));
    Side { meant, ..Side::new(name, &listener, expected) }
}

fn journal(settings: &Settings) -> Vec<Vec<Side>> {
    let journal = &settings.journal;
    let mut found = Vec::new();
    if journal.segment_size.0 < SEGMENT_SIZE_MIN.0 {
        let expected = format!("at least {}", SEGMENT_SIZE_MIN.text());
        found.push(vec![Side::new("journal.segment-size", &journal.segment_size, expected)]);
    }
    if journal.total.0 / SEGMENTS_MIN < journal.segment_size.0 {
        let (half, twice) =
            (journal.total.0 / SEGMENTS_MIN, journal.segment_size.0.saturating_mul(SEGMENTS_MIN));
        let most = format!("at most half of journal.total ({})", Bytes(half).text());
        let least = format!("at least twice journal.segment-size ({})", Bytes(twice).text());
        found.push(vec![
            Side::new("journal.segment-size", &journal.segment_size, most),
            Side::new("journal.total", &journal.total, least),
        ]);
    }
    if journal.age < JOURNAL_AGE_MIN {
        let expected = format!("at least {}", JOURNAL_AGE_MIN.text());
        found.push(vec![Side::new("journal.age", &journal.age, expected)]);
    }
    found
}

fn same_listener(settings: &Settings) -> Vec<Vec<Side>> {
    // Port 0 is any free one, and never the same twice.
    let fixed: Vec<_> = listeners(settings)
        .into_iter()
        .filter(|(_, listener)| listener.0.is_some_and(|at| at.port() != 0))
        .collect();
    let mut found = Vec::new();
    for (at, (name, listener)) in fixed.iter().enumerate() {
        for (other, _) in fixed[..at].iter().filter(|(_, other)| other == listener) {
            found.push(vec![
                Side::new(other, listener, format!("another address than {name}")),
                Side::new(name, listener, format!("another address than {other}")),
            ]);
        }
    }
    found
}

/// A name inside the zone would have to be asked of us, and we have no addresses of servers.
fn name_servers(settings: &Settings) -> Vec<Vec<Side>> {
    let Some(zone) = &settings.dns.zone else { return Vec::new() };
    let zone = zone.0.to_string();
    let is_in =
        |name: &str| name.strip_suffix(&zone).is_some_and(|front| front.is_empty() || front.ends_with('.'));
    let servers = &settings.dns.servers;
    let inside = servers.iter().any(|server| is_in(server.as_str()));
    let expected = "names outside dns.zone, which others can look up".to_owned();
    inside.then(|| vec![Side::new("dns.servers", servers, expected)]).into_iter().collect()
}

fn sockets(settings: &Settings) -> Vec<Vec<Side>> {
    let control = settings.control();
    let named = [
        ("policy.unix", &settings.policy.unix),
        ("milter.unix", &settings.milter.unix),
        ("reports.lmtp", &settings.reports.lmtp),
    ];
    let mut found = Vec::new();
    for (at, (name, path)) in named.into_iter().enumerate().filter(|(_, (_, path))| path.is_some()) {
        if path.as_ref() == Some(&control) {
            let expected = "another path than the control socket's".to_owned();
            found.push(vec![Side::new(name, path, expected)]);
        }
        for (other, _) in named[..at].iter().filter(|(_, other)| *other == path) {
            found.push(vec![Side::new(name, path, format!("another path than {other}"))]);
        }
        if path.as_deref().is_some_and(is_too_long) {
            found.push(vec![Side::new(name, path, short_path(""))]);
        }
    }
    if is_too_long(&control) {
        found.push(vec![match &settings.control_socket {
            Some(_) => Side::new("control.socket", &settings.control_socket, short_path("")),
            None => Side::new("data-dir", &settings.data_dir, short_path(" with /control.sock")),
        }]);
    }
    found
}

fn is_too_long(path: &Path) -> bool {
    path.as_os_str().len() > SOCKET_PATH_LEN_MAX
}

fn short_path(with: &str) -> String {
    format!("a socket's path of at most {SOCKET_PATH_LEN_MAX} bytes{with}")
}
