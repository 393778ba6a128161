//! `mailward demo`: the live daemon on loopback, fed with a recorded stream of real SMTP
//! clients at high speed, then left running with cases to look at.
//!
//! The stream (examples/demo) holds time, address, HELO and label of real sessions. Each is
//! asked through the policy socket as Postfix would; its label arrives as a filter's verdict.
//! Gaps longer than twenty seconds are cut short, so that the last blocks are still in force
//! when the feeding ends; from then on time goes on as on your wall.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget};
use model::{Judgement, Millis, Mode, Secs};

use crate::cli::serve::Next;
use crate::cli::{Done, Failed, serve};
use crate::config::Config;
use crate::daemon::web::Web;
use crate::daemon::{Daemon, Options, Shared};
use crate::observe;
use crate::replay::Stream;
use crate::replay::line::Line;

/// The recorded stream, in the program so that it works wherever that is installed.
const STREAM: &[u8] = include_bytes!("../../../examples/demo/spamassassin.jsonl.zst");
/// Only a folder with this file in it is wiped.
const MARKER: &str = ".mailward-demo";
/// Longer gaps are cut to this.
const GAP_MAX: Secs = Secs(20);
/// The base zone of its block lists.
const ZONE: &str = "dnsbl.example.org";
/// A verdict comes so many sessions after its message, as from a real filter.
const VERDICT_LAG: usize = 8;

#[derive(Args)]
pub(crate) struct DemoArgs {
    /// Where the policy server listens.
    #[arg(long, default_value = "127.0.0.1:12340")]
    policy: SocketAddr,
    /// Where the portal listens.
    #[arg(long, default_value = "127.0.0.1:12380")]
    portal: SocketAddr,
    /// Where the block lists are asked by DNS.
    #[arg(long, default_value = "127.0.0.1:12353")]
    dns: SocketAddr,
    /// Where its data lie; wiped at the start.
    #[arg(long, default_value = "target/demo")]
    dir: PathBuf,
    /// End when the stream is fed, instead of running on.
    #[arg(long)]
    once: bool,
}

pub(crate) fn main(args: &DemoArgs) -> Done {
    let listeners = [args.policy, args.portal, args.dns];
    if listeners.iter().any(|addr| !addr.ip().is_loopback()) {
        return Err(Failed::Usage("the demo listens on loopback only, such as 127.0.0.1:12340".to_owned()));
    }
    serve::log_to_stderr("warn");
    for addr in listeners {
        // A running demo would lose its folder before its port is found to be taken.
        drop(edge::listen::tcp(addr).map_err(|e| e.to_string())?);
    }
    let dir = fresh_dir(&args.dir)?;
    let config = Config::from_str("demo", &settings(args, &dir)).map_err(|e| Failed::Usage(e.to_string()))?;
    write(&dir.join("mailward.toml"), settings(args, &dir).as_bytes())?;
    let lines = stream(&dir)?;
    let span = Secs(GAP_MAX.0 * lines.len() as u64);
    let now = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0);
    // Short gaps make it shorter; what is left is made up at the end.
    let start = Millis(now).minus(span.min(length(&lines)));
    let options = Options { test_clock: true, clock_start: Some(start), ..Options::default() };
    let once = args.once;
    serve::run(config, &options, move |daemon, web| present(daemon, web, &lines, Millis(now), &dir, once))
}

/// Feeds, prints, and sets time going.
fn present(
    daemon: &Daemon,
    web: &Web,
    lines: &[Line],
    now: Millis,
    dir: &Path,
    once: bool,
) -> Result<Next, String> {
    feed(daemon, lines)?;
    let shared = daemon.shared.clone();
    let behind = now.since(shared.clock.now());
    // Only the demo's own clock is manual.
    let _ = shared.clock.advance(behind);
    std::thread::sleep(Duration::from_millis(1500));
    print_tour(&shared, web, dir)?;
    if once {
        return Ok(Next::Stop);
    }
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(Duration::from_secs(1));
            let _ = shared.clock.advance(Secs(1));
        }
    });
    Ok(Next::Run)
}

