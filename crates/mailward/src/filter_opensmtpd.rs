//! `mailward filter-opensmtpd`: OpenSMTPD's filter. smtpd starts it, tells it what happens
//! in every SMTP session, and asks it about every recipient; it asks the daemon's policy
//! server.
//!
//! smtpd ends itself when a filter ends, and waits without limit for an answer. So this
//! program goes on whatever happens, and whatever goes wrong the answer is ‘proceed’: when
//! the daemon is gone, silent for [`PATIENCE`], or has too much to do. One session never
//! waits for another's answer. It ends when smtpd closes the pipe.

mod server;
mod session;

use std::collections::HashMap;
use std::io::{BufRead, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::runtime::Builder;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::LocalSet;
use tokio::time::Instant;
use wire::opensmtpd::{Event, LINE_LEN_MAX, Query, Verdict, parse, proceed, register, tell};

use crate::cli::Done;
use crate::config::Config;
use server::{Line, Place, Server};
use session::Session;

/// How long the daemon may take for one answer: it takes milliseconds, and a client waits.
const PATIENCE: Duration = Duration::from_secs(2);

/// Sessions that are remembered; smtpd's own limit on connections is far lower. Mail of
/// further ones passes.
const SESSIONS_MAX: usize = 16_384;

/// Sessions that may ask at once, each over a connection of its own; the policy server
/// takes 4096 of all mail servers. Mail of further ones passes.
const TALKS_MAX: usize = 1024;

/// Questions of one session that may wait: smtpd asks one at a time, and the end of a
/// message may stand before it.
const ERRANDS_MAX: usize = 4;

/// Lines read and not yet worked on.
const LINES_MAX: usize = 1024;

/// The policy server of a daemon with the shipped configuration.
const USUAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 12340);

/// Where the policy server is; without either, where the configuration has it.
#[derive(Args)]
pub(crate) struct FilterArgs {
    /// The policy server's unix socket.
    #[arg(long, value_name = "PATH", conflicts_with = "policy")]
    socket: Option<PathBuf>,
    /// The policy server's TCP address and port.
    #[arg(long, value_name = "ADDRESS")]
    policy: Option<SocketAddr>,
}

/// Runs until smtpd closes the pipe.
pub(crate) fn main(config: &Path, args: &FilterArgs) -> Done {
    let server = Server::new(place(config, args));
    let (sender, lines) = channel(LINES_MAX);
    std::thread::spawn(move || read(&mut std::io::stdin().lock(), &sender));
    let runtime = Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    LocalSet::new().block_on(&runtime, Filter::new(server).run(lines));
    Ok(ExitCode::SUCCESS)
}

fn place(config: &Path, args: &FilterArgs) -> Place {
    match (&args.socket, args.policy) {
        (Some(path), _) => Place::Unix(path.clone()),
        (None, Some(addr)) => Place::Tcp(addr),
        (None, None) => configured(config),
    }
}

/// A configuration that can not be read is no reason to end: smtpd would end, too.
fn configured(config: &Path) -> Place {
    match Config::load(config).map(|config| config.listeners()) {
        Ok(listeners) => match (listeners.policy_unix, listeners.policy_tcp) {
            (Some(path), _) => Place::Unix(path),
            (None, addr) => Place::Tcp(addr.unwrap_or(USUAL)),
        },
        Err(errors) => {
            eprintln!("{errors}\nasking {USUAL}; name another policy server with --socket or --policy");
            Place::Tcp(USUAL)
        }
    }
}

/// Hands lines over until there are no more.
fn read(input: &mut impl BufRead, lines: &Sender<Vec<u8>>) {
    while let Some(line) = next_line(input) {
        if lines.blocking_send(line).is_err() {
            return;
        }
    }
}

/// The next line without its newline; of one that is too long the front.
fn next_line(input: &mut impl BufRead) -> Option<Vec<u8>> {
    let (mut line, limit) = (Vec::new(), u64::try_from(LINE_LEN_MAX).unwrap_or(u64::MAX));
    let read = input.by_ref().take(limit).read_until(b'\n', &mut line).ok()?;
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() == LINE_LEN_MAX {
        input.skip_until(b'\n').ok()?;
    }
    (read > 0).then_some(line)
}

/// Tells smtpd something. Without smtpd there is nothing left to do.
fn say(out: &[u8]) {
    let mut stdout = std::io::stdout().lock();
    if stdout.write_all(out).and_then(|()| stdout.flush()).is_err() {
        std::process::exit(0);
    }
}

/// Something to ask the policy server.
struct Errand {
    request: Vec<u8>,
    /// Who waits for the answer; at the end of a message nobody does.
    query: Option<Query>,
    until: Instant,
}

/// A session, and the way to the task that asks for it.
#[derive(Default)]
struct Entry {
    session: Session,
    talk: Option<Sender<Errand>>,
}

struct Filter {
    server: Rc<Server>,
    sessions: HashMap<u64, Entry>,
    seats: Arc<Semaphore>,
    complained: bool,
}

