//! SPF (RFC 7208): for whom it is asked, and the asking.
//!
//! Own code over the resolver that mail-auth brings: mail-auth 0.13.3 passes 149 of the 203
//! tests of the RFC's suite, and where it errs it often says ‘fail’ for a record that the RFC
//! calls broken (two records, mistyped prefix lengths, void lookups), which would refuse
//! mail. Explanations (`exp=`) are neither fetched nor kept.

use model::content::Spf;
use model::letter::Letter;
use tokio::time::{Instant, timeout_at};

use super::{Identity, Inner};
use check::Check;

mod check;
mod macros;
mod record;

/// Whom SPF is asked about; `None` where there is no domain to ask about.
pub(super) fn identity(letter: &Letter) -> Option<Identity> {
    // §2.4: ‘When the reverse-path is null … "MAIL FROM" identity to be the mailbox composed
    // of the local-part "postmaster" and the "HELO" identity’.
    if letter.sender.is_empty() {
        return Some(Identity::Helo(helo(letter)));
    }
    let at = letter.sender.iter().rposition(|&byte| byte == b'@')?;
    Some(Identity::MailFrom(text(&letter.sender[at + 1..]).to_lowercase()))
}

fn helo(letter: &Letter) -> String {
    letter.client.helo.as_ref().map(|name| text(name.as_bytes())).unwrap_or_default()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Inner {
    /// SPF for the envelope sender, or for HELO if that is null.
    pub(super) async fn spf(&self, letter: &Letter, until: Instant) -> Spf {
        let Some(identity) = identity(letter).filter(|_| self.settings.spf) else { return Spf::None };
        let helo = helo(letter);
        let local_part =
            letter.sender.iter().rposition(|&byte| byte == b'@').map(|at| text(&letter.sender[..at]));
        let (local_part, domain) = (local_part.unwrap_or_default(), identity.into_domain());
        let check = Check::new(self.resolver.resolver(), letter.client.addr, &local_part, &domain, &helo);
        timeout_at(until, check.run()).await.unwrap_or(Spf::TempError)
    }
}
