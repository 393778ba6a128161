//! A story as it is written in `scenarios/*.scn`: its configuration and its steps.
//! `scenarios/README.md` has the grammar.

/// A story.
#[derive(Debug)]
pub(crate) struct Story {
    /// Lines of configuration, in TOML.
    pub(crate) config: Vec<String>,
    /// Files beside it, by name, a line each.
    pub(crate) files: Vec<(String, String)>,
    /// What happens, in order.
    pub(crate) steps: Vec<Step>,
}

/// One line.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Step {
    /// Its number in the file.
    pub(crate) line: usize,
    /// When it happens.
    pub(crate) when: When,
    /// What happens: a verb and its words.
    pub(crate) words: Vec<String>,
    /// What must come of it.
    pub(crate) expect: Option<String>,
}

/// When a step happens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum When {
    /// Seconds after the beginning.
    At(u64),
    /// Seconds after the step before.
    After(u64),
}

impl Step {
    /// The value of `name=value` among its words.
    pub(crate) fn option<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.options(name).next()
    }

    /// The values of every `name=value`.
    pub(crate) fn options<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.words.iter().filter_map(move |word| word.strip_prefix(name)?.strip_prefix('='))
    }

    /// How often it happens: `x40`.
    pub(crate) fn times(&self) -> u64 {
        let number = |word: &String| word.strip_prefix('x').and_then(|times| times.parse().ok());
        self.words.iter().find_map(number).unwrap_or(1)
    }

    /// The word at a place that must be there.
    pub(crate) fn word(&self, place: usize) -> Result<&str, String> {
        let missing = || format!("expected at least {place} words behind {}", self.words[0]);
        self.words.get(place).map(String::as_str).ok_or_else(missing)
    }
}

/// Reads a story; the error names the line.
pub(crate) fn read(text: &str) -> Result<Story, String> {
    let (mut config, mut files, mut steps) = (Vec::new(), Vec::new(), Vec::new());
    for (number, line) in (1..).zip(text.lines()) {
        let line = without_comment(line);
        if line.trim().is_empty() {
            continue;
        }
        match line.split_once(' ') {
            Some(("config", toml)) => config.push(toml.trim().to_owned()),
            Some(("file", rest)) => {
                files.extend(rest.split_once(' ').map(|(name, text)| (name.into(), text.into())));
            }
            _ => steps.push(step(line, number).map_err(|what| format!("line {number}: {what}"))?),
        }
    }
    Ok(Story { config, files, steps })
}

/// A comment begins with a semicolon at the start of a line or behind a blank.
fn without_comment(line: &str) -> &str {
    let start = if line.starts_with(';') { Some(0) } else { line.find(" ;") };
    start.map_or(line, |at| &line[..at])
}

fn step(line: &str, number: usize) -> Result<Step, String> {
    let (what, expect) = match line.split_once("=> ") {
        Some((what, expect)) => (what, Some(expect.trim().to_owned())),
        None => (line, None),
    };
    let (when, what) = if what.starts_with(char::is_whitespace) {
        (When::After(0), what)
    } else {
        let (time, rest) = what.split_once(char::is_whitespace).ok_or("expected a step behind the time")?;
        (when(time)?, rest)
    };
    let words = words(what)?;
    if words.is_empty() {
        return Err("expected a step".to_owned());
    }
    Ok(Step { line: number, when, words, expect })
}

fn when(time: &str) -> Result<When, String> {
    if let Some(after) = time.strip_prefix('+') {
        return Ok(When::After(span(after)?));
    }
    let parts: Option<Vec<u64>> = time.split(':').map(|part| part.parse().ok()).collect();
    match parts.as_deref() {
        Some([hours, minutes]) => Ok(When::At(hours * 3600 + minutes * 60)),
        Some([hours, minutes, seconds]) => Ok(When::At(hours * 3600 + minutes * 60 + seconds)),
        _ => Err(format!("expected a time such as 24:10 or +2h, but got {time}")),
    }
}

/// Seconds of a span without blanks: `90s`, `6min`, `2h`, `30d`.
pub(crate) fn span(text: &str) -> Result<u64, String> {
    let units = [("min", 60), ("s", 1), ("h", 3600), ("d", 86_400)];
    let read = |(unit, seconds): &(&str, u64)| Some(text.strip_suffix(unit)?.parse::<u64>().ok()? * seconds);
    units.iter().find_map(read).ok_or_else(|| format!("expected a span such as 2h, but got {text}"))
}

/// Words at blanks; what stands in quotes is one, without them.
fn words(text: &str) -> Result<Vec<String>, String> {
    let (mut all, mut word, mut quoted, mut some) = (Vec::new(), String::new(), false, false);
    for letter in text.chars() {
        match letter {
            '"' => (quoted, some) = (!quoted, true),
            blank if blank.is_whitespace() && !quoted => {
                if std::mem::take(&mut some) {
                    all.push(std::mem::take(&mut word));
                }
            }
            other => {
                word.push(other);
                some = true;
            }
        }
    }
    if quoted {
        return Err("a quote has no end".to_owned());
    }
    all.extend(some.then_some(word));
    Ok(all)
}

#[test]
fn a_line_is_read_as_it_is_written() {
    let story = read(
        "; title\nconfig [own]\n24:10  policy 192.0.2.1 unknown subject=\"Great offer\" x3 => 550 no ; so\n  free 192.0.2.1\n+2h x\n",
    );
    let story = story.unwrap();
    assert_eq!(story.config, ["[own]"]);
    let step = &story.steps[0];
    assert_eq!((step.when, step.times(), step.option("subject")), (When::At(87_000), 3, Some("Great offer")));
    assert_eq!((step.line, step.expect.as_deref()), (3, Some("550 no")));
    assert_eq!(story.steps[1].when, When::After(0));
    assert_eq!(story.steps[2].when, When::After(7200));
}

#[test]
fn a_broken_line_is_named() {
    assert_eq!(
        read("00:00 x\nnoon x\n").unwrap_err(),
        "line 2: expected a time such as 24:10 or +2h, but got noon"
    );
    assert_eq!(read("+5m x").unwrap_err(), "line 1: expected a span such as 2h, but got 5m");
}
