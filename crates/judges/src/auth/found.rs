//! What sender authentication found out.

use mail_auth::dmarc::Policy;
use mail_auth::{DmarcOutput, DmarcResult};
use model::content::{Dmarc, Spf};

use super::mx::Mx;

/// What was found out about who a message comes from.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Found {
    /// SPF's result.
    pub spf: Spf,
    /// For whom SPF was asked.
    pub spf_for: Option<Identity>,
    /// The DKIM signatures that were checked, good ones and the author's domain first.
    pub dkim: Vec<Signature>,
    /// The domain of the author (`From`), in lower case; `None` where there is none, or
    /// several.
    pub author: Option<String>,
    /// What DMARC says of the author's domain.
    pub dmarc: Dmarc,
    /// SPF passed for a domain of the author's organisation.
    pub spf_aligned: bool,
    /// A DKIM signature of the author's organisation passed.
    pub dkim_aligned: bool,
    /// Where answers to the envelope sender would go.
    pub mx: Mx,
}

/// The identity that SPF was asked about (RFC 7208 §2.3, §2.4).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Identity {
    /// The domain of the envelope sender.
    MailFrom(String),
    /// The HELO name, because the sender is null.
    Helo(String),
}

/// One DKIM signature.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Signature {
    /// What became of it.
    pub result: Dkim,
    /// The signing domain (`d=`), in lower case; empty where it could not be read.
    pub domain: String,
    /// The selector (`s=`).
    pub selector: String,
}

/// The results of DKIM (RFC 8601 §2.7.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "RFC 8601 §2.7.1 explains each")]
pub enum Dkim {
    Pass,
    Fail,
    /// It may be good, and is not accepted here: SHA-1 (RFC 8301 §3.1).
    Policy,
    Neutral,
    TempError,
    PermError,
}

impl Found {
    /// The domains whose signature passed, the author's first.
    pub fn passed(&self) -> impl Iterator<Item = &str> {
        let passed = self.dkim.iter().filter(|signature| signature.result == Dkim::Pass);
        passed.map(|signature| signature.domain.as_str())
    }
}

impl Identity {
    /// The domain, whichever it is.
    pub fn into_domain(self) -> String {
        match self {
            Identity::MailFrom(domain) | Identity::Helo(domain) => domain,
        }
    }
}

impl Found {
    /// Takes in what DMARC says. Where signatures could not be checked it must not say
    /// ‘fail’: the one left out might have passed.
    pub(super) fn weigh(&mut self, dmarc: &DmarcOutput, left_out: bool) {
        self.spf_aligned = *dmarc.spf_result() == DmarcResult::Pass;
        self.dkim_aligned = *dmarc.dkim_result() == DmarcResult::Pass;
        self.dmarc = match (dmarc.result(), dmarc.policy()) {
            (DmarcResult::Pass, _) => Dmarc::Pass,
            (DmarcResult::Fail(_), _) if left_out => Dmarc::None,
            (DmarcResult::Fail(_), Policy::Reject) => Dmarc::FailReject,
            (DmarcResult::Fail(_), Policy::Quarantine) => Dmarc::FailQuarantine,
            (DmarcResult::Fail(_), Policy::None | Policy::Unspecified) => Dmarc::Fail,
            (DmarcResult::TempError(_) | DmarcResult::PermError(_) | DmarcResult::None, _) => Dmarc::None,
        };
    }

    /// Sorts the signatures: passed ones first, of these the author's own domain, then one
    /// above or below it.
    pub(super) fn author_first(&mut self) {
        let author = self.author.clone().unwrap_or_default();
        let distance = |domain: &str| match domain == author {
            true => 0,
            false if is_below(domain, &author) || is_below(&author, domain) => 1,
            false => 2,
        };
        self.dkim.sort_by_key(|signature| (signature.result != Dkim::Pass, distance(&signature.domain)));
    }
}

fn is_below(name: &str, above: &str) -> bool {
    !above.is_empty() && name.strip_suffix(above).is_some_and(|rest| rest.ends_with('.'))
}
