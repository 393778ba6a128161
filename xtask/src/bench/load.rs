//! Load for servers of Postfix's access policy delegation protocol.
//!
//! Some persistent connections with one request outstanding on each, as Postfix's
//! smtpd processes do; one thread, epoll, loopback only. Each request has a new
//! client, sender and recipient. Prints one JSON object with what it measured.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use clap::Args;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use serde_json::{Value, json};

use super::histogram::Histogram;
use super::meter::{Meter, Pinned, Spent};
use crate::error::TaskError;
use crate::random::Random;

/// Events taken from the kernel at once.
const EVENTS_MAX: usize = 256;

/// How long one wait for answers may take before the clock is looked at.
const LOOK_EVERY: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// Whom to load, how and for how long.
#[derive(Args)]
pub(crate) struct LoadOptions {
    /// Where the server listens; loopback only.
    #[arg(long)]
    address: SocketAddr,
    /// How many connections.
    #[arg(long, default_value_t = 10)]
    connections: usize,
    /// For how long.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Decides clients, senders and recipients.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The core that this generator keeps to.
    #[arg(long)]
    core: Option<usize>,
    /// The server's process; may be given more than once.
    #[arg(long)]
    process: Vec<u32>,
}

/// Loads the server and prints what it measured.
pub(crate) fn load(options: &LoadOptions) -> Result<bool, TaskError> {
    if !options.address.ip().is_loopback() {
        return Err(TaskError::Missing {
            what: "a loopback address".into(),
            way_out: "give one; load never leaves this machine".into(),
        });
    }
    let _pinned = options.core.map(Pinned::to).transpose()?;
    let mut generator = Generator::connect(options).map_err(TaskError::system("connect to the server"))?;
    let processes: Vec<u32> = options.process.iter().copied().chain([std::process::id()]).collect();
    let (server, everyone) = (Meter::read(&options.process), Meter::read(&processes));
    let begun = Instant::now();
    generator.run(Duration::from_secs_f64(options.seconds)).map_err(TaskError::system("load the server"))?;
    let lasted = begun.elapsed();
    let spent = Meter::read(&options.process).since(&server);
    let waited = Meter::read(&processes).since(&everyone).waited;
    println!("{}", generator.report(lasted, spent, waited));
    Ok(true)
}

struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
    sent: Option<Instant>,
}

struct Generator {
    epoll: OwnedFd,
    connections: Vec<Connection>,
    /// Connections without a request outstanding.
    free: Vec<usize>,
    random: Random,
    request: Vec<u8>,
    buffer: Vec<u8>,
    latency: Histogram,
    /// Answers by their first word.
    actions: BTreeMap<String, u64>,
    /// Connections that the server gave up.
    closed: usize,
}

impl Generator {
    fn connect(options: &LoadOptions) -> std::io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut connections = Vec::new();
        for id in 0..options.connections as u64 {
            let stream = TcpStream::connect(options.address)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            epoll::add(&epoll, &stream, epoll::EventData::new_u64(id), epoll::EventFlags::IN)?;
            connections.push(Connection { stream, answer: Vec::new(), sent: None });
        }
        Ok(Self {
            epoll,
            free: (0..connections.len()).collect(),
            connections,
            random: Random::new(options.seed),
            request: Vec::new(),
            buffer: vec![0; 4096],
            latency: Histogram::new(),
            actions: BTreeMap::new(),
            closed: 0,
        })
    }

    /// What was measured, per answer. Without an answer there is no time to tell.
    fn report(&self, lasted: Duration, spent: Spent, waited: u64) -> Value {
        let answers = self.latency.count();
        let told = |value: f64| (answers > 0).then_some(value);
        json!({
            "connections": self.connections.len(),
            "rps": answers as f64 / lasted.as_secs_f64(),
            "p50_us": told(self.latency.percentile_us(50)),
            "p99_us": told(self.latency.percentile_us(99)),
            "cpu_us": told(spent.on_cpu as f64 / answers as f64 / 1e3),
            "cpu_us_answering": told(spent.answering as f64 / answers as f64 / 1e3),
            "wait": waited as f64 / lasted.as_nanos() as f64,
            "closed": self.closed,
            "actions": self.actions,
        })
    }

    fn run(&mut self, lasting: Duration) -> std::io::Result<()> {
        let until = Instant::now() + lasting;
        let mut events = Vec::with_capacity(EVENTS_MAX);
        while Instant::now() < until && self.closed < self.connections.len() {
            while let Some(id) = self.free.pop() {
                self.ask(id)?;
            }
            events.clear();
            epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&LOOK_EVERY))?;
            for event in &events {
                let data = event.data;
                self.hear(data.u64() as usize)?;
            }
        }
        Ok(())
    }

    fn ask(&mut self, id: usize) -> std::io::Result<()> {
        write_request(&mut self.request, &mut self.random)?;
        let connection = &mut self.connections[id];
        connection.answer.clear();
        connection.sent = Some(Instant::now());
        // A server that does not take one request at once has given up on us.
        if !connection.stream.write(&self.request).is_ok_and(|len| len == self.request.len()) {
            self.give_up(id)?;
        }
        Ok(())
    }

    fn hear(&mut self, id: usize) -> std::io::Result<()> {
        let connection = &mut self.connections[id];
        match connection.stream.read(&mut self.buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Ok(0) | Err(_) => return self.give_up(id),
            Ok(len) => connection.answer.extend_from_slice(&self.buffer[..len]),
        }
        if !connection.answer.ends_with(b"\n\n") {
            return Ok(());
        }
        let Some(sent) = connection.sent.take() else { return Ok(()) };
        self.latency.add(sent.elapsed().as_nanos() as u64);
        let word = first_word(&connection.answer);
        *self.actions.entry(word).or_default() += 1;
        self.free.push(id);
        Ok(())
    }

    fn give_up(&mut self, id: usize) -> std::io::Result<()> {
        self.closed += 1;
        Ok(epoll::delete(&self.epoll, &self.connections[id].stream)?)
    }
}

