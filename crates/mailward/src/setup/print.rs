//! A plan as text for a person, and as JSON for a program. What is to be pasted stands at
//! the left margin.

use serde_json::{Value, json};

use super::plan::Plan;
use super::restrictions::{List, Place};

/// Blanks before what is explained, so that the eye finds what is pasted.
const INDENT: &str = "   ";

/// The plan for a person.
pub(super) fn text(plan: &Plan) -> String {
    let mut out = "Mailward beside Postfix: what to paste. Nothing has been changed.\n".to_owned();
    let ours = plan.ours.display();
    section(
        &mut out,
        "1. As root, the folder of the socket; the Debian package makes it, too:",
        &folder(plan),
    );
    section(
        &mut out,
        &format!("2. Into {ours}; join it with sections that are there:"),
        &mailward_toml(plan),
    );
    let title = format!("3. Into {}, in place of settings with the same names:", plan.main_cf.display());
    section(&mut out, &title, &main_cf(plan));
    section(&mut out, "4. Then, in this order:", &then(plan).map(|line| line + "\n").concat());
    out.push_str("\nTo know\n");
    for note in explanations(plan).iter().chain(&plan.notes) {
        out.push_str(&wrapped(note));
    }
    out
}

/// The plan for a program.
pub(super) fn json(plan: &Plan) -> Value {
    let (notes, folder) = (explanations(plan), folder(plan));
    json!({
        "commands": folder.lines().collect::<Vec<_>>(),
        "mailward_toml": mailward_toml(plan),
        "main_cf": main_cf(plan),
        "then": then(plan),
        "notes": notes.iter().chain(&plan.notes).collect::<Vec<_>>(),
    })
}

fn section(out: &mut String, title: &str, body: &str) {
    out.push_str(&format!("\n{title}\n\n{body}"));
}

/// Setgid: the daemon's socket there, mode 0660, belongs to the group that smtpd runs as.
fn folder(plan: &Plan) -> String {
    let folder = plan.socket.parent().unwrap_or(&plan.socket);
    format!("install -d -o mailward -g {} -m 2750 {}\n", plan.group, folder.display())
}

fn mailward_toml(plan: &Plan) -> String {
    let mut out = String::new();
    if !plan.portal.is_empty() {
        out.push_str("# Without these nothing is refused; put your own names.\n[portal]\n");
        plan.portal.iter().for_each(|line| out.push_str(&format!("{line}\n")));
        out.push('\n');
    }
    out.push_str(&format!("[policy]\nunix = {}\n\n", quoted(&plan.socket.display().to_string())));
    out.push_str("[own]\n");
    out.push_str(&list("names", &plan.own.names, "mx.example.org", "Nobody else may greet with these."));
    let meaning = "Never blocked: put your hosts and users there, too.";
    out.push_str(&list("networks", &plan.own.networks, "192.0.2.0/24", meaning));
    out.push_str(
        "# Backup MX and forwarders, which bring you other people's mail:\n# relays = [\"203.0.113.25\"]\n",
    );
    out
}

/// A list of the configuration; an empty one as a comment that shows its form.
fn list(key: &str, items: &[String], example: &str, meaning: &str) -> String {
    if items.is_empty() {
        return format!("# {meaning} postconf names none:\n# {key} = [{}]\n", quoted(example));
    }
    let items: String = items.iter().map(|item| format!("    {},\n", quoted(item))).collect();
    format!("# {meaning}\n{key} = [\n{items}]\n")
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn main_cf(plan: &Plan) -> String {
    let mut out = String::new();
    for (name, list) in lists(plan) {
        if list.place != Place::Already {
            out.push_str(&format!("{name} =\n    {}\n", list.entries.join(",\n    ")));
        }
    }
    if !plan.fail_open.is_empty() {
        out.push_str("# Mail flows when Mailward does not answer:\n");
    }
    plan.fail_open.iter().for_each(|(name, value)| out.push_str(&format!("{name} = {value}\n")));
    if out.is_empty() { "# Nothing: it is all there.\n".to_owned() } else { out }
}

fn lists(plan: &Plan) -> [(&'static str, &List); 2] {
    [
        ("smtpd_recipient_restrictions", &plan.recipients),
        ("smtpd_end_of_data_restrictions", &plan.end_of_data),
    ]
}

fn then(plan: &Plan) -> [String; 3] {
    [
        format!("mailward --config {} config check", plan.ours.display()),
        "systemctl restart mailward".to_owned(),
        "postfix check && postfix reload".to_owned(),
    ]
}

/// Why each line is as it is.
fn explanations(plan: &Plan) -> Vec<String> {
    let mut all: Vec<String> =
        lists(plan).iter().map(|(name, list)| format!("{name}: {}", why(name, list.place))).collect();
    if plan.has_others {
        all.push(
            "You ask other policy services: ours has its own settings in braces (Postfix 3.0 and newer), and theirs \
             stay as they are. With them mail flows when Mailward does not answer."
                .to_owned(),
        );
    }
    all.push(
        "The folder's setgid bit gives the socket the group of smtpd; the socket's mode is 0660, so nobody else can \
         make Mailward believe things."
            .to_owned(),
    );
    all
}

fn why(name: &str, place: Place) -> &'static str {
    match place {
        Place::Already => "asks Mailward already; left as it is.",
        Place::New if name.contains("end_of_data") => {
            "was empty. Mailward learns the queue id there, by which a filter's verdict finds its client."
        }
        Place::New => "was empty. Mailward is asked last, about mail for your own domains only.",
        Place::BehindGuard => {
            "Mailward is asked directly behind the refusal of strangers' domains, before any slower test; what you \
             had keeps its order around it."
        }
        Place::BehindOwnClients => {
            "Mailward is asked behind your own clients; smtpd_relay_restrictions has refused strangers' domains by \
             then."
        }
        Place::First => {
            "Mailward is asked first, so that it sees every message with its queue id; what you had follows."
        }
    }
}

/// A note as an item, in lines that fit a terminal.
fn wrapped(note: &str) -> String {
    let (mut lines, mut line) = (String::new(), format!("{INDENT}-"));
    for word in note.split(' ') {
        if line.chars().count() + 1 + word.chars().count() > 96 {
            lines.push_str(&line);
            lines.push('\n');
            line = format!("{INDENT} ");
        }
        line.push(' ');
        line.push_str(word);
    }
    lines + &line + "\n"
}
