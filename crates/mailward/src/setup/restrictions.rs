//! Where in a list of restrictions Postfix should ask Mailward.
//!
//! Postfix goes through a list until one entry decides (SMTPD_ACCESS_README). What stands
//! there already keeps its words and its order.

use super::postconf::Postconf;

/// Mail for strangers' domains is refused here; what comes behind is for us.
const GUARDS: [&str; 2] = ["reject_unauth_destination", "defer_unauth_destination"];

/// Our own clients pass here, and Mailward need not be asked about them.
const OWN_CLIENTS: [&str; 5] = [
    "permit_mynetworks",
    "permit_sasl_authenticated",
    "permit_inet_interfaces",
    "permit_tls_clientcerts",
    "permit_tls_all_clientcerts",
];

/// Where the question was put.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Place {
    /// It stood there already.
    Already,
    /// Into a new list: own clients, then the guard, then the question.
    New,
    /// Directly behind the guard.
    BehindGuard,
    /// Behind our own clients; the guard stands in `smtpd_relay_restrictions`.
    BehindOwnClients,
    /// Before everything else.
    First,
}

/// A list with the question in it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct List {
    /// The restrictions in their order, each with its argument.
    pub(super) entries: Vec<String>,
    /// Where the question stands.
    pub(super) place: Place,
}

/// The question, and how it is recognised.
#[derive(Clone, Debug)]
pub(super) struct Question<'a> {
    /// The whole entry.
    pub(super) entry: &'a str,
    /// The socket as Postfix names it.
    pub(super) service: &'a str,
}

impl Question<'_> {
    fn is(&self, entry: &str) -> bool {
        is_policy_service(entry) && entry.contains(self.service)
    }
}

/// Puts the question into `smtpd_recipient_restrictions`.
pub(super) fn at_recipients(postfix: &Postconf, question: &Question<'_>) -> List {
    let was = entries(postfix, postfix.written("smtpd_recipient_restrictions").unwrap_or(""));
    let (ours, mut rest): (Vec<_>, Vec<_>) = was.iter().cloned().partition(|entry| question.is(entry));
    let entry = ours.into_iter().next().unwrap_or_else(|| question.entry.to_owned());
    let (at, place) = if rest.is_empty() {
        rest = for_strangers(postfix);
        (rest.len(), Place::New)
    } else if let Some(guard) = rest.iter().position(|entry| is_guard(postfix, entry)) {
        (guard + 1, Place::BehindGuard)
    } else {
        (
            rest.iter().take_while(|entry| OWN_CLIENTS.contains(&entry.as_str())).count(),
            Place::BehindOwnClients,
        )
    };
    rest.insert(at, entry);
    List { place: if rest == was { Place::Already } else { place }, entries: rest }
}

/// Puts the question into `smtpd_end_of_data_restrictions`: first, so that every message is
/// seen with its queue id.
pub(super) fn at_end_of_data(postfix: &Postconf, question: &Question<'_>) -> List {
    let was = entries(postfix, postfix.written("smtpd_end_of_data_restrictions").unwrap_or(""));
    if was.iter().any(|entry| question.is(entry)) {
        return List { entries: was, place: Place::Already };
    }
    let place = if was.is_empty() { Place::New } else { Place::First };
    let entries = [question.entry.to_owned()].into_iter().chain(was).collect();
    List { entries, place }
}

/// Whether any list asks another policy service, whose settings are not ours to change.
pub(super) fn asks_others(postfix: &Postconf, question: &Question<'_>) -> bool {
    let asks_other = |value| entries(postfix, value).iter().any(|e| is_policy_service(e) && !question.is(e));
    postfix.all().any(|(_, value)| value.contains("check_policy_service") && asks_other(value))
}

/// The part of the relay restrictions up to the guard: whom they let pass is our client.
fn for_strangers(postfix: &Postconf) -> Vec<String> {
    let relay = postfix.value("smtpd_relay_restrictions").unwrap_or_default();
    let own = entries(postfix, &relay).into_iter().take_while(|entry| !GUARDS.contains(&entry.as_str()));
    own.chain([GUARDS[0].to_owned()]).collect()
}

fn is_guard(postfix: &Postconf, entry: &str) -> bool {
    // An operator's own name for a part of a list, as `$name`.
    let words = postfix.expanded(entry);
    !entry.starts_with("warn_if_reject")
        && entries(postfix, &words).iter().any(|e| GUARDS.contains(&e.as_str()))
}

fn is_policy_service(entry: &str) -> bool {
    entry.trim_start_matches("warn_if_reject ").starts_with("check_policy_service ")
}

/// The restrictions of a value, each with its argument.
fn entries(postfix: &Postconf, value: &str) -> Vec<String> {
    let classes = postfix.words("smtpd_restriction_classes");
    let (mut entries, mut open): (Vec<String>, bool) = (Vec::new(), false);
    for word in words(value) {
        let wants_more = takes_argument(&word) && !classes.contains(&word);
        match entries.last_mut().filter(|_| open) {
            Some(entry) => *entry = format!("{entry} {word}"),
            None => entries.push(word.clone()),
        }
        open = word == "warn_if_reject" || wants_more;
    }
    entries
}

fn takes_argument(word: &str) -> bool {
    (word.starts_with("check_") && word.ends_with("_access"))
        || word.starts_with("reject_rhsbl_")
        || [
            "check_policy_service",
            "reject_rbl_client",
            "permit_dnswl_client",
            "permit_rhswl_client",
            "sleep",
        ]
        .contains(&word)
}

