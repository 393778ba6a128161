//! Whether a name exists in DNS, for names with which strangers greet (S78).
//!
//! ‘No such name’ counts only where DNS says so for both kinds of addresses: some servers deny
//! a whole name where it lacks one of them. A name that exists without an address exists.
//! What DNS does not answer in time, or fails at, is no opinion.

use mail_auth::hickory_resolver::proto::rr::{Name, RecordType};
use tokio::time::{Instant, timeout_at};

use super::resolver::Resolver;
use super::{Settings, SettingsError, resolver};

/// Looks names up.
pub struct Names {
    resolver: Resolver,
    settings: Settings,
}

impl Names {
    /// Prepares the resolver.
    ///
    /// # Errors
    ///
    /// [`SettingsError`], the operator's doing.
    pub fn new(settings: Settings) -> Result<Names, SettingsError> {
        Ok(Names { resolver: resolver::open(&settings)?, settings })
    }

    /// Whether a name exists; `None` where DNS does not say. Must be called in a tokio runtime.
    pub async fn exists(&self, name: &[u8]) -> Option<bool> {
        let until = Instant::now() + self.settings.deadline;
        let name = std::str::from_utf8(name).ok().filter(|name| !name.is_empty())?;
        let name = Name::from_ascii(format!("{name}.")).ok()?;
        for kind in [RecordType::A, RecordType::AAAA] {
            let looked = timeout_at(until, self.resolver.resolver().lookup(name.clone(), kind)).await;
            match looked.ok()? {
                Ok(_) => return Some(true),
                Err(error) if error.is_nx_domain() => {}
                Err(error) if error.is_no_records_found() => return Some(true),
                Err(_) => return None,
            }
        }
        Some(false)
    }
}
