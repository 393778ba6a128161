//! Plays a story to a live daemon in simulated time.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may stop")]

mod dns;
mod mta;
mod story;

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::site::Site;
use mta::Shown;
use story::{Step, Story, When, read, span};

/// For so long we wait for what must come; it is never what a story asserts.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where the stories are.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios")
}

/// Plays one story; a panic names file and line.
#[track_caller]
pub(crate) fn play(name: &str) {
    let path = folder().join(format!("{name}.scn"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let story = read(&text).unwrap_or_else(|e| panic!("scenarios/{name}.scn: {e}"));
    let mut stage = Stage::start(name, &story);
    for step in &story.steps {
        stage.step(step).unwrap_or_else(|e| panic!("scenarios/{name}.scn:{}: {e}", step.line));
    }
}

/// The daemon, and how far its story is.
struct Stage {
    site: Site,
    /// Seconds since the beginning.
    now: u64,
    /// Sessions so far: names of messages.
    sessions: usize,
    /// The last message of each recipient, as it stands in the mailbox.
    mailboxes: HashMap<String, String>,
}

type Done = Result<(), String>;

impl Stage {
    fn start(name: &str, story: &Story) -> Stage {
        let mut site = Site::new(&format!("story-{name}"));
        let socket = site.dir.0.join("milter");
        let base = std::fs::read_to_string(&site.config).unwrap();
        let more = [
            "[milter]".to_owned(),
            format!("unix = \"{}\"", socket.display()),
            "[judges]".to_owned(),
            "authentication = false".to_owned(),
            "header = \"X-Spam-Flag: YES\"".to_owned(),
        ];
        let dir = site.dir.0.display().to_string();
        let own = story.config.iter().map(|line| line.replace("@DIR", &dir).replace("@DNS", &dns::start()));
        let base = base.lines().map(str::to_owned).chain(more).chain(own);
        std::fs::write(&site.config, joined(base)).unwrap();
        for (name, line) in &story.files {
            let path = site.dir.0.join(name);
            let before = std::fs::read_to_string(&path).unwrap_or_default();
            std::fs::write(path, format!("{before}{line}\n")).unwrap();
        }
        site.start_with(&["--test-clock"]);
        Stage { site, now: 0, sessions: 0, mailboxes: HashMap::new() }
    }

    fn step(&mut self, step: &Step) -> Done {
        let at = match step.when {
            When::At(at) => at,
            When::After(after) => self.now + after,
        };
        let ahead = at.checked_sub(self.now).ok_or("this was before the line above, which took its time")?;
        self.advance(ahead);
        match step.words[0].as_str() {
            "policy" => self.each(step, Stage::policy),
            "milter" | "rejected" | "connect" => self.each(step, Stage::milter),
            "conduct" => self.each(step, Stage::conduct),
            "notice" => self.each(step, Stage::notice),
            "report" => self.report(step),
            "mailward" => self.mailward(step),
            "wait" => {
                self.advance(span(step.word(1)?)?);
                Ok(())
            }
            "blocked" => self.await_case(step, "case"),
            "shadow" => self.await_case(step, "shadow"),
            "free" => self.free(step),
            other => Err(format!("expected a step, but got {other}")),
        }
    }

    /// Lets a step happen as often as it says, by default a second apart: a block holds for
    /// sessions that begin after it.
    fn each(&mut self, step: &Step, act: impl Fn(&mut Stage, &Step, u64) -> Done) -> Done {
        let every = step.option("every").map_or(Ok(1), span)?;
        for turn in 1..=step.times() {
            if turn > 1 {
                self.advance(every);
            }
            act(self, step, turn).map_err(|what| format!("time {turn}: {what}"))?;
        }
        Ok(())
    }

    /// A session as Postfix asks the policy server of it, and the verdict on its message.
    fn policy(&mut self, step: &Step, turn: u64) -> Done {
        self.sessions += 1;
        let queue = format!("Q{}", self.sessions);
        let request = self.request(step, turn)?;
        let mut stream = TcpStream::connect(self.site.addr()).map_err(|e| e.to_string())?;
        let heard = ask(&mut stream, &request.replace("@STATE", "RCPT").replace("@QUEUE", ""));
        let heard = heard.trim().trim_start_matches("action=");
        expected(step.expect.as_deref(), heard, turn)?;
        if heard == "DUNNO" {
            ask(&mut stream, &request.replace("@STATE", "END-OF-MESSAGE").replace("@QUEUE", &queue));
            if let Some(verdict) = step.option("verdict") {
                self.settle();
                self.observe(&json!({"queue_id": queue, "verdict": verdict}).to_string())?;
            }
        }
        self.settle();
        Ok(())
    }

    fn request(&self, step: &Step, turn: u64) -> Result<String, String> {
        let name = turned(step.word(2)?, turn);
        let option = |option, default: &str| turned(step.option(option).unwrap_or(default), turn);
        let (client, number) = (turned(step.word(1)?, turn), self.sessions);
        Ok(format!(
            "request=smtpd_access_policy\nprotocol_state=@STATE\nclient_address={client}\nclient_name={name}\n\
             reverse_client_name={name}\nhelo_name={}\nsender={}\nrecipient={}\nrecipient_count=1\n\
             sasl_username={}\nqueue_id=@QUEUE\ninstance=i{number}\n\n",
            option("helo", &name),
            option("from", "someone@sender.example"),
            option("to", "user@example.org"),
            option("login", ""),
        ))
    }

    /// A session as the milter sees it; `rejected` is one whose recipients do not exist.
    fn milter(&mut self, step: &Step, turn: u64) -> Done {
        self.sessions += 1;
        let (client, name) = (turned(step.word(1)?, turn), turned(step.word(2)?, turn));
        let option = |option, default: &str| turned(step.option(option).unwrap_or(default), turn);
        let (helo, from) = (option("helo", &name), option("from", "someone@sender.example"));
        let to = option("to", "user@example.org");
        let (code, words) = (option("code", "5.1.1"), option("words", "User unknown"));
        let (header, body) = message(step, turn, &from, self.sessions);
        let shown = Shown {
            client: &client,
            name: &name,
            helo: &helo,
            from: &from,
            to: to.split(',').filter(|_| step.words[0] != "connect").collect(),
            login: step.option("login"),
            refused: (step.words[0] == "rejected").then_some((&*code, &*words)),
            header,
            body,
            queue_id: format!("M{}", self.sessions),
        };
        let heard = mta::show(&self.site.dir.0.join("milter"), &shown);
        if heard.starts_with("accept") {
            self.deliver(&shown);
        }
        if !shown.to.is_empty() {
            self.settle_messages();
        }
        expected(step.expect.as_deref(), &heard, turn)
    }

    /// What a mailbox has of a message: our own Received field on top.
    fn deliver(&mut self, shown: &Shown<'_>) {
        let now = self.control("GET", "/v1/status", "")["now"].as_str().unwrap_or("").replace('Z', ":00Z");
        let now: jiff::Timestamp = now.parse().expect("the daemon's time");
        let date = now.strftime("%a, %d %b %Y %H:%M:%S +0000");
        let header: String = shown.header.iter().map(|(name, value)| format!("{name}:{value}\r\n")).collect();
        let Shown { helo, name, client, queue_id, body, .. } = shown;
        for to in &shown.to {
            let received = format!(
                "Received: from {helo} ({name} [{client}])\r\n\tby mx.example.org (Postfix) with ESMTP id \
                 {queue_id}\r\n\tfor <{to}>; {date} (UTC)\r\n"
            );
            self.mailboxes.insert((*to).to_owned(), format!("{received}{header}\r\n{body}"));
        }
    }

    /// Somebody presses the junk button at the newest message.
    fn report(&mut self, step: &Step) -> Done {
        let who = step.word(1)?;
        let message = self.mailboxes.get(who).ok_or("nothing was delivered there")?;
        let path = format!("/v1/report?vote=junk&reporter={}", who.replace('@', "%40"));
        let told = self.control("POST", &path, message);
        self.settle();
        if told["counted"].is_u64() { Ok(()) } else { Err(told.to_string()) }
    }

    /// What another program saw a client do.
    fn conduct(&mut self, step: &Step, turn: u64) -> Done {
        let name = turned(step.word(2)?, turn);
        let name = (name != "unknown").then_some(name);
        let helo = step.option("helo").map(|helo| turned(helo, turn));
        let client = turned(step.word(1)?, turn);
        let line = json!({"client_ip": client, "client_name": name, "conduct": step.word(3)?, "helo": helo});
        self.observe(&line.to_string())
    }

    /// What a stranger's server replied to a notice of ours.
    fn notice(&mut self, step: &Step, _turn: u64) -> Done {
        let (notice, domain, reply) = (step.word(1)?, step.word(2)?, step.word(3)?);
        self.observe(&json!({"notice": notice, "domain": domain, "reply": reply}).to_string())
    }

    fn observe(&mut self, line: &str) -> Done {
        let told = self.control("POST", "/v1/observe", line);
        self.settle();
        if told["taken"] == 1 { Ok(()) } else { Err(format!("the daemon did not take {line}: {told}")) }
    }

    fn mailward(&mut self, step: &Step) -> Done {
        let words: Vec<&str> = step.words[1..].iter().map(String::as_str).collect();
        // What only looks may be told a moment later: the engine is not asked each time.
        let again = ["check", "doctor", "explain", "list"].contains(&words[0]);
        let until = Instant::now() + PATIENCE;
        loop {
            self.settle();
            let (good, told) = self.site.run(&words);
            match step.expect.as_deref() {
                Some(expect) if told.contains(expect) => return Ok(()),
                Some(_) if again && Instant::now() < until => std::thread::sleep(Duration::from_millis(200)),
                Some(expect) => return Err(format!("expected {expect:?}, but got {told}")),
                None => return if good { Ok(()) } else { Err(told) },
            }
        }
    }

    /// Waits for a case against a key, as the step describes it.
    fn await_case(&mut self, step: &Step, mode: &str) -> Done {
        let until = Instant::now() + PATIENCE;
        loop {
            let known = self.known(step.word(1)?);
            match described(step, &known[mode]) {
                Err(what) if Instant::now() > until => return Err(format!("{what} in {known}")),
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
                Ok(()) => return Ok(()),
            }
        }
    }

    fn free(&mut self, step: &Step) -> Done {
        self.settle_messages();
        let known = self.known(step.word(1)?);
        if known["blocked"] == false { Ok(()) } else { Err(format!("expected no block, but got {known}")) }
    }

    fn known(&mut self, key: &str) -> Value {
        self.settle();
        self.control("GET", &format!("/v1/check?key={}", key.replace('/', "%2F")), "")
    }

    fn advance(&mut self, seconds: u64) {
        if seconds > 0 {
            self.control("POST", "/v1/order", &json!({"order": "advance", "seconds": seconds}).to_string());
            self.now += seconds;
        }
    }

    /// Waits until all that was seen so far is decided and shows: a command's receipt comes
    /// in its turn.
    fn settle(&self) {
        let order =
            json!({"order": "unblock", "target": "192.0.2.254", "error": false, "because": "its turn"});
        self.control("POST", "/v1/order", &order.to_string());
    }

    /// The same for messages, whose headers are stored before they are seen.
    fn settle_messages(&self) {
        let seen = || self.control("GET", "/v1/status", "")["observations"].clone();
        let mut before = Value::Null;
        while before != seen() {
            before = seen();
            std::thread::sleep(Duration::from_millis(40));
        }
        self.settle();
    }

    fn control(&self, method: &str, path: &str, body: &str) -> Value {
        let mut stream = UnixStream::connect(self.site.data().join("control.sock")).unwrap();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: mailward\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        serde_json::from_str(body).unwrap_or_else(|e| panic!("{method} {path}: {e}: {answer}"))
    }
}

/// Lines of configuration with every section and key once; the last one counts.
fn joined(lines: impl Iterator<Item = String>) -> String {
    let mut sections: Vec<(String, Vec<String>)> = vec![(String::new(), Vec::new())];
    let mut at = 0;
    for line in lines {
        if line.starts_with('[') {
            at = sections.iter().position(|(name, _)| *name == line).unwrap_or(sections.len());
            if at == sections.len() {
                sections.push((line, Vec::new()));
            }
        } else {
            let key = |line: &str| line.split('=').next().map(|key| key.trim().to_owned());
            sections[at].1.retain(|before| key(before) != key(&line));
            sections[at].1.push(line);
        }
    }
    sections.iter().map(|(name, lines)| format!("{name}\n{}\n", lines.join("\n"))).collect()
}

/// Puts the number of the turn in the place of `#`.
fn turned(text: &str, turn: u64) -> String {
    text.replace('#', &turn.to_string())
}

fn ask(stream: &mut TcpStream, request: &str) -> String {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut reply = [0; 1024];
    let read = stream.read(&mut reply).unwrap();
    String::from_utf8_lossy(&reply[..read]).into_owned()
}

/// Header and body of a step's message.
fn message(step: &Step, turn: u64, from: &str, number: usize) -> (Vec<(String, String)>, String) {
    let field = |name: &str, value: String| (name.to_owned(), format!(" {value}"));
    let text = |name: &str, default: &str| turned(step.option(name).unwrap_or(default), turn);
    let mut header = vec![
        field("From", format!("<{from}>")),
        field("Subject", text("subject", "Hello")),
        field("Message-ID", format!("<{number}@sender.example>")),
    ];
    if step.option("verdict") == Some("spam") {
        header.push(field("X-Spam-Flag", "YES".to_owned()));
    }
    for line in step.options("field") {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        header.push(field(name, turned(value.trim(), turn)));
    }
    let body = text("body", "Hello.");
    match step.option("file") {
        None => (header, format!("{body}\r\n")),
        Some(file) => {
            header.push(field("MIME-Version", "1.0".to_owned()));
            header.push(field("Content-Type", "multipart/mixed; boundary=b".to_owned()));
            let file = format!(
                "--b\r\n\r\n{body}\r\n--b\r\nContent-Type: application/octet-stream; name=\"{file}\"\r\n\
                 Content-Disposition: attachment; filename=\"{file}\"\r\nContent-Transfer-Encoding: base64\r\n\r\n\
                 TVqQAAMAAAAEAAAA//8AALgAAAAAAAAAQAAAAAAAAAA=\r\n--b--\r\n"
            );
            (header, file)
        }
    }
}

/// Whether a reply is what was expected: the first word, and the rest somewhere in it.
fn expected(expect: Option<&str>, heard: &str, turn: u64) -> Done {
    let Some(expect) = expect.map(|expect| turned(expect, turn)) else { return Ok(()) };
    let (code, rest) = expect.split_once(' ').unwrap_or((&expect, ""));
    let is_code = heard.split([' ', '-']).next() == Some(code);
    if is_code && heard.contains(rest.trim()) {
        Ok(())
    } else {
        Err(format!("expected {expect}, but got {heard}"))
    }
}

/// Whether a case is as the words of a step say.
fn described(step: &Step, case: &Value) -> Done {
    if case.is_null() {
        return Err("there is no case".to_owned());
    }
    for (word, field) in [("rule", "reason"), ("kind", "kind"), ("class", "class"), ("units", "units")] {
        let expect = step.option(word).filter(|expect| case[field] != **expect);
        if let Some(expect) = expect {
            return Err(format!("expected {word}={expect}"));
        }
    }
    let left = case["remaining_s"].as_u64().unwrap_or(0);
    match step.option("until").map(|until| span(until.trim_start_matches('+'))).transpose()? {
        // A case is told by the minute.
        Some(expect) if left.abs_diff(expect) > 60 => Err(format!("expected {expect} s to its end")),
        _ => Ok(()),
    }
}
