//! The resolver behind sender authentication, with the site's settings.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use mail_auth::MessageAuthenticator;
use mail_auth::hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use mail_auth::hickory_resolver::net::NetError;
use mail_auth::hickory_resolver::system_conf::read_system_conf;

use super::Settings;

/// mail-auth over hickory.
pub(super) type Resolver = MessageAuthenticator;

/// How long an answer may be remembered, whatever its time to live says: a day.
///
/// A domain that corrects a wrong record is believed the next day at the latest.
const REMEMBERED_MAX: Duration = Duration::from_secs(86_400);
/// How long it is remembered that a name does not exist, at most.
const ABSENCE_REMEMBERED_MAX: Duration = Duration::from_secs(3600);

/// Settings that no resolver can be made of.
#[derive(Debug)]
pub struct SettingsError(NetError);

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected name servers to ask, but got none that can be used")
    }
}

impl std::error::Error for SettingsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

/// Prepares a resolver; nothing is asked yet.
pub(super) fn open(settings: &Settings) -> Result<Resolver, SettingsError> {
    let (config, mut options) = match settings.servers[..] {
        [] => read_system_conf().map_err(SettingsError)?,
        ref servers => {
            let servers = servers.iter().map(server).collect();
            (ResolverConfig::from_name_servers(servers), ResolverOpts::default())
        }
    };
    options.timeout = settings.timeout;
    options.attempts = settings.attempts;
    options.cache_size = settings.cached_max;
    options.positive_max_ttl = Some(REMEMBERED_MAX);
    options.negative_max_ttl = Some(ABSENCE_REMEMBERED_MAX);
    // Mail asks DNS, not this machine's table of names.
    options.use_hosts_file = ResolveHosts::Never;
    // RFC 7208 §5.7: ‘a DNS A RR lookup (even when the connection type is IPv6)’.
    options.ip_strategy = LookupIpStrategy::Ipv4Only;
    MessageAuthenticator::new(config, options).map_err(SettingsError)
}

fn server(at: &SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
    let with_port = |mut connection: ConnectionConfig| {
        connection.port = at.port();
        connection
    };
    NameServerConfig::new(at.ip(), true, connections.into_iter().map(with_port).collect())
}
