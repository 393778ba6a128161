//! Mail for a Postfix on loopback: a session a message, as strangers bring it.
//!
//! Each session takes on a public address through the PROXY protocol, so that a milter
//! sees strangers and not this machine. It costs no round trip.

use std::io::{BufRead, BufReader, Error, Result, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::mail::Mail;
use crate::bench::histogram::Histogram;
use crate::random::Random;

/// Longer than any reply takes, were the server well.
const PATIENCE: Duration = Duration::from_secs(30);

/// What some messages came to.
pub(super) struct Delivered {
    /// From connecting to the reply after the final dot, of messages taken.
    pub(super) latency: Histogram,
    /// Messages refused or lost, and what was said of the last one.
    pub(super) refused: u64,
    pub(super) words: String,
    pub(super) lasted: Duration,
}

/// Delivers messages one after another in each of `sessions` for some time.
pub(super) fn deliver(port: u16, sessions: usize, lasting: Duration, seed: u64) -> Delivered {
    let begun = Instant::now();
    let run = |at: usize| one_after_another(port, Random::new(seed << 16 | at as u64), begun + lasting);
    let parts: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..sessions).map(|at| scope.spawn(move || run(at))).collect();
        threads.into_iter().flat_map(thread::ScopedJoinHandle::join).collect()
    });
    let latency = Histogram::new();
    let mut all = Delivered { latency, refused: 0, words: String::new(), lasted: begun.elapsed() };
    for (times, refusals) in parts {
        times.into_iter().for_each(|time| all.latency.add(time));
        all.refused += refusals.len() as u64;
        all.words = refusals.into_iter().last().unwrap_or(all.words);
    }
    all
}

/// Nanoseconds of each message taken, and what was said of the others.
fn one_after_another(port: u16, mut random: Random, until: Instant) -> (Vec<u64>, Vec<String>) {
    let (mut times, mut refused) = (Vec::new(), Vec::new());
    while Instant::now() < until {
        let mail = Mail::new(&mut random);
        let begun = Instant::now();
        match session(port, &mail, begun) {
            Ok(time) => times.push(time.as_nanos() as u64),
            Err(error) => {
                refused.push(error.to_string());
                thread::sleep(Duration::from_millis(1));
            }
        }
    }
    (times, refused)
}

/// Brings one message; returns how long its sender waited until it was taken.
fn session(port: u16, mail: &Mail, begun: Instant) -> Result<Duration> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut peer = Peer { replies: BufReader::new(stream.try_clone()?), stream };
    let Mail { client, host, sender, recipient, .. } = mail;
    peer.say(&format!("PROXY TCP4 {client} 127.0.0.1 40000 {port}\r\n"), '2')?;
    peer.say(&format!("EHLO {host}\r\n"), '2')?;
    peer.say(&format!("MAIL FROM:<{sender}>\r\n"), '2')?;
    peer.say(&format!("RCPT TO:<{recipient}>\r\n"), '2')?;
    peer.say("DATA\r\n", '3')?;
    peer.say(&format!("{}.\r\n", mail.text()), '2')?;
    let lasted = begun.elapsed();
    peer.say("QUIT\r\n", '2')?;
    Ok(lasted)
}

struct Peer {
    stream: TcpStream,
    replies: BufReader<TcpStream>,
}

impl Peer {
    /// Says something; a reply of another class than `class` is an error.
    fn say(&mut self, text: &str, class: char) -> Result<()> {
        self.stream.write_all(text.as_bytes())?;
        let mut line = String::new();
        loop {
            line.clear();
            self.replies.read_line(&mut line)?;
            // The last line of a reply has a space, or nothing, after its code.
            if line.as_bytes().get(3) != Some(&b'-') {
                break;
            }
        }
        line.starts_with(class).then_some(()).ok_or_else(|| Error::other(line.trim_end().to_owned()))
    }
}