/// `DUNNO` of `action=DUNNO`, `REJECT` of `action=REJECT text`.
fn first_word(answer: &[u8]) -> String {
    let text = String::from_utf8_lossy(answer);
    text.trim_start_matches("action=").split_whitespace().next().unwrap_or_default().to_owned()
}

/// One request as Postfix 3.7 sends it at RCPT, 29 attributes.
fn write_request(out: &mut Vec<u8>, random: &mut Random) -> std::io::Result<()> {
    let client = random.address();
    let [a, b, c, d] = client.octets();
    let (user, domain, local) = (random.below(100_000), random.below(20_000), random.below(5_000));
    let (port, size) = (1024 + random.below(60_000), random.below(100_000));
    let instance = random.next();
    out.clear();
    write!(
        out,
        "request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\nclient_address={client}\n\
         client_name=host-{a}-{b}-{c}-{d}.isp{domain}.example\nclient_port={port}\n\
         reverse_client_name=host-{a}-{b}-{c}-{d}.isp{domain}.example\nserver_address=192.0.2.1\nserver_port=25\n\
         helo_name=mail.isp{domain}.example\nsender=user{user}@isp{domain}.example\n\
         recipient=local{local}@corp.test\nrecipient_count=0\nqueue_id=\ninstance={instance:x}.0\nsize={size}\n\
         etrn_domain=\nstress=\nsasl_method=\nsasl_username=\nsasl_sender=\nccert_subject=\nccert_issuer=\n\
         ccert_fingerprint=\nccert_pubkey_fingerprint=\nencryption_protocol=TLSv1.3\n\
         encryption_cipher=TLS_AES_256_GCM_SHA384\nencryption_keysize=256\npolicy_context=\n\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_29_attributes_and_one_empty_line_at_its_end() {
        let mut out = Vec::new();
        write_request(&mut out, &mut Random::new(1)).unwrap();
        let text = String::from_utf8(out).unwrap();
        let (attributes, rest) = text.split_once("\n\n").unwrap();
        assert_eq!(attributes.lines().filter(|line| line.contains('=')).count(), 29);
        assert_eq!(attributes.lines().count(), 29);
        assert_eq!(rest, "");
    }

    #[test]
    fn no_two_requests_are_alike_and_a_seed_gives_the_same_ones() {
        let requests = |seed| {
            let mut random = Random::new(seed);
            let mut one = || {
                let mut out = Vec::new();
                write_request(&mut out, &mut random).unwrap();
                out
            };
            [one(), one()]
        };
        let [first, second] = requests(1);
        assert_ne!(first, second);
        assert_eq!(requests(1), [first, second]);
    }

    #[test]
    fn answers_are_counted_by_their_first_word() {
        assert_eq!(first_word(b"action=DUNNO\n\n"), "DUNNO");
        assert_eq!(first_word(b"action=550 5.7.1 text\n\n"), "550");
        assert_eq!(first_word(b"\n\n"), "");
    }

    #[test]
    fn load_never_leaves_the_machine() {
        let options = LoadOptions {
            address: "192.0.2.1:25".parse().unwrap(),
            connections: 1,
            seconds: 0.1,
            seed: 1,
            core: None,
            process: Vec::new(),
        };
        assert!(matches!(load(&options), Err(TaskError::Missing { .. })));
    }
}
