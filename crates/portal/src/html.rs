//! Public data as HTML: one template for each kind of page, escaped by default.
//!
//! The style is inline, so that a page is one file without assets; its hash stands in the
//! content security policy.

use answers::{CasePage, HelpPage, LookupPage};
use askama::Template;
use model::Secs;

/// The style of all pages.
pub(crate) const STYLE: &str = include_str!("../templates/style.css");

/// What every page shows: the site's name and contact.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) site: String,
    pub(crate) contact: String,
    pub(crate) style: &'static str,
}

#[derive(Template)]
#[template(path = "home.html")]
pub(crate) struct Home<'a> {
    pub(crate) frame: &'a Frame,
    pub(crate) topics: Vec<(&'static str, &'static str)>,
    /// The form was sent with something that is no address.
    pub(crate) refused: bool,
}

#[derive(Template)]
#[template(path = "case.html")]
pub(crate) struct Case<'a> {
    pub(crate) frame: &'a Frame,
    pub(crate) page: &'a CasePage,
}

impl Case<'_> {
    /// `2 h 24 min`.
    fn remaining(&self) -> Secs {
        Secs(self.page.remaining_s)
    }

    /// Whether the headers of a message are on the page.
    fn has_headers(&self) -> bool {
        self.page.samples.iter().any(|s| s.headers.is_some())
    }

    fn percent(&self) -> u64 {
        self.page.served_permille / 10
    }

    /// The tone of the headline: `bad` in force, `calm` otherwise.
    fn tone(&self) -> &'static str {
        if self.page.state.is_in_force() { "bad" } else { "calm" }
    }
}

#[derive(Template)]
#[template(path = "lookup.html")]
pub(crate) struct Lookup<'a> {
    pub(crate) frame: &'a Frame,
    pub(crate) page: &'a LookupPage,
}

#[derive(Template)]
#[template(path = "help.html")]
pub(crate) struct Help<'a> {
    pub(crate) frame: &'a Frame,
    pub(crate) page: &'a HelpPage,
}

/// A page of a few words: not found, too many, not allowed.
#[derive(Template)]
#[template(path = "short.html")]
pub(crate) struct Short<'a> {
    pub(crate) frame: &'a Frame,
    pub(crate) title: &'static str,
    pub(crate) text: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value of a custom property in a rule that begins at `from`.
    fn colour(from: &str, name: &str) -> [f64; 3] {
        let value = from.split_once(&format!("--{name}:#")).expect("a colour").1;
        let digits: String = value.chars().take_while(char::is_ascii_hexdigit).collect();
        let wide = if digits.len() == 3 { digits.chars().flat_map(|c| [c, c]).collect() } else { digits };
        [0, 2, 4].map(|i| f64::from(u8::from_str_radix(&wide[i..i + 2], 16).expect("hexadecimal")) / 255.0)
    }

    /// WCAG 2.2, relative luminance.
    fn luminance(colour: [f64; 3]) -> f64 {
        let linear = colour.map(|c| if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) });
        0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    }

    fn contrast(a: [f64; 3], b: [f64; 3]) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn texts_have_the_contrast_of_wcag_aa_by_day_and_by_night() {
        let dark = STYLE.split_once("prefers-color-scheme:dark").expect("a dark scheme").1;
        for scheme in [STYLE, dark] {
            for (text, ground) in [
                ("ink", "paper"),
                ("ink", "raise"),
                ("ink", "code"),
                ("soft", "paper"),
                ("soft", "raise"),
                ("link", "paper"),
                ("link", "raise"),
                ("bad", "paper"),
                ("bad", "raise"),
            ] {
                let ratio = contrast(colour(scheme, text), colour(scheme, ground));
                assert!(ratio >= 4.5, "{text} on {ground}: {ratio:.2}");
            }
            // Parts of a picture need 3 (success criterion 1.4.11).
            for fill in ["badfill", "calm"] {
                let ratio = contrast(colour(scheme, fill), colour(scheme, "line"));
                assert!(ratio >= 3.0, "{fill} on the bar: {ratio:.2}");
            }
        }
    }
}
