//! What one stream says of Mailward: refused in all and in its later half, by rule, whose
//! ham was refused, and which networks were spared or missed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use serde_json::{Value, json};

use super::networks::Ranges;
use super::oracle;
use super::reference::Reference;
use super::score::{Run, Share, percent, rounded, score};
use super::stream::{Decision, Session};
use crate::error::TaskError;

/// Lists of providers' addresses, below the folder of networks: none may become a key.
const PROVIDERS: [&str; 4] =
    ["smtp-sending-ips", "google-gmail-sending-ips", "microsoft-office365-ip", "amazon-aws"];

/// Where those lists are.
const PROVIDERS_AT: &str = "net/providers/misp-warninglists";

/// Networks of hosting companies.
const HOSTING: &str = "net/datacenter-ipv4.txt.xz";

/// All that is said of one stream.
pub(super) struct Verdict {
    /// The stream's name.
    pub(super) name: String,
    /// The whole of it.
    pub(super) whole: Share,
    /// The sessions from the median on.
    pub(super) later: Share,
    /// What it is held against.
    pub(super) references: Vec<Reference>,
    /// By rule: spam refused, ham refused, addresses of that ham.
    pub(super) reasons: BTreeMap<String, (u64, u64, usize)>,
    /// Whose ham was refused, the most first.
    pub(super) ham: Vec<RefusedHam>,
    /// Only where it is asked.
    pub(super) networks: Option<Networks>,
    /// In the form of the reference scorer.
    pub(super) score: Value,
}

/// An address whose ham was refused.
pub(super) struct RefusedHam {
    /// The address.
    pub(super) client: String,
    /// How many of its messages.
    pub(super) count: u64,
    /// How many it sent.
    pub(super) of: u64,
    /// Reason and what weighed, of each kind of refusal, with how often.
    pub(super) why: BTreeMap<(String, String), u64>,
}

/// Who was listed and missed, by network.
pub(super) struct Networks {
    /// Listed keys in each list of providers.
    pub(super) listed: Vec<(String, usize)>,
    /// Addresses of the stream in any of the lists.
    pub(super) provider_addresses: usize,
    /// Spam from hosting networks: Mailward.
    pub(super) hosting: Share,
    /// … and the oracle with 96 hours.
    pub(super) hosting_oracle: Share,
    /// The same without what lies in a provider's list, too.
    pub(super) alone: Share,
    /// … and the oracle.
    pub(super) alone_oracle: Share,
}

impl Verdict {
    /// Judges one run.
    pub(super) fn of(name: &str, run: &Run<'_>, references: Vec<Reference>) -> Self {
        let half = run.sessions.len() / 2;
        let share =
            |sessions: &[Session]| Share::of(sessions.iter().map(|session| (session, run.refused(session))));
        Self {
            name: name.to_owned(),
            whole: share(run.sessions),
            later: share(&run.sessions[half..]),
            references,
            reasons: reasons(run),
            ham: refused_ham(run),
            networks: None,
            score: score(run),
        }
    }

    /// All of it as JSON.
    pub(super) fn to_json(&self) -> Value {
        let share = |share: &Share| {
            json!({
                "spam_pct": rounded(share.spam_pct(), 2),
                "ham_pct": rounded(share.ham_pct(), 3),
                "ham_n": share.ham.1,
                "spam_keys": share.spam_keys,
                "ham_keys": share.ham_keys,
            })
        };
        let reasons = self.reasons.iter().map(|(reason, (spam, ham, keys))| {
            (reason.clone(), json!({"spam": spam, "ham": ham, "ham_keys": keys}))
        });
        json!({
            "stream": self.name,
            "whole": share(&self.whole),
            "later_half": share(&self.later),
            "references": self.references.iter().map(Reference::to_json).collect::<Vec<_>>(),
            "reasons": Value::Object(reasons.collect()),
            "ham_refused": self.ham.iter().map(RefusedHam::to_json).collect::<Vec<_>>(),
            "networks": self.networks.as_ref().map(Networks::to_json),
            "score": self.score,
        })
    }
}

fn reasons(run: &Run<'_>) -> BTreeMap<String, (u64, u64, usize)> {
    let mut by: BTreeMap<String, (u64, u64, BTreeSet<&str>)> = BTreeMap::new();
    for session in run.sessions.iter().filter(|session| run.refused(session)) {
        let of = by.entry(reason(run, session).to_owned()).or_default();
        of.0 += u64::from(session.is_spam());
        if session.is_ham() {
            of.1 += 1;
            of.2.insert(&session.client);
        }
    }
    by.into_iter().map(|(reason, (spam, ham, keys))| (reason, (spam, ham, keys.len()))).collect()
}

fn reason<'a>(run: &'a Run<'_>, session: &Session) -> &'a str {
    run.decisions.get(&session.id).map_or("None", Decision::reason)
}

