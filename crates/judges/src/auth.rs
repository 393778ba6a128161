//! Sender authentication: SPF (RFC 7208), DKIM (RFC 6376, 8301, 8463) and DMARC (RFC 9989).
//!
//! DKIM and DMARC are mail-auth's work, SPF is ours, all over one resolver with the
//! site's settings; here stand the bounds. One deadline covers every lookup of a message.
//! What DNS does not answer in time is a temporary error, never a failure.
//!
//! Each part can be off ([`Settings`]); DMARC needs at least one of the others. What a site
//! that has no [`Auth`] at all loses: OFF-14, the credit of DKIM domains, and the
//! `Authentication-Results` field; nothing else asks for them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mail_auth::common::crypto::Algorithm;
use mail_auth::common::verify::VerifySignature;
use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::{AuthenticatedMessage, DkimOutput, DkimResult, DmarcOutput, SpfOutput, SpfResult};
use model::content::Spf;
use model::letter::Letter;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::auth::resolver::Resolver;

mod found;
mod mx;
mod names;
mod raw;
mod resolver;
pub mod results;
mod spf;
pub mod upstream;

pub use found::{Dkim, Found, Identity, Signature};
pub use mx::Mx;
pub use names::Names;
pub use resolver::SettingsError;

/// How many messages with small bodies are checked at once: each waits for strangers' name
/// servers, up to the deadline, and must not starve the others.
const SMALL_AT_ONCE_MAX: usize = 1024;
/// How many messages with large bodies are checked at once; each holds a thread.
const LARGE_AT_ONCE_MAX: usize = 64;
/// From here on hashing a body would hold up the sessions of others, so it gets a thread.
const LARGE_LEN_MIN: usize = 256 * 1024;

/// How sender authentication is done.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Name servers to ask; empty takes the system's.
    pub servers: Vec<SocketAddr>,
    /// How long one query may take.
    pub timeout: Duration,
    /// How often one query is sent.
    pub attempts: usize,
    /// How many responses are remembered.
    pub cached_max: u64,
    /// How long one message may take in all.
    pub deadline: Duration,
    /// Check SPF.
    pub spf: bool,
    /// Check DKIM.
    pub dkim: bool,
    /// Check DMARC.
    pub dmarc: bool,
    /// Look where answers to the sender would go.
    pub mx: bool,
    /// The name under which we vouch for results (RFC 8601 §2.5), and the `r` macro of SPF.
    pub authserv_id: String,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            servers: Vec::new(),
            timeout: Duration::from_secs(2),
            attempts: 2,
            cached_max: 8192,
            deadline: Duration::from_secs(5),
            spf: true,
            dkim: true,
            dmarc: true,
            mx: false,
            authserv_id: "localhost".into(),
        }
    }
}

/// Checks who a message comes from.
#[derive(Clone)]
pub struct Auth(Arc<Inner>);

struct Inner {
    resolver: Resolver,
    settings: Settings,
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

impl Auth {
    /// Prepares the resolver.
    pub fn new(settings: Settings) -> Result<Auth, SettingsError> {
        let resolver = resolver::open(&settings)?;
        let [small, large] =
            [SMALL_AT_ONCE_MAX, LARGE_AT_ONCE_MAX].map(|count| Arc::new(Semaphore::new(count)));
        Ok(Auth(Arc::new(Inner { resolver, settings, small, large })))
    }

    /// Checks a message, within the deadline. Must be called in a tokio runtime.
    pub async fn check(&self, letter: Arc<Letter>) -> Found {
        let until = Instant::now() + self.0.settings.deadline;
        let is_large = letter.body.len() >= LARGE_LEN_MIN;
        let places = if is_large { &self.0.large } else { &self.0.small };
        let Ok(place) = Arc::clone(places).try_acquire_owned() else { return self.0.nothing(&letter) };
        let (inner, asked) = (Arc::clone(&self.0), Arc::clone(&letter));
        let examine = async move {
            let _place = place;
            inner.examine(&asked, until).await
        };
        // A task of its own also keeps a panic over hostile bytes from the session.
        let runtime = Handle::current();
        let checked = match is_large {
            true => runtime.clone().spawn_blocking(move || runtime.block_on(examine)),
            false => runtime.spawn(examine),
        };
        // The deadline holds for a thread that is still waiting for its turn, too.
        match timeout_at(until + SLACK, checked).await {
            Ok(Ok(found)) => found,
            Ok(Err(_)) | Err(_) => self.0.nothing(&letter),
        }
    }

    /// The value of the `Authentication-Results` field for what was found.
    pub fn results(&self, found: &Found) -> String {
        results::write(&self.0.settings.authserv_id, found)
    }
}

/// The thread looks at the deadline itself and still has to write down what it knows.
const SLACK: Duration = Duration::from_millis(250);

impl Inner {
    /// What we know without looking.
    fn nothing(&self, letter: &Letter) -> Found {
        let (spf, spf_for) = match spf::identity(letter).filter(|_| self.settings.spf) {
            Some(identity) => (Spf::TempError, Some(identity)),
            None => (Spf::None, None),
        };
        Found { spf, spf_for, ..Found::default() }
    }

