//! How a value stands in the file: what is read into a field, and how it is shown again.
//!
//! A [`Value`] is read from a TOML value; a [`Written`] is one that stands there as a
//! string. Lists and settings that may be unset follow from their elements.

use std::ops::Range;
use std::path::PathBuf;

use serde_json::{Value as Json, json};
use toml::Spanned;
use toml::de::{DeInteger, DeValue};

/// A value of the file with its place.
pub(super) type Node<'a> = &'a Spanned<DeValue<'a>>;

/// A setting's type: the texts that it takes, and its one canonical text.
pub(super) trait Value: Sized {
    /// What a good value is: `a duration with a unit`.
    fn expected() -> String;
    /// Reads it; every element of a list that is no good is reported.
    fn read(node: Node<'_>) -> Result<Self, Vec<Mismatch>>;
    /// The value as it is shown.
    fn shown(&self) -> Shown;
}

/// A type whose values are strings in the file.
pub(super) trait Written: Sized {
    /// Several of them, for lists: `prefixes`.
    const MANY: &'static str = "strings";
    /// Whether a bare number only lacks its unit.
    const HAS_UNIT: bool = false;
    /// What a good value is.
    fn expected() -> String;
    /// Reads it.
    fn parse(text: &str) -> Result<Self, Fault>;
    /// The canonical text.
    fn text(&self) -> String;
}

/// Why a text is no value, as far as its type knows.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Fault {
    /// What was expected, when it is narrower than [`Written::expected`].
    pub(super) expected: Option<String>,
    /// What was probably meant, as a bare text.
    pub(super) meant: Option<String>,
}

impl Fault {
    /// Only a guess of what was meant.
    pub(super) fn meant(meant: Option<String>) -> Fault {
        Fault { expected: None, meant }
    }

    /// A narrower expectation.
    pub(super) fn expected(expected: &str) -> Fault {
        Fault { expected: Some(expected.to_owned()), meant: None }
    }
}

/// A value that does not fit its setting.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Mismatch {
    /// Where it stands, in bytes.
    pub(super) at: Range<usize>,
    /// What was expected.
    pub(super) expected: String,
    /// What was probably meant.
    pub(super) meant: Meant,
}

/// A guess of what was meant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Meant {
    /// No guess.
    Unknown,
    /// This TOML value.
    Toml(String),
    /// This number with the unit of the setting's default.
    WithUnit(String),
}

/// A value on its way out: to TOML, to JSON.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Shown {
    /// Not set.
    Unset,
    /// A string.
    Text(String),
    /// A whole number.
    Number(u32),
    /// A score, in hundredths.
    Score(i32),
    /// True or false.
    Switch(bool),
    /// Strings.
    List(Vec<String>),
}

impl Shown {
    /// As it would stand in the file; nothing when it is not set.
    pub(super) fn to_toml(&self) -> Option<String> {
        Some(match self {
            Shown::Unset => return None,
            Shown::Text(text) => quoted(text),
            Shown::Number(number) => number.to_string(),
            Shown::Score(hundredths) => decimal(*hundredths),
            Shown::Switch(switch) => switch.to_string(),
            Shown::List(items) => {
                format!("[{}]", items.iter().map(|item| quoted(item)).collect::<Vec<_>>().join(", "))
            }
        })
    }

    /// As JSON; `null` when it is not set.
    pub(super) fn to_json(&self) -> Json {
        match self {
            Shown::Unset => Json::Null,
            Shown::Text(text) => json!(text),
            Shown::Number(number) => json!(number),
            Shown::Score(hundredths) => json!(f64::from(*hundredths) / 100.0),
            Shown::Switch(switch) => json!(switch),
            Shown::List(items) => json!(items),
        }
    }
}

/// `3.5` of 350.
fn decimal(hundredths: i32) -> String {
    format!("{:?}", f64::from(hundredths) / 100.0)
}

/// A TOML string.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn mismatch<T: Value>(node: Node<'_>, meant: Meant) -> Vec<Mismatch> {
    vec![Mismatch { at: node.span(), expected: T::expected(), meant }]
}

impl<T: Written> Value for T {
    fn expected() -> String {
        <T as Written>::expected()
    }

    fn read(node: Node<'_>) -> Result<Self, Vec<Mismatch>> {
        match node.get_ref() {
            DeValue::String(text) => T::parse(text).map_err(|fault| {
                let expected = fault.expected.unwrap_or_else(<T as Written>::expected);
                let meant = fault.meant.map_or(Meant::Unknown, |m| Meant::Toml(quoted(&m)));
                vec![Mismatch { at: node.span(), expected, meant }]
            }),
            DeValue::Integer(number) if T::HAS_UNIT => {
                Err(mismatch::<T>(node, Meant::WithUnit(number.to_string())))
            }
            _ => Err(mismatch::<T>(node, Meant::Unknown)),
        }
    }

    fn shown(&self) -> Shown {
        Shown::Text(self.text())
    }
}

impl<T: Written> Value for Option<T> {
    fn expected() -> String {
        <T as Written>::expected()
    }

    fn read(node: Node<'_>) -> Result<Self, Vec<Mismatch>> {
        <T as Value>::read(node).map(Some)
    }

    fn shown(&self) -> Shown {
        self.as_ref().map_or(Shown::Unset, Value::shown)
    }
}

impl<T: Written> Value for Vec<T> {
    fn expected() -> String {
        format!("a list of {}", T::MANY)
    }