/// The words of a list, which commas or blanks separate; what is in braces is one word.
pub(super) fn words(value: &str) -> Vec<String> {
    let (mut words, mut word, mut depth) = (Vec::new(), String::new(), 0usize);
    for c in value.chars().chain([',']) {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && (c == ',' || c.is_whitespace()) {
            words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
        } else {
            word.push(c);
        }
    }
    // A brace that nobody closed: what is there is kept.
    words.extend(Some(word.trim_end_matches(',').to_owned()).filter(|word| !word.is_empty()));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASK: Question<'_> =
        Question { entry: "check_policy_service unix:mailward/policy", service: "unix:mailward/policy" };

    #[track_caller]
    fn check(was: &str, place: Place, expect: &[&str]) {
        check_in(&format!("smtpd_recipient_restrictions = {was}\n"), place, expect);
    }

    #[track_caller]
    fn check_in(postconf: &str, place: Place, expect: &[&str]) {
        let list = at_recipients(&Postconf::parse(postconf), &ASK);
        assert_eq!((list.place, list.entries.iter().map(String::as_str).collect()), (place, expect.to_vec()));
    }

    #[test]
    fn a_new_list_begins_like_the_relay_restrictions() {
        let ask = ASK.entry;
        let shipped = ["permit_mynetworks", "permit_sasl_authenticated", "reject_unauth_destination", ask];
        check("", Place::New, &shipped);
        check_in("x = y", Place::New, &shipped);
        check_in(
            "smtpd_relay_restrictions = permit_mynetworks check_client_access hash:/etc/postfix/ours, \
             defer_unauth_destination",
            Place::New,
            &[
                "permit_mynetworks",
                "check_client_access hash:/etc/postfix/ours",
                "reject_unauth_destination",
                ask,
            ],
        );
    }

    #[test]
    fn the_question_stands_directly_behind_the_guard() {
        check(
            "permit_mynetworks reject_unauth_destination reject_rbl_client bl.example.net, permit",
            Place::BehindGuard,
            &[
                "permit_mynetworks",
                "reject_unauth_destination",
                ASK.entry,
                "reject_rbl_client bl.example.net",
                "permit",
            ],
        );
        check_in(
            "smtpd_recipient_restrictions = $first, permit\nfirst = permit_mynetworks, reject_unauth_destination",
            Place::BehindGuard,
            &["$first", ASK.entry, "permit"],
        );
    }

    #[test]
    fn without_the_guard_it_stands_behind_our_own_clients() {
        check(
            "permit_mynetworks, reject_non_fqdn_recipient",
            Place::BehindOwnClients,
            &["permit_mynetworks", ASK.entry, "reject_non_fqdn_recipient"],
        );
        check(
            "permit_auth_destination, reject",
            Place::BehindOwnClients,
            &[ASK.entry, "permit_auth_destination", "reject"],
        );
        check(
            "warn_if_reject reject_unauth_destination, permit",
            Place::BehindOwnClients,
            &[ASK.entry, "warn_if_reject reject_unauth_destination", "permit"],
        );
    }

    #[test]
    fn a_question_that_stands_right_stays_with_its_words() {
        let ours = "check_policy_service { unix:mailward/policy, timeout=3s }";
        check(
            &format!("reject_unauth_destination {ours}, permit"),
            Place::Already,
            &["reject_unauth_destination", ours, "permit"],
        );
        check(
            &format!("{ours}, reject_unauth_destination"),
            Place::BehindGuard,
            &["reject_unauth_destination", ours],
        );
    }

    #[test]
    fn an_own_class_takes_no_argument() {
        check_in(
            "smtpd_restriction_classes = check_my_access\nsmtpd_recipient_restrictions = check_my_access \
             reject_unauth_destination",
            Place::BehindGuard,
            &["check_my_access", "reject_unauth_destination", ASK.entry],
        );
    }

    #[test]
    fn a_brace_that_nobody_closed_loses_nothing() {
        check(
            "reject_unauth_destination, check_policy_service { unix:x, timeout=1s",
            Place::BehindGuard,
            &["reject_unauth_destination", ASK.entry, "check_policy_service { unix:x, timeout=1s"],
        );
    }

    #[test]
    fn other_policy_services_are_seen_wherever_they_are() {
        let asks = |text: &str| asks_others(&Postconf::parse(text), &ASK);
        assert!(asks("smtpd_sender_restrictions = check_policy_service inet:127.0.0.1:10023"));
        assert!(asks("mine = warn_if_reject check_policy_service unix:private/x"));
        assert!(!asks("smtpd_recipient_restrictions = check_policy_service unix:mailward/policy"));
    }

    #[test]
    fn the_end_of_data_is_asked_first_and_once() {
        let at = |text: &str| at_end_of_data(&Postconf::parse(text), &ASK);
        assert_eq!(at("x = y").place, Place::New);
        let list = at("smtpd_end_of_data_restrictions = check_size_access hash:/x permit");
        assert_eq!(
            (list.place, list.entries),
            (Place::First, vec![ASK.entry.into(), "check_size_access hash:/x".into(), "permit".into()])
        );
        let again = format!("smtpd_end_of_data_restrictions = permit_mynetworks {}", ASK.entry);
        assert_eq!(at(&again).place, Place::Already);
    }
}