fn fresh_dir(dir: &Path) -> Result<PathBuf, String> {
    let named = |e: std::io::Error| format!("{}: {e}", dir.display());
    if dir.exists() {
        let ours = dir.join(MARKER).exists() || dir.read_dir().map_err(named)?.next().is_none();
        if !ours {
            return Err(format!(
                "{}: expected a former demo or nothing; choose another --dir",
                dir.display()
            ));
        }
        std::fs::remove_dir_all(dir).map_err(named)?;
    }
    std::fs::create_dir_all(dir).map_err(named)?;
    std::fs::write(dir.join(MARKER), "Made by `mailward demo`, and wiped by the next one.\n")
        .map_err(named)?;
    dir.canonicalize().map_err(named)
}

fn settings(args: &DemoArgs, dir: &Path) -> String {
    let (dir, policy, portal, dns) = (dir.display(), args.policy, args.portal, args.dns);
    format!(
        "site = \"Example Networks\"\ndata-dir = \"{dir}/data\"\nmode = \"enforce\"\nallow-documentation-prefixes = true\n\
         [policy]\ntcp = \"{policy}\"\ntrust-local = true\n[milter]\ntcp = \"off\"\n\
         [portal]\nurl = \"http://{portal}\"\nlisten = \"{portal}\"\ncontact = \"postmaster@mx.example.org\"\n\
         [dns]\nzone = \"{ZONE}\"\nlisten = [\"{dns}\"]\n\
         [control]\nsocket = \"{dir}/control.sock\"\n\
         [own]\nnames = [\"mx.example.org\"]\nnetworks = [\"192.0.2.0/24\"]\n"
    )
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    std::fs::write(path, bytes).map_err(|e| format!("{}: {e}", path.display()))
}

fn stream(dir: &Path) -> Result<Vec<Line>, String> {
    let path = dir.join("stream.jsonl.zst");
    write(&path, STREAM)?;
    let mut stream = Stream::open(std::slice::from_ref(&path))?;
    let mut lines = Vec::new();
    while let Some(line) = stream.next()? {
        lines.push(*line);
    }
    Ok(lines)
}

/// How long the stream is with its long gaps cut.
fn length(lines: &[Line]) -> Secs {
    let gaps = lines.windows(2).map(|pair| pair[1].at.since(pair[0].at).0.min(GAP_MAX.0));
    Secs(gaps.sum())
}

fn feed(daemon: &Daemon, lines: &[Line]) -> Result<(), String> {
    let addr = daemon.policy_addr().ok_or("the policy server does not listen")?;
    let mut postfix = Postfix::connect(addr)?;
    let progress = ProgressBar::with_draw_target(Some(lines.len() as u64), ProgressDrawTarget::stderr());
    let mut before = lines.first().map_or(Millis(0), |l| l.at);
    for (number, line) in (1..).zip(lines) {
        let gap = line.at.since(before).0.min(GAP_MAX.0);
        before = line.at;
        let _ = daemon.shared.clock.advance(Secs(gap));
        postfix.session(&daemon.shared, number, line)?;
        progress.inc(1);
    }
    postfix.judge_all(&daemon.shared);
    progress.finish_and_clear();
    Ok(())
}

/// Asks as Postfix does: one question at a time on one connection.
struct Postfix {
    stream: TcpStream,
    verdicts: std::collections::VecDeque<String>,
}

