//! Texts that many servers send as spam, for the end of a message (REQUIREMENTS A.4,
//! `hash-flood`).
//!
//! The engine decides about servers by texts of its own; an answer can not wait for it. So
//! what this process heard is counted here, too: small, lossy, empty after a start, and never
//! evidence (DESIGN §4, 3). A message that a filter takes for spam and whose text is known is
//! refused whoever sends it, an established server too; it is not blocked for that.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use edge::Persons;
use engine::Texts;
use model::key::client_prefix;
use model::policy::RuleMode;
use model::{Judgement, Millis, Offence, Policy};

use crate::hearing::Heard;

/// What was heard lately; none where the rule does not block.
pub(super) struct KnownTexts {
    texts: Option<Mutex<Texts>>,
    networks: u32,
}

impl KnownTexts {
    pub(super) fn new(policy: &Policy, persons: &Persons) -> KnownTexts {
        let blocks = policy.mode(Offence::HashFlood) == RuleMode::Block;
        let seeds = [b"0", b"1"].map(|n| persons.queue(b"texts", n));
        let texts = blocks.then(|| Mutex::new(Texts::new(seeds)));
        KnownTexts { texts, networks: policy.hash_flood.networks }
    }

    /// Whether a message is spam with a known text; what `counts` is remembered.
    pub(super) fn knows(&self, from: IpAddr, at: Millis, heard: &Heard, counts: bool) -> bool {
        let judgement = heard.verdict.as_ref().map(|said| said.judgement);
        let (Some(texts), Some(text), Some(judgement)) = (&self.texts, heard.content.text, judgement) else {
            return false;
        };
        // Counts stay counts, whatever another thread left behind.
        let mut texts = texts.lock().unwrap_or_else(PoisonError::into_inner);
        let networks = if counts {
            texts.judged(text, client_prefix(from), judgement, at)
        } else {
            texts.networks(text, at)
        };
        judgement == Judgement::Spam && networks >= self.networks
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hearing::Said;
    use model::{Content, Name};

    /// Spam with one text from so many networks; is the next one, judged so, known?
    fn after(networks: u8, counts: bool, judgement: Judgement, policy: &Policy) -> bool {
        let texts = KnownTexts::new(policy, &Persons::new([7; 16]));
        let heard = |judgement| Heard {
            verdict: Some(Said { judgement, score: None, source: Name::new(b"rspamd") }),
            content: Content { text: Some(7), ..Content::default() },
            ..Heard::default()
        };
        let at = Millis::from_secs(1_793_491_200);
        for n in 0..networks {
            texts.knows([203, 0, n, 1].into(), at, &heard(Judgement::Spam), counts);
        }
        texts.knows([192, 0, 2, 1].into(), at, &heard(judgement), counts)
    }

    #[test]
    fn a_4_spam_with_a_text_from_three_networks_is_known_whoever_sends_it() {
        let policy = Policy::shipped();
        assert!(after(3, true, Judgement::Spam, &policy));
        assert!(!after(2, true, Judgement::Spam, &policy));
        assert!(!after(3, true, Judgement::Ham, &policy), "what is good passes");
        assert!(!after(3, false, Judgement::Spam, &policy), "what does not count teaches nothing");
        let modes = vec![(Offence::HashFlood, RuleMode::Shadow)];
        assert!(!after(3, true, Judgement::Spam, &Policy { modes, ..policy }));
    }
}