    fn read(node: Node<'_>) -> Result<Self, Vec<Mismatch>> {
        let items = match node.get_ref() {
            DeValue::Array(items) => items,
            DeValue::String(text) => {
                return Err(mismatch::<Self>(node, Meant::Toml(format!("[{}]", quoted(text)))));
            }
            _ => return Err(mismatch::<Self>(node, Meant::Unknown)),
        };
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        for item in items {
            <T as Value>::read(item).map_or_else(|faults| bad.extend(faults), |value| good.push(value));
        }
        if bad.is_empty() { Ok(good) } else { Err(bad) }
    }

    fn shown(&self) -> Shown {
        Shown::List(self.iter().map(Written::text).collect())
    }
}

impl Value for bool {
    fn expected() -> String {
        "true or false".to_owned()
    }

    fn read(node: Node<'_>) -> Result<Self, Vec<Mismatch>> {
        let text = match node.get_ref() {
            DeValue::Boolean(switch) => return Ok(*switch),
            DeValue::String(text) => text.to_ascii_lowercase(),
            DeValue::Integer(number) => number.to_string(),
            _ => String::new(),
        };
        let meant = match text.as_str() {
            "yes" | "on" | "true" | "1" => Meant::Toml("true".to_owned()),
            "no" | "off" | "false" | "0" => Meant::Toml("false".to_owned()),
            _ => Meant::Unknown,
        };
        Err(mismatch::<Self>(node, meant))
    }

    fn shown(&self) -> Shown {
        Shown::Switch(*self)
    }
}

/// A whole number between two bounds, both included.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Count<const FROM: u32, const TO: u32>(pub(super) u32);

impl<const FROM: u32, const TO: u32> Value for Count<FROM, TO> {
    fn expected() -> String {
        format!("a whole number from {FROM} to {TO}")
    }

    fn read(node: Node<'_>) -> Result<Self, Vec<Mismatch>> {
        number(node, FROM, TO).map(Self).map_err(|meant| mismatch::<Self>(node, meant))
    }

    fn shown(&self) -> Shown {
        Shown::Number(self.0)
    }
}

fn number(node: Node<'_>, from: u32, to: u32) -> Result<u32, Meant> {
    let fits = |n: &u32| (from..=to).contains(n);
    match node.get_ref() {
        DeValue::Integer(number) => whole(number).filter(fits).ok_or(Meant::Unknown),
        DeValue::String(text) => {
            let meant = text.trim().parse().ok().filter(fits);
            Err(meant.map_or(Meant::Unknown, |n| Meant::Toml(n.to_string())))
        }
        _ => Err(Meant::Unknown),
    }
}

fn whole(number: &DeInteger<'_>) -> Option<u32> {
    u32::from_str_radix(number.as_str(), number.radix()).ok()
}

/// A spam filter's score, above 0 and at most 1000.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Score {
    /// Hundredths of a point.
    pub(super) hundredths: i32,
}

/// The largest score that is read.
const SCORE_MAX: f64 = 1000.0;

impl Value for Option<Score> {
    fn expected() -> String {
        "a number above 0 and at most 1000".to_owned()
    }

    fn read(node: Node<'_>) -> Result<Self, Vec<Mismatch>> {
        let text = match node.get_ref() {
            DeValue::Float(number) => number.as_str().to_owned(),
            DeValue::Integer(number) => number.as_str().to_owned(),
            _ => String::new(),
        };
        let number = text.parse::<f64>().ok().filter(|n| *n > 0.0 && *n <= SCORE_MAX);
        // Bounded and rounded, so nothing is lost.
        #[expect(clippy::cast_possible_truncation, reason = "at most 100 000")]
        let score = number.map(|n| Score { hundredths: (n * 100.0).round() as i32 });
        let score = score.filter(|score| score.hundredths > 0);
        score.map(Some).ok_or_else(|| mismatch::<Self>(node, Meant::Unknown))
    }

    fn shown(&self) -> Shown {
        self.map_or(Shown::Unset, |score| Shown::Score(score.hundredths))
    }
}

/// The word that stands for no limit.
const UNLIMITED: &str = "unlimited";

/// A limit that can be lifted: a whole number, or `unlimited`, kept as the largest one.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Limit(pub(super) u32);

impl Value for Limit {
    fn expected() -> String {
        format!("a whole number from 1 on, or {UNLIMITED:?}")
    }

    fn read(node: Node<'_>) -> Result<Self, Vec<Mismatch>> {
        match node.get_ref() {
            DeValue::String(text) if text == UNLIMITED => Ok(Limit(u32::MAX)),
            _ => number(node, 1, u32::MAX - 1).map(Limit).map_err(|meant| mismatch::<Self>(node, meant)),
        }
    }

    fn shown(&self) -> Shown {
        if self.0 == u32::MAX { Shown::Text(UNLIMITED.to_owned()) } else { Shown::Number(self.0) }
    }
}

impl Written for PathBuf {
    const MANY: &'static str = "absolute paths";

    fn expected() -> String {
        "an absolute path".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let path = PathBuf::from(text);
        if path.is_absolute() && !text.contains(char::is_control) { Ok(path) } else { Err(Fault::default()) }
    }

    fn text(&self) -> String {
        self.display().to_string()
    }
}

/// The most characters of a site's name: it stands in headlines.
const TITLE_CHARS_MAX: usize = 64;

/// A name for headlines: one line of printable text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Title(pub(super) String);

impl Written for Title {
    fn expected() -> String {
        format!("one line of 1 to {TITLE_CHARS_MAX} characters")
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let trimmed = text.trim();
        let chars = trimmed.chars().count();
        let good = (1..=TITLE_CHARS_MAX).contains(&chars) && !trimmed.contains(char::is_control);
        if good { Ok(Title(trimmed.to_owned())) } else { Err(Fault::default()) }
    }

    fn text(&self) -> String {
        self.0.clone()
    }
}
