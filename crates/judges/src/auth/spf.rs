//! SPF (RFC 7208): for whom it is asked, and what mail-auth leaves to its caller.

use mail_auth::spf::verify::SpfParameters;
use mail_auth::{SpfOutput, SpfResult};
use model::content::Spf;
use model::letter::Letter;
use tokio::time::{Instant, timeout_at};

use super::{Identity, Inner};

/// Whom SPF is asked about; `None` where there is no domain to ask about.
pub(super) fn identity(letter: &Letter) -> Option<Identity> {
    // §2.4: ‘When the reverse-path is null … "MAIL FROM" identity to be the mailbox composed
    // of the local-part "postmaster" and the "HELO" identity’.
    if letter.sender.is_empty() {
        let helo = letter.client.helo.as_ref()?;
        return Some(Identity::Helo(text(helo.as_bytes())));
    }
    let at = letter.sender.iter().rposition(|&byte| byte == b'@')?;
    Some(Identity::MailFrom(text(&letter.sender[at + 1..]).to_lowercase()))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Inner {
    /// SPF for the envelope sender, or for HELO if that is null.
    pub(super) async fn spf(&self, letter: &Letter, until: Instant) -> Option<SpfOutput> {
        let identity = identity(letter).filter(|_| self.settings.spf)?;
        let helo = letter.client.helo.as_ref().map(|name| text(name.as_bytes())).unwrap_or_default();
        let (sender, host) = (text(&letter.sender), &self.settings.authserv_id);
        let asked = match &identity {
            Identity::MailFrom(_) => {
                SpfParameters::verify_mail_from(letter.client.addr, &helo, host, &sender)
            }
            Identity::Helo(domain) => SpfParameters::verify_ehlo(letter.client.addr, domain, host),
        };
        let output = timeout_at(until, self.resolver.verify_spf(asked)).await;
        Some(
            output
                .unwrap_or_else(|_| SpfOutput::new(identity.into_domain()).with_result(SpfResult::TempError)),
        )
    }
}

/// mail-auth's word in ours.
pub(super) fn word(result: SpfResult) -> Spf {
    match result {
        SpfResult::Pass => Spf::Pass,
        SpfResult::Fail => Spf::Fail,
        SpfResult::SoftFail => Spf::SoftFail,
        SpfResult::Neutral => Spf::Neutral,
        SpfResult::TempError => Spf::TempError,
        SpfResult::PermError => Spf::PermError,
        SpfResult::None => Spf::None,
    }
}