impl Postfix {
    fn connect(addr: SocketAddr) -> Result<Postfix, String> {
        let stream = TcpStream::connect(addr).map_err(|e| format!("{addr}: {e}"))?;
        stream.set_nodelay(true).map_err(|e| e.to_string())?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).map_err(|e| e.to_string())?;
        Ok(Postfix { stream, verdicts: std::collections::VecDeque::new() })
    }

    fn session(&mut self, daemon: &Arc<Shared>, number: usize, line: &Line) -> Result<(), String> {
        if self.ask("RCPT", number, line)?.starts_with("action=DUNNO") {
            self.ask("END-OF-MESSAGE", number, line)?;
            self.verdicts.extend(verdict(number, line));
        }
        if self.verdicts.len() > VERDICT_LAG {
            let due = self.verdicts.pop_front().unwrap_or_default();
            observe::take(daemon, &due);
        }
        Ok(())
    }

    fn judge_all(&mut self, daemon: &Arc<Shared>) {
        std::thread::sleep(Duration::from_millis(200));
        for due in self.verdicts.drain(..) {
            observe::take(daemon, &due);
        }
    }

    fn ask(&mut self, state: &str, number: usize, line: &Line) -> Result<String, String> {
        let helo = line.client.helo.as_ref().map(ToString::to_string).unwrap_or_default();
        // The stream names no recipients: fifty made-up ones take turns.
        let (addr, person) = (line.client.addr, number % 50);
        let queue = if state == "RCPT" { String::new() } else { format!("D{number}") };
        let request = format!(
            "request=smtpd_access_policy\nprotocol_state={state}\nclient_address={addr}\nhelo_name={helo}\n\
             sender=somebody@sender.example\nrecipient=user{person}@inbox.example\nrecipient_count=1\n\
             queue_id={queue}\ninstance=demo.{number}\n\n"
        );
        let talk = |stream: &mut TcpStream| {
            stream.write_all(request.as_bytes())?;
            let mut reply = [0; 1024];
            let read = stream.read(&mut reply)?;
            Ok(String::from_utf8_lossy(&reply[..read]).into_owned())
        };
        talk(&mut self.stream).map_err(|e: std::io::Error| format!("the policy server did not answer: {e}"))
    }
}

fn verdict(number: usize, line: &Line) -> Option<String> {
    let word = match line.label? {
        Judgement::Spam => "spam",
        Judgement::Ham => "ham",
        Judgement::Virus => "virus",
        Judgement::Heuristic => "heuristic",
    };
    Some(format!("{{\"queue_id\":\"D{number}\",\"verdict\":\"{word}\",\"source\":\"demo\"}}"))
}

/// How the list says why an address is blocked.
fn dig(shared: &Shared, key: &model::Key) -> Option<String> {
    let at = *shared.servers().dns.as_ref()?.addresses().first()?;
    let std::net::IpAddr::V4(addr) = key.prefix()?.addr() else { return None };
    let [a, b, c, d] = addr.octets();
    Some(format!("dig +short -p {} @{} TXT {d}.{c}.{b}.{a}.bl.{ZONE}", at.port(), at.ip()))
}

fn print_tour(shared: &Shared, web: &Web, dir: &Path) -> Result<(), String> {
    let (view, now) = (shared.view(), shared.clock.now());
    let holding = view.holding(Mode::Live, now);
    let case = holding
        .iter()
        .max_by_key(|c| c.case.until())
        .ok_or("expected a block in force, but there is none")?;
    let link = answers::link::case_link(&view.site, case.id);
    let portal = web.portal_addr().map(|a| format!("http://{a}/")).unwrap_or_default();
    let key = &case.key;
    let config = dir.join("mailward.toml");
    let config = config.display();
    let program = std::env::current_exe().map_or_else(|_| "mailward".into(), |p| p.display().to_string());
    let policy = shared.config.listeners().policy_tcp.map(|a| (a.ip(), a.port()));
    let (ip, port) = policy.unwrap_or((std::net::Ipv4Addr::LOCALHOST.into(), 12340));
    let dig = dig(shared, key).unwrap_or_default();
    let heard = &shared.queue.heard;
    let taken = heard.taken.load(std::sync::atomic::Ordering::Relaxed);
    crate::say!(
        "\nMailward runs on loopback, with {} blocks in force ({} cases, {taken} observations).\n\n  \
         portal   {portal}\n  case     {link}\n\n\
         Three things to try:\n  \
         1. Open the case link: what a blocked sender sees.\n  \
         2. Ask as Postfix would, and be refused:\n     \
         printf 'request=smtpd_access_policy\\nprotocol_state=RCPT\\nclient_address={key}\\nrecipient=you@inbox.example\\n\\n' | timeout 2 bash -c 'exec 3<>/dev/tcp/{ip}/{port}; cat >&3; head -1 <&3'\n     \
         or as any mail server can, by DNS:\n     \
         {dig}\n  \
         3. Be the operator:\n     \
         {program} --config {config} explain {key}\n     \
         {program} --config {config} list\n\n\
         Data lie in {} and are wiped by the next demo. Stop with Ctrl-C.",
        holding.len(),
        view.cases.len(),
        dir.display()
    );
    Ok(())
}
