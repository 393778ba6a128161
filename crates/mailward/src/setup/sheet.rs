//! What is printed: numbered parts to paste, and notes; as text for a person, and as JSON
//! for a program. What is to be pasted stands at the left margin.

use serde_json::{Value, json};

/// Blanks before what is explained, so that the eye finds what is pasted.
const INDENT: &str = "   ";

/// The widest line of a note.
const WIDTH: usize = 96;

/// One part.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// Its name in JSON.
    name: &'static str,
    /// What to do with it.
    title: String,
    /// What is pasted, in whole lines.
    body: String,
    /// In JSON it is a list of lines.
    is_list: bool,
}

impl Part {
    /// A text to paste into a file.
    pub(super) fn text(name: &'static str, title: impl Into<String>, body: impl Into<String>) -> Part {
        Part { name, title: title.into(), body: body.into(), is_list: false }
    }

    /// Commands to run one after another.
    pub(super) fn commands(name: &'static str, title: impl Into<String>, commands: &[String]) -> Part {
        let body = commands.iter().map(|command| format!("{command}\n")).collect();
        Part { name, title: title.into(), body, is_list: true }
    }
}

/// All that is printed for one mail server.
#[derive(Clone, Debug)]
pub(super) struct Sheet {
    /// Its name.
    pub(super) server: &'static str,
    /// The parts, in the order in which they are done.
    pub(super) parts: Vec<Part>,
    /// What a person should know or look at.
    pub(super) notes: Vec<String>,
}

impl Sheet {
    /// For a person.
    pub(super) fn text(&self) -> String {
        let server = self.server;
        let mut out = format!("Mailward beside {server}: what to paste. Nothing has been changed.\n");
        for (number, part) in (1..).zip(&self.parts) {
            let title = wrapped(&format!("{number}."), &part.title);
            out.push_str(&format!("\n{title}\n{}", part.body));
        }
        out.push_str("\nTo know\n");
        self.notes.iter().for_each(|note| out.push_str(&wrapped(&format!("{INDENT}-"), note)));
        out
    }

    /// For a program.
    pub(super) fn json(&self) -> Value {
        let mut all = json!({});
        for part in &self.parts {
            all[part.name] = match part.is_list {
                true => json!(part.body.lines().collect::<Vec<_>>()),
                false => json!(part.body),
            };
        }
        all["notes"] = json!(self.notes);
        all
    }
}

/// A text behind a mark, in lines that fit a terminal.
fn wrapped(mark: &str, text: &str) -> String {
    let (mut lines, mut line) = (String::new(), mark.to_owned());
    for word in text.split(' ') {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push_str(&line);
            lines.push('\n');
            line = " ".repeat(mark.chars().count());
        }
        line.push(' ');
        line.push_str(word);
    }
    lines + &line + "\n"
}
