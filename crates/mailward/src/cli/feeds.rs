//! `mailward import` and `mailward feeds`: bulk lists.

mod report;

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use comfy_table::{Table, presets};
use engine::Keeper;
use indicatif::{ProgressBar, ProgressStyle};
use model::codes::{CODE_EXTERNAL, CODE_MAX, CODE_MIN};
use model::{FeedKind, FeedName, Policy, Prefix, Protected};
use serde_json::Value;
use wire::lists::Format;

use self::report::{fit, halved, say};
use super::client::Client;
use super::operate::{order, seconds};
use super::{Done, Failed};
use crate::config::Config;
use crate::daemon::control::{FeedWish, Wish};
use crate::daemon::feeds as files;
use crate::import::{Import, Terms};

/// Where nothing else is said: a list of our own until its review and two weeks more (A.3),
/// one of others a week, so that one that nobody fetches any more runs out (RFC 6471 §3.4).
const LASTS: [(FeedKind, &str); 2] = [(FeedKind::Curated, "104 d"), (FeedKind::External, "7 d")];

/// The largest file: ten million addresses with a text each are below it.
const FILE_LEN_MAX: u64 = 1 << 30;

#[derive(Args)]
pub(crate) struct ImportArgs {
    /// Files: rbldnsd's ip4set, ip4trie, ip6trie or dnset, or one address or prefix a line.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The name of the list; an earlier one of this name is replaced.
    #[arg(long)]
    name: FeedName,
    /// Whose list it is: `curated` is your own, `external` that of others (code 17, never
    /// published).
    #[arg(long = "as", value_name = "KIND")]
    kind: FeedKind,
    /// How lines are written: ip4set, ip4trie, dnset, plain, or auto.
    #[arg(long, default_value = "auto")]
    format: String,
    /// The code of entries without one of 2 to 19 (127.0.0.N) [default: 2].
    #[arg(long, value_name = "N")]
    code: Option<u8>,
    /// How long the list holds unless it is imported again [default: 104 d; external 7 d].
    #[arg(long = "for", value_name = "SPAN")]
    lasts: Option<String>,
    /// Why, for the record; not public.
    #[arg(long)]
    because: Option<String>,
    /// Take entries wider than /16 (IPv6: /32), all names below one label, and a list with
    /// fewer than half of the entries of the one that it replaces.
    #[arg(long)]
    i_know: bool,
    /// Only say what would be taken; asks no daemon.
    #[arg(long)]
    dry_run: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct FeedsArgs {
    #[command(subcommand)]
    what: Option<FeedsCommand>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum FeedsCommand {
    /// Remove a list.
    Remove {
        /// Its name.
        name: FeedName,
        /// Why, for the record; not public.
        #[arg(long)]
        because: Option<String>,
    },
}

pub(crate) fn import(config: &Config, args: &ImportArgs) -> Done {
    let client = Client::new(&config.listeners().control);
    let policy = config.policy(&|_| model::PersonHash(0));
    let terms = args.terms(walls(&policy, &client, args.dry_run)?, Keeper::of(&policy))?;
    let (lasts, code) = (seconds(args.lasts())?, terms.code);
    let mut import = Import::new(terms);
    read(&args.files, &mut import)?;
    let (bytes, found) = import.finish(&source(&args.files))?;
    fit(&found, args)?;
    if args.dry_run {
        say(&found, args, None);
        return Ok(ExitCode::SUCCESS);
    }
    halved(&found, args, of_name(&client.get("/v1/feeds")?, &args.name))?;
    let wish = FeedWish {
        name: args.name.to_string(),
        kind: args.kind.to_string(),
        hash: files::hex(&files::keep(config.data_dir(), &bytes)?),
        code,
        seconds: lasts,
        entries: found.entries(),
        because: args.because.clone(),
    };
    order(&client, &Wish::AdoptFeed(wish))?;
    say(&found, args, of_name(&client.get("/v1/feeds")?, &args.name));
    Ok(ExitCode::SUCCESS)
}

impl ImportArgs {
    fn terms(&self, walls: Vec<Prefix>, keeper: Keeper) -> Result<Terms, Failed> {
        let usage = |text: String| Failed::Usage(text);
        let format = match self.format.as_str() {
            "auto" => None,
            word => Some(word.parse::<Format>().map_err(|error| usage(format!("--format: {error}")))?),
        };
        let code = match (self.kind, self.code) {
            (FeedKind::External, None | Some(CODE_EXTERNAL)) => CODE_EXTERNAL,
            (FeedKind::External, Some(_)) => {
                return Err(usage("--code: lists of others have code 17 and nothing else".to_owned()));
            }
            (FeedKind::Curated, code) => code.unwrap_or(CODE_MIN),
        };
        let is_own = self.kind == FeedKind::Curated;
        if !(CODE_MIN..=CODE_MAX).contains(&code) || is_own && code == CODE_EXTERNAL {
            return Err(usage(format!("--code: expected 2 to 19 and not 17, but got {code}")));
        }
        Ok(Terms { kind: self.kind, format, code, walls, keeper })
    }

    fn lasts(&self) -> &str {
        let shipped = LASTS.iter().find(|(kind, _)| *kind == self.kind).map_or("", |(_, span)| span);
        self.lasts.as_deref().unwrap_or(shipped)
    }
}

/// The list of a name, if there is one.
fn of_name<'a>(feeds: &'a Value, name: &FeedName) -> Option<&'a Value> {
    feeds.as_array()?.iter().find(|feed| feed["name"] == name.as_str())
}