    async fn examine(&self, letter: &Letter, until: Instant) -> Found {
        let (raw, left_out) = raw::examined(letter, self.settings.dkim);
        let message = AuthenticatedMessage::parse(&raw);
        let (spf, dkim, mx) =
            tokio::join!(self.spf(letter, until), self.dkim(message.as_ref(), until), self.mx(letter, until));
        let (good, unfit) = self.fit(dkim, until).await;
        let mut found = self.nothing(letter);
        (found.spf, found.mx) = (spf, mx);
        if let Some(message) = &message {
            let dmarc = self.dmarc(letter, message, &good, spf, until).await;
            found.author = author(message);
            found.weigh(&dmarc, left_out);
        }
        found.dkim = good.iter().map(signature).chain(unfit).collect();
        found.author_first();
        found
    }

    async fn dkim<'x>(
        &self,
        message: Option<&'x AuthenticatedMessage<'x>>,
        until: Instant,
    ) -> Vec<DkimOutput<'x>> {
        let Some(message) = message.filter(|_| self.settings.dkim) else { return Vec::new() };
        timeout_at(until, self.resolver.verify_dkim(message)).await.unwrap_or_else(|_| raw::late(message))
    }

    /// Tells signatures that count from those that must not, whatever mail-auth says.
    async fn fit<'x>(
        &self,
        all: Vec<DkimOutput<'x>>,
        until: Instant,
    ) -> (Vec<DkimOutput<'x>>, Vec<Signature>) {
        let (mut good, mut unfit) = (Vec::new(), Vec::new());
        for output in all {
            if is_sha1(&output) {
                // RFC 8301 §3.1: ‘rsa-sha1 MUST NOT be used’.
                unfit.push(Signature { result: Dkim::Policy, ..signature(&output) });
            } else if *output.result() == DkimResult::Pass && !self.is_for_mail(&output, until).await {
                unfit.push(Signature { result: Dkim::PermError, ..signature(&output) });
            } else {
                good.push(output);
            }
        }
        (good, unfit)
    }

    /// Whether the key of a signature is one for mail (RFC 6376 §3.6.1, `s=`). Its record was
    /// just asked for, and is remembered.
    async fn is_for_mail(&self, output: &DkimOutput<'_>, until: Instant) -> bool {
        let Some(signature) = output.signature() else { return true };
        let record = timeout_at(until, self.resolver.txt_raw_lookup(signature.domain_key())).await;
        record.is_ok_and(|record| record.is_ok_and(|record| raw::serves_mail(&record)))
    }

    async fn dmarc(
        &self,
        letter: &Letter,
        message: &AuthenticatedMessage<'_>,
        dkim: &[DkimOutput<'_>],
        spf: Spf,
        until: Instant,
    ) -> DmarcOutput {
        if !self.settings.dmarc {
            return DmarcOutput::default();
        }
        // The domain that SPF was asked about is the one that may align.
        let domain = spf::identity(letter).map(Identity::into_domain).unwrap_or_default();
        let spf_output = SpfOutput::new(domain.clone()).with_result(match spf {
            Spf::Pass => SpfResult::Pass,
            Spf::TempError => SpfResult::TempError,
            // DMARC asks for nothing else.
            _ => SpfResult::None,
        });
        let asked = DmarcParameters {
            message,
            dkim_output: dkim,
            dkim2_output: None,
            rfc5321_mail_from_domain: &domain,
            spf_output: &spf_output,
        };
        timeout_at(until, self.resolver.verify_dmarc(asked)).await.unwrap_or_default()
    }
}

fn author(message: &AuthenticatedMessage<'_>) -> Option<String> {
    let mut domains =
        message.froms().iter().filter_map(|from| from.rsplit_once('@')).map(|(_, domain)| domain);
    let first = domains.next()?;
    domains.all(|domain| domain == first).then(|| first.to_ascii_lowercase())
}

fn is_sha1(output: &DkimOutput<'_>) -> bool {
    output.signature().is_some_and(|signature| signature.a == Algorithm::RsaSha1)
}

fn signature(output: &DkimOutput<'_>) -> Signature {
    let result = match output.result() {
        DkimResult::Pass => Dkim::Pass,
        DkimResult::Fail(_) => Dkim::Fail,
        DkimResult::Neutral(_) | DkimResult::None => Dkim::Neutral,
        DkimResult::TempError(_) => Dkim::TempError,
        DkimResult::PermError(_) => Dkim::PermError,
    };
    let (domain, selector) = output.signature().map_or((String::new(), String::new()), |signature| {
        (signature.d.to_ascii_lowercase(), signature.s.clone())
    });
    Signature { result, domain, selector }
}
