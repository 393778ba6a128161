//! What `mailward import` says of the files: what is refused, what was taken, what was left out.

use serde_json::{Value, json};

use super::ImportArgs;
use crate::cli::Failed;
use crate::import::Found;

/// Refuses what is probably a mistake.
pub(super) fn fit(found: &Found, args: &ImportArgs) -> Result<(), Failed> {
    let told = || [found.errors.clone(), left_out(found)].concat().join("\n");
    if found.broken > found.entries() {
        let text = format!(
            "expected lines of the format {}, but {} of {} lines could not be read (--format)\n{}",
            formats(found),
            found.broken,
            found.lines,
            told()
        );
        return Err(Failed::Here(text));
    }
    if found.entries() == 0 {
        let text = format!("expected entries, but of {} lines nothing is left\n{}", found.lines, told());
        return Err(Failed::Here(text.trim_end().to_owned()));
    }
    if found.wide.count > 0 && !args.i_know {
        let text = format!(
            "{} entries are wider than /16 (IPv6: /32): {}; add --i-know if that is meant",
            found.wide.count, found.wide
        );
        return Err(Failed::Here(text));
    }
    Ok(())
}

/// Refuses a list that lost most of its entries: a file that was cut short looks like that.
pub(super) fn halved(found: &Found, args: &ImportArgs, feed: Option<&Value>) -> Result<(), Failed> {
    let (held, new) = (feed.and_then(|feed| feed["entries"].as_u64()).unwrap_or(0), found.entries());
    if args.i_know || new >= held.div_ceil(2) {
        return Ok(());
    }
    Err(Failed::Here(format!(
        "expected at least half of the {held} entries that {} has now, but got {new}: is a file cut short? \
         Add --i-know if that is meant\n{}",
        args.name,
        left_out(found).join("\n")
    )))
}

/// What was left out for a reason of ours, in sentences.
fn left_out(found: &Found) -> Vec<String> {
    let torn = found.torn.iter().map(|file| {
        format!("{file}: the last line has no line break and is left out; the file may be cut short.")
    });
    let kept =
        found.kept.iter().map(|(why, names)| format!("Left out, no list may hold them, {why}: {names}."));
    torn.chain(kept).collect()
}

fn formats(found: &Found) -> String {
    let mut words: Vec<&str> = found.formats.iter().map(|format| format.word()).collect();
    words.dedup();
    words.join(" and ")
}

pub(super) fn say(found: &Found, args: &ImportArgs, feed: Option<&Value>) {
    if args.json {
        return crate::say!("{}", told(found, args, feed));
    }
    let Found { skipped, broken, .. } = found;
    crate::say!(
        "{}: {} addresses and networks, {} domains, {} exclusions ({}).",
        args.name,
        found.addresses,
        found.names,
        found.exclusions,
        formats(found)
    );
    let codes = found.codes.iter().map(|(code, entries)| format!("127.0.0.{code}: {entries}"));
    crate::say!("Codes: {}.", codes.collect::<Vec<_>>().join(", "));
    found.widest().into_iter().for_each(|widest| crate::say!("Widest: {widest}."));
    crate::say!(
        "Left out: {} directives, {} texts, {} other values, {} test entries.",
        skipped.specials,
        skipped.texts,
        skipped.values,
        skipped.tests
    );
    left_out(found).iter().for_each(|line| crate::say!("{line}"));
    if !found.cut.is_empty() {
        let cut = found.cut.iter().map(|(wall, entries)| format!("{wall} ({entries})"));
        crate::say!("Cut out, for they are yours or protected: {}.", cut.collect::<Vec<_>>().join(", "));
    }
    if *broken > 0 {
        crate::say!("{broken} lines could not be read:");
        found.errors.iter().for_each(|error| crate::say!("  {error}"));
    }
    match feed {
        None => crate::say!("Nothing was changed (--dry-run)."),
        Some(feed) => crate::say!(
            "In force until {}, unless it is imported again. Undo: mailward feeds remove {}",
            feed["until"].as_str().unwrap_or_default(),
            args.name
        ),
    }
}

fn told(found: &Found, args: &ImportArgs, feed: Option<&Value>) -> Value {
    let cut = found.cut.iter().map(|(wall, entries)| (wall.to_string(), json!(entries)));
    let kept =
        found.kept.iter().map(|(why, n)| ((*why).to_owned(), json!({"count": n.count, "first": n.first})));
    json!({
        "name": args.name.to_string(),
        "kind": args.kind.to_string(),
        "lines": found.lines,
        "addresses": found.addresses,
        "domains": found.names,
        "exclusions": found.exclusions,
        "codes": found.codes.iter().map(|(c, n)| (c.to_string(), json!(n))).collect::<serde_json::Map<_, _>>(),
        "widest": found.widest(),
        "wide": found.wide.count,
        "cut": cut.collect::<serde_json::Map<_, _>>(),
        "kept": kept.collect::<serde_json::Map<_, _>>(),
        "torn": found.torn,
        "broken": found.broken,
        "errors": found.errors,
        "feed": feed,
    })
}