fn refused_ham(run: &Run<'_>) -> Vec<RefusedHam> {
    let mut by: BTreeMap<&str, RefusedHam> = BTreeMap::new();
    let mut sent: HashMap<&str, u64> = HashMap::new();
    for session in run.sessions.iter().filter(|session| session.is_ham()) {
        *sent.entry(&session.client).or_default() += 1;
        if !run.refused(session) {
            continue;
        }
        let client = session.client.clone();
        let new = || RefusedHam { client, count: 0, of: 0, why: BTreeMap::new() };
        let of = by.entry(&session.client).or_insert_with(new);
        let why = run.decisions.get(&session.id).map(|decision| decision.why.clone()).unwrap_or_default();
        of.count += 1;
        *of.why.entry((reason(run, session).to_owned(), why)).or_default() += 1;
    }
    let whole = |(client, ham): (&str, RefusedHam)| RefusedHam { of: sent[client], ..ham };
    let mut found: Vec<_> = by.into_iter().map(whole).collect();
    found.sort_by_key(|ham| std::cmp::Reverse(ham.count));
    found
}

impl RefusedHam {
    fn to_json(&self) -> Value {
        let why = |((reason, why), count): (&(String, String), &u64)| json!({"reason": reason, "why": why, "count": count});
        json!({
            "client": self.client,
            "count": self.count,
            "of": self.of,
            "why": self.why.iter().map(why).collect::<Vec<_>>(),
        })
    }
}

impl Networks {
    /// Looks at the networks of a run. `data` is the folder of public data.
    pub(super) fn of(data: &Path, run: &Run<'_>) -> Result<Self, TaskError> {
        let list = |name: &str| Ranges::read(&data.join(PROVIDERS_AT).join(name).join("list.json"));
        let lists = PROVIDERS.iter().map(|name| list(name)).collect::<Result<Vec<_>, _>>()?;
        let hosting = Ranges::read(&data.join(HOSTING))?;
        let keys = |ranges: &Ranges| {
            let keys = run.listings.iter().filter(|listing| ranges.touch(&listing.key));
            keys.map(|listing| &listing.key).collect::<BTreeSet<_>>().len()
        };
        let provider = |session: &Session| lists.iter().any(|list| list.hold(session.addr));
        let oracle = oracle::refused(run.sessions, oracle::FIXED_96);
        let share = |alone: bool, by_oracle: bool| {
            let places = run.sessions.iter().enumerate();
            let within = places.filter(|(_, s)| hosting.hold(s.addr) && !(alone && provider(s)));
            Share::of(within.map(|(place, session)| {
                (session, if by_oracle { oracle.contains(&place) } else { run.refused(session) })
            }))
        };
        let of_providers = run.sessions.iter().filter(|session| provider(session));
        Ok(Self {
            listed: PROVIDERS
                .iter()
                .zip(&lists)
                .map(|(name, list)| ((*name).to_owned(), keys(list)))
                .collect(),
            provider_addresses: of_providers.map(|session| session.addr).collect::<BTreeSet<_>>().len(),
            hosting: share(false, false),
            hosting_oracle: share(false, true),
            alone: share(true, false),
            alone_oracle: share(true, true),
        })
    }

    /// Listed keys that lie in a provider's list; one in two lists counts twice.
    pub(super) fn listed_providers(&self) -> usize {
        self.listed.iter().map(|(_, count)| count).sum()
    }

    /// The rows of its table: what, Mailward, the oracle.
    pub(super) fn rows(&self) -> Vec<[String; 3]> {
        let listed = self.listed.iter().map(|(name, count)| {
            [format!("listed keys in the providers' list {name}"), count.to_string(), "0".to_owned()]
        });
        let pct = |share: &Share| format!("{:.2} %", share.spam_pct());
        let hosting = |what: &str, own: &Share, oracle: &Share| {
            let what = format!("spam refused of {} from {what}", own.spam.0);
            [what, pct(own), pct(oracle)]
        };
        let hosting = [
            hosting("hosting networks", &self.hosting, &self.hosting_oracle),
            hosting("hosting networks that are no provider's", &self.alone, &self.alone_oracle),
        ];
        listed.chain(hosting).collect()
    }

    fn to_json(&self) -> Value {
        let spam = |share: &Share| rounded(percent(share.spam.1, share.spam.0), 2);
        json!({
            "listed": self.listed,
            "provider_addresses": self.provider_addresses,
            "hosting": {"spam": self.hosting.spam.0, "spam_pct": spam(&self.hosting), "fixed_96_h_pct": spam(&self.hosting_oracle)},
            "hosting_alone": {"spam": self.alone.spam.0, "spam_pct": spam(&self.alone), "fixed_96_h_pct": spam(&self.alone_oracle)},
        })
    }
}
