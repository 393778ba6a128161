//! Programs that ask name servers, and what they say that they were told.

use std::process::{Command, Output};

use super::lists::SERVER;
use super::world::PATIENCE;

/// Those that ask any question, each with what makes it patient.
pub(crate) const CLIENTS: [(&str, &[&str]); 3] = [
    ("/usr/bin/dig", &["+tries=3", "+time=5"]),
    ("/usr/bin/kdig", &["+retry=2", "+time=5"]),
    ("/usr/bin/drill", &[]),
];

/// BIND's other one, which checks signatures; `-i` lets it take what has none.
pub(crate) const DELV: &str = "/usr/bin/delv";

/// One record as it was printed.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// Letter by letter, with its last dot.
    pub(crate) owner: String,
    /// Seconds.
    pub(crate) ttl: u32,
    rtype: String,
    /// What stands behind the type.
    pub(crate) data: String,
}

/// What a program was told.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// The code's name.
    pub(crate) status: String,
    /// The answer's records.
    pub(crate) answers: Vec<Record>,
    /// Those that say which zone it is.
    pub(crate) authority: Vec<Record>,
    /// All that it printed.
    pub(crate) text: String,
}

impl Said {
    fn read(text: String) -> Said {
        let mut said = Said::default();
        let mut section = "";
        for line in text.lines() {
            if let Some(code) = ["status: ", "rcode: "].iter().find_map(|word| line.split(word).nth(1)) {
                said.status = code.chars().take_while(char::is_ascii_alphanumeric).collect();
            }
            if let Some(name) = line.strip_prefix(";; ").and_then(|line| line.strip_suffix(" SECTION:")) {
                section = name;
            }
            match (section, Record::read(line)) {
                ("ANSWER", Some(record)) => said.answers.push(record),
                ("AUTHORITY", Some(record)) => said.authority.push(record),
                _ => {}
            }
        }
        said.text = text;
        said
    }

    /// Code, addresses or types of the answer, and in brackets the types of what says the zone.
    pub(crate) fn told(&self) -> String {
        let mut told = self.status.clone();
        for record in &self.answers {
            told += " ";
            told += if record.rtype == "A" { &record.data } else { &record.rtype };
        }
        self.authority.iter().for_each(|record| told += &format!(" ({})", record.rtype));
        told
    }
}

impl Record {
    fn read(line: &str) -> Option<Record> {
        let mut words = line.split_whitespace();
        let (owner, ttl, class) = (words.next()?, words.next()?, words.next()?);
        let rtype = words.next()?.to_owned();
        let data = words.collect::<Vec<_>>().join(" ");
        let is_record = !owner.starts_with(';') && class == "IN";
        Some(Record { owner: owner.to_owned(), ttl: ttl.parse().ok().filter(|_| is_record)?, rtype, data })
    }
}

/// Runs a program to its end, however it ends.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new("timeout");
    command.arg(PATIENCE.as_secs().to_string()).arg(program).args(arguments);
    command.output().expect("timeout is part of the base system")
}

/// Asks our server by a program of [`CLIENTS`].
#[track_caller]
pub(crate) fn ask(program: &str, options: &[&str], name: &str, rtype: &str) -> Said {
    ask_at(SERVER, program, options, name, rtype)
}

/// The same of another server.
#[track_caller]
pub(crate) fn ask_at(server: &str, program: &str, options: &[&str], name: &str, rtype: &str) -> Said {
    let server = format!("@{server}");
    let patient = CLIENTS.iter().find(|(known, _)| *known == program).map_or(&[][..], |(_, patient)| patient);
    let output = run(program, &[patient, options, &[server.as_str(), name, rtype]].concat());
    Said::read(
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr),
    )
}

/// Asks our server by dig.
#[track_caller]
pub(crate) fn dig(options: &[&str], name: &str, rtype: &str) -> Said {
    ask("/usr/bin/dig", options, name, rtype)
}