impl Filter {
    fn new(server: Server) -> Filter {
        let seats = Arc::new(Semaphore::new(TALKS_MAX));
        Filter { server: Rc::new(server), sessions: HashMap::new(), seats, complained: false }
    }

    async fn run(mut self, mut lines: Receiver<Vec<u8>>) {
        while let Some(line) = lines.recv().await {
            match parse(&line) {
                Ok(event) => self.take(&event),
                // Once: a version that we do not know would fill the log.
                Err(error) if !self.complained => {
                    self.complained = true;
                    eprintln!("a line of smtpd is passed over: {error}");
                }
                Err(_) => {}
            }
        }
    }

    fn take(&mut self, event: &Event<'_>) {
        match *event {
            Event::Ready => {
                let mut out = Vec::new();
                register(&mut out);
                say(&out);
            }
            Event::Connect { session, client, name } if self.sessions.len() < SESSIONS_MAX => {
                let session_known = Session::new(session, client, &name);
                self.sessions.insert(session, Entry { session: session_known, talk: None });
            }
            Event::Disconnect { session } => _ = self.sessions.remove(&session),
            Event::Commit { session, size } => self.commit(session, size),
            Event::AskRcpt { query, recipient } => {
                let request = self.sessions.get(&query.session).and_then(|e| e.session.rcpt(recipient));
                match request {
                    Some(request) => self.ask(query.session, Some(query), request),
                    None => pass(&query),
                }
            }
            Event::Ask { query } => pass(&query),
            _ => self.learn(event),
        }
    }

    fn learn(&mut self, event: &Event<'_>) {
        let mut with = |session, change: &dyn Fn(&mut Session)| {
            if let Some(entry) = self.sessions.get_mut(&session) {
                change(&mut entry.session);
            }
        };
        match *event {
            Event::Identify { session, helo } => with(session, &|s| s.greeted(helo)),
            Event::Tls { session } => with(session, &|s| s.greeted(b"")),
            Event::Auth { session, user } => with(session, &|s| s.logged_in(user)),
            Event::Begin { session, message } => with(session, &|s| s.begin(message)),
            Event::Mail { session, sender } => with(session, &|s| s.mail(sender)),
            Event::Rcpt { session } => with(session, &Session::recipient_taken),
            Event::Rollback { session } => with(session, &|s| s.begin(b"")),
            _ => {}
        }
    }

    /// Tells the number of a message that was taken.
    fn commit(&mut self, session: u64, size: u64) {
        let request = self.sessions.get(&session).and_then(|entry| entry.session.commit(size));
        if let Some(request) = request {
            self.ask(session, None, request);
        }
    }

    fn ask(&mut self, session: u64, query: Option<Query>, request: Vec<u8>) {
        let errand = Errand { request, query, until: Instant::now() + PATIENCE };
        let Some(talk) = self.talk(session) else { return query.iter().for_each(pass) };
        // The daemon is so slow that this session's last question is still there.
        if talk.try_send(errand).is_err() {
            query.iter().for_each(pass);
        }
    }

    /// The task that asks for a session, begun when it is needed.
    fn talk(&mut self, session: u64) -> Option<&Sender<Errand>> {
        let entry = self.sessions.get_mut(&session)?;
        if entry.talk.is_none() {
            let seat = Arc::clone(&self.seats).try_acquire_owned().ok()?;
            let (sender, errands) = channel(ERRANDS_MAX);
            tokio::task::spawn_local(talk(Rc::clone(&self.server), errands, seat));
            entry.talk = Some(sender);
        }
        entry.talk.as_ref()
    }
}

/// Asks for one session, over one connection, so that the policy server sees its questions
/// together, as Postfix's; ends with the session.
async fn talk(server: Rc<Server>, mut errands: Receiver<Errand>, seat: OwnedSemaphorePermit) {
    let mut line: Option<Line> = None;
    while let Some(Errand { request, query, until }) = errands.recv().await {
        let answer = server.ask(&mut line, &request, until).await;
        if let Some(query) = query {
            let mut out = Vec::new();
            tell(&query, &Verdict::of_policy(&answer), &mut out);
            say(&out);
        }
    }
    drop(seat);
}

fn pass(query: &Query) {
    let mut out = Vec::new();
    proceed(query, &mut out);
    say(&out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &[u8], expect: &[&[u8]]) {
        let mut input = input;
        let lines: Vec<_> = std::iter::from_fn(|| next_line(&mut input)).collect();
        assert_eq!(lines, expect);
    }

    #[test]
    fn lines_are_split_and_long_ones_cut() {
        check(b"", &[]);
        check(b"a\n\nb", &[b"a", b"", b"b"]);
        let (long, kept) = (vec![b'x'; LINE_LEN_MAX + 9], vec![b'x'; LINE_LEN_MAX]);
        check(&[&long[..], b"\nb\n"].concat(), &[&kept, b"b"]);
        let whole = vec![b'y'; LINE_LEN_MAX - 1];
        check(&[&whole[..], b"\nb\n"].concat(), &[&whole, b"b"]);
    }
}