/// What is never listed: own networks, the protected list, special-purpose ranges.
fn walls(policy: &Policy, client: &Client, offline: bool) -> Result<Vec<Prefix>, Failed> {
    let protected = Protected::new(policy.protected.clone(), policy.documentation, 0);
    let mut walls: Vec<Prefix> = protected.listed().iter().chain(protected.special()).copied().collect();
    if !offline {
        let told = client.get("/v1/protected?all=true")?;
        let listed = told
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|prefix| prefix.as_str()?.parse::<Prefix>().ok());
        walls.extend(listed);
    }
    walls.sort_unstable();
    walls.dedup();
    Ok(walls)
}

/// Reads the files, with a bar on a terminal.
fn read(paths: &[PathBuf], import: &mut Import) -> Result<(), Failed> {
    for path in paths {
        let bytes = contents(path)?;
        let bar = bar(bytes.len() as u64);
        let mut unsaid = 0;
        import.file(&path.display().to_string(), &bytes, &mut |went| {
            unsaid += went;
            if unsaid >= 1 << 16 {
                bar.inc(std::mem::take(&mut unsaid));
            }
        });
        bar.finish_and_clear();
    }
    Ok(())
}

fn contents(path: &Path) -> Result<Vec<u8>, Failed> {
    let fault = |error: std::io::Error| Failed::Here(format!("{}: {error}", path.display()));
    let (file, mut bytes) = (std::fs::File::open(path).map_err(fault)?, Vec::new());
    file.take(FILE_LEN_MAX + 1).read_to_end(&mut bytes).map_err(fault)?;
    if bytes.len() as u64 > FILE_LEN_MAX {
        return Err(Failed::Here(format!("{}: expected at most 1 GiB", path.display())));
    }
    Ok(bytes)
}

fn bar(len: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}, {eta}");
    let bar = ProgressBar::new(len);
    style.map_or(bar.clone(), |style| bar.with_style(style))
}

/// Where the list comes from: what its files are called.
fn source(paths: &[PathBuf]) -> String {
    let name = |path: &PathBuf| path.file_name().map(|name| name.to_string_lossy().into_owned());
    paths.iter().filter_map(name).collect::<Vec<_>>().join(" ")
}

pub(crate) fn feeds(client: &Client, args: &FeedsArgs) -> Done {
    match &args.what {
        Some(FeedsCommand::Remove { name, because }) => {
            order(client, &Wish::DropFeed { name: name.to_string(), because: because.clone() })?;
            crate::say!("{name} is removed.");
        }
        None => list(&client.get("/v1/feeds")?, args.json),
    }
    Ok(ExitCode::SUCCESS)
}

fn list(feeds: &Value, json: bool) {
    if json {
        return crate::say!("{feeds}");
    }
    const COLUMNS: [&str; 7] = ["name", "kind", "state", "entries", "adopted", "until", "source"];
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(COLUMNS);
    for feed in feeds.as_array().into_iter().flatten() {
        table.add_row(COLUMNS.map(|name| match &feed[name] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }));
    }
    crate::say!("{table}");
}
