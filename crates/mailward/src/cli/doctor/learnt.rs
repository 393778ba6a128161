//! What `doctor` says of what the site has learnt, and of lists that nobody looked at for long.

use answers::when::When;
use model::signatures::Signature;
use model::{Millis, Secs};
use serde_json::Value;

use super::{Finding, good, look};

/// Lessons of the connection score: how many, the newest, and how often looks are wrong.
pub(super) fn lessons(told: &Value) -> Vec<Finding> {
    let number = |of: &Value| of.as_u64().unwrap_or(0);
    let kinds = ["looks", "names", "networks", "greetings"].map(|kind| counted(number(&told[kind]), kind));
    let text = format!("{} weigh in the connection score; {}", kinds.join(", "), measured(&told["let_in"]));
    let mut findings = vec![good("lessons", text)];
    findings.extend(told["newest"].as_array().into_iter().flatten().map(|one| good("lesson", lesson(one))));
    findings
}

fn counted(number: u64, kind: &str) -> String {
    let one = number == 1;
    format!("{number} {}", kind.strip_suffix('s').filter(|_| one).unwrap_or(kind))
}

/// The false positives of looks, by those strangers who were let in all the same.
fn measured(let_in: &Value) -> String {
    let (judged, right) = (let_in["judged"].as_u64().unwrap_or(0), let_in["good"].as_u64().unwrap_or(0));
    if judged == 0 {
        return "no stranger of such a look was let in and judged in 30 days".to_owned();
    }
    // In hundredths of a percent: whole numbers.
    let share = right.saturating_mul(10_000) / judged;
    format!(
        "of {judged} strangers of such looks that were let in and judged in 30 days, {right} sent good mail \
         ({}.{:02} %)",
        share / 100,
        share % 100
    )
}

fn lesson(told: &Value) -> String {
    let word = |name: &str| told[name].as_str().unwrap_or_default();
    format!(
        "{}: {} points since {}, until {}; it rests on {} that sent only spam, and {} that sent good mail",
        word("of"),
        told["points"],
        word("since"),
        word("until"),
        told["bad"],
        told["good"]
    )
}

/// Families of bots whose day of review is over, or near.
pub(super) fn signatures(all: &[Signature], now: Millis) -> Vec<Finding> {
    let due = |family: &&Signature| family.until <= now.plus(SOON);
    let told = |family: &Signature| {
        // The stored time is the end of the day.
        let day = When::day(family.until.minus(Secs(1)));
        let name = &family.name;
        if family.until <= now {
            return look(
                "bots",
                format!(
                    "the family {name} was to be reviewed by {day}: it says nothing any more. Look whether it still \
                     comes, and give it a new day (rules.bot.signatures-file)"
                ),
            );
        }
        good("bots", format!("the family {name} is to be reviewed by {day}; after that it says nothing"))
    };
    all.iter().filter(due).map(told).collect()
}

/// So long before the day a review is told.
const SOON: Secs = Secs(30 * 86_400);

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_share_of_good_strangers_is_told_to_the_hundredth() {
        let text = |judged, good| measured(&json!({"judged": judged, "good": good}));
        assert!(text(0, 0).starts_with("no stranger"));
        assert!(text(800, 1).ends_with("1 sent good mail (0.12 %)"), "{}", text(800, 1));
        assert!(text(3, 3).ends_with("(100.00 %)"));
    }

    #[test]
    fn lessons_are_counted_and_the_newest_are_told_with_what_they_rest_on() {
        let newest = json!([{"of": "strangers from 192.0.2.0/24", "points": 4.0, "since": "2026-11-22T10:00Z",
            "until": "2026-11-29T10:00Z", "bad": 3, "good": 0}]);
        let told = json!({"looks": 1, "names": 2, "networks": 1, "greetings": 0, "newest": newest});
        let lines: Vec<String> = lessons(&told).into_iter().map(|finding| finding.text).collect();
        assert!(lines[0].starts_with("1 look, 2 names, 1 network, 0 greetings weigh"), "{}", lines[0]);
        assert_eq!(
            lines[1],
            "strangers from 192.0.2.0/24: 4.0 points since 2026-11-22T10:00Z, until 2026-11-29T10:00Z; it rests on \
             3 that sent only spam, and 0 that sent good mail"
        );
    }

    #[test]
    fn off_20_a_family_past_its_review_is_warned_of() {
        let parse = |text: &str| model::signatures::parse(text).unwrap();
        let all = parse(
            "one 2026-01-01 2026-11-22 helo=aaa* rdns=missing\ntwo 2026-01-01 2026-12-20 helo=bbb* rdns=missing\n\
                         three 2026-01-01 2027-12-20 helo=ccc* rdns=missing",
        );
        // 2026-11-23 00:00 UTC.
        let told = signatures(&all, Millis::from_secs(1_795_392_000));
        let lines: Vec<(bool, &str)> =
            told.iter().map(|finding| (finding.good, &finding.text[..14])).collect();
        assert_eq!(lines, [(false, "the family one"), (true, "the family two")]);
        assert!(told[0].text.contains("2026-11-22"), "{}", told[0].text);
        let before = signatures(&all, Millis::from_secs(1_795_391_999));
        assert!(before.iter().all(|finding| finding.good), "to the end of its day it holds");
    }
}
