//! The servers that mail systems talk with: policy, milter, LMTP.

use std::sync::Arc;

use edge::dns::transfer::Edition;
use edge::{Greetings, dns, lmtp, milter, policy};
use model::policy::RuleMode;
use model::{Name, Offence, PersonHash, Policy, Prefix};

use sha2::{Digest, Sha256};

use super::inbox::Inbox;
use super::letters::{self, Judges, Letters};
use super::zones::{self, Zones};
use super::{Shared, names, scorer, site_file};
use crate::config::NameServer;
use crate::hearing::Hearing;

/// How long a judge's last word may come after its own deadline.
const SLACK: std::time::Duration = std::time::Duration::from_secs(1);

/// Connections on TCP that ask for lists, at once, and how long one may idle (RFC 7766 §6.2.3).
const DNS_CONNECTIONS: usize = 512;
const DNS_IDLE: std::time::Duration = std::time::Duration::from_secs(10);

/// Everything that answers mail systems; all of it stops when this is dropped.
#[derive(Default)]
pub(crate) struct Servers {
    pub(crate) policy: Option<policy::Running>,
    pub(crate) milter: Option<milter::Running>,
    pub(crate) lmtp: Option<lmtp::Running>,
    pub(crate) dns: Option<dns::Running>,
    /// What the name server hands out whole.
    zones: Option<Zones>,
    pub(crate) hearing: Option<Hearing>,
    pub(crate) inbox: Option<Arc<Inbox>>,
    /// After the milter: it waits for its judges.
    judges: Option<Judges>,
}

impl Servers {
    /// Starts what is configured.
    ///
    /// # Errors
    ///
    /// A text for the operator.
    pub(crate) fn start(shared: &Shared) -> Result<Servers, String> {
        let greetings = names::start(&shared.config, &shared.queue, &shared.clock)?;
        let policy = serve_policy(shared, greetings.clone())?;
        let mut servers = Servers { policy, ..Servers::default() };
        servers.serve_milter(shared, greetings)?;
        servers.serve_lmtp(shared)?;
        servers.serve_dns(shared)?;
        Ok(servers)
    }

    /// What is handed out whole, of a zone by its place.
    pub(crate) fn edition(&self, zone: usize) -> Option<Arc<Edition>> {
        self.zones.as_ref().and_then(|zones| zones.outlet().edition(zone))
    }

    fn serve_milter(&mut self, shared: &Shared, greetings: Option<Arc<Greetings>>) -> Result<(), String> {
        let settings = shared.config.milter();
        if settings.tcp.is_none() && settings.unix.is_none() {
            return Ok(());
        }
        let hearing = Hearing::new(&shared.config, shared.persons.clone(), &shared.mx)?;
        let policy = shared.policy_now();
        let means = letters::Means {
            published: shared.published.clone(),
            clock: shared.clock.clone(),
            persons: shared.persons.clone(),
            queue: shared.queue.clone(),
            keeper: shared.keeper_now()?,
            late: shared.late.clone(),
            manners: shared.manners.clone(),
            greetings: greetings.clone(),
        };
        let (letters, judges) = Letters::new(&shared.config, hearing.clone(), policy.clone(), means)?;
        let config = milter::Config {
            tcp: settings.tcp,
            unix: settings.unix,
            threads: settings.threads.unwrap_or_else(cores),
            trust_local: settings.trust_local,
            ours: policy.protected.clone(),
            relays: policy.relays.clone(),
            scorer: scorer::of(&policy),
            waiting: shared.waiting.clone(),
            manners: shared.manners.clone(),
            greetings,
            flooding: flooding(&policy),
            inspector: Some(Arc::new(letters)),
            quarantine: shared.config.end_rules().encrypted == answers::Act::Quarantine,
            body_max: settings.body_max,
            inspect_max: settings.patience.max(shared.config.judges().deadline + SLACK),
            ..milter::Config::new(shared.mx.clone())
        };
        let means = milter::Means {
            views: shared.published.clone(),
            intake: shared.queue.clone(),
            clock: shared.clock.clone(),
            persons: shared.persons.clone(),
        };
        self.milter = Some(milter::serve(config, means).map_err(|e| e.to_string())?);
        (self.hearing, self.judges) = (Some(hearing), Some(judges));
        Ok(())
    }

    fn serve_lmtp(&mut self, shared: &Shared) -> Result<(), String> {
        let inbox = Arc::new(inbox(shared));
        self.inbox = Some(inbox.clone());
        let Some(unix) = shared.config.lmtp() else { return Ok(()) };
        let config = lmtp::Config::new(unix.to_path_buf(), shared.mx.to_string());
        let running = lmtp::serve(config, inbox, shared.clock.clone()).map_err(|e| e.to_string())?;
        self.lmtp = Some(running);
        Ok(())
    }

    fn serve_dns(&mut self, shared: &Shared) -> Result<(), String> {
        let Some(settings) = shared.config.name_server() else { return Ok(()) };
        let mut config = name_server(settings.clone(), shared)?;
        self.zones = keep_zones(settings, shared, &config)?;
        let outlet = self.zones.as_ref().map(Zones::outlet);
        config.transfers = outlet.map(|outlet| Arc::new(outlet) as Arc<dyn dns::Transfers>);
        let zone = config.base.to_string();
        let running = dns::Running::start(config, shared.published.clone(), shared.clock.clone());
        let running = running.map_err(|e| e.to_string())?;
        tracing::info!(zone, addresses = ?running.addresses(), "block lists are served");
        self.dns = Some(running);
        self.zones.as_mut().map_or(Ok(()), Zones::run)?;
        Ok(())
    }
}

/// Keeps zones for those who may fetch them whole; without any, a zone's number is the time of
/// the start, and nobody looks at it.
fn keep_zones(settings: NameServer, shared: &Shared, config: &dns::Config) -> Result<Option<Zones>, String> {
    let Some(transfers) = settings.transfers.clone()? else {
        // RFC 1982 arithmetic: the lowest 32 bits are meant.
        let seconds = (shared.clock.now().0 / 1000) as u32;
        (0..dns::ZONES).for_each(|zone| config.serials.set(zone, seconds));
        return Ok(None);
    };
    let outlet = dns::transfer::Config {
        ttl: settings.copy_ttl(),
        base: settings.base,
        servers: settings.servers,
        contact: settings.contact,
        negative_ttl: settings.negative_ttl,
        from: transfers.to,
        keys: transfers.keys,
        site: shared.view().site.clone(),
    };
    let means = zones::Means {
        published: shared.published.clone(),
        news: shared.zone_news.clone(),
        clock: shared.clock.clone(),
        serials: config.serials.clone(),
    };
    let settings = zones::Settings { outlet, notify: transfers.notify };
    Zones::prepare(settings, shared.config.data_dir(), means).map(Some)
}

/// What a name server is, from the configuration.
fn name_server(settings: NameServer, shared: &Shared) -> Result<dns::Config, String> {
    let policy = shared.config.policy(&|_| PersonHash(0));
    let loopback = ["127.0.0.0/8", "::1"].into_iter().filter_map(|prefix| prefix.parse().ok());
    let known = loopback.chain(policy.protected).chain(settings.allow).collect();
    // Without it nothing is served: the fault is told where zones are kept.
    let secondaries = settings.transfers.ok().flatten().map(|transfers| transfers.to);
    let drawn = site_file::random()?;
    Ok(dns::Config {
        listen: settings.listen,
        threads: settings.threads.unwrap_or_else(cores),
        xdp: settings.xdp,
        base: settings.base,
        servers: settings.servers,
        contact: settings.contact,
        ttl: settings.ttl,
        negative_ttl: settings.negative_ttl,
        access: settings.access,
        known,
        secondaries: secondaries.unwrap_or_default(),
        keys: dns::Keys::new(settings.keys.iter().map(String::as_str), drawn),
        rates: settings.rates,
        // The same on all hosts of a site, so that a client may change between them.
        cookie_secret: Sha256::new()
            .chain_update(b"dns")
            .chain_update(shared.view().site.link_key.secret)
            .finalize()
            .into(),
        connections_max: DNS_CONNECTIONS,
        idle: DNS_IDLE,
        serials: Arc::default(),
        transfers: None,
    })
}

/// What the milter does about floods; a rule that is off counts nobody.
fn flooding(policy: &Policy) -> Option<milter::Flooding> {
    let mode = policy.mode(Offence::Flood);
    let answers = mode == RuleMode::Block;
    (mode != RuleMode::Off).then_some(milter::Flooding { rule: policy.flood, answers })
}

fn inbox(shared: &Shared) -> Inbox {
    let Shared { config, mx, names, .. } = shared;
    Inbox::new(config, mx, names, shared.persons.clone(), shared.queue.clone(), shared.clock.clone())
}

fn serve_policy(
    shared: &Shared,
    greetings: Option<Arc<Greetings>>,
) -> Result<Option<policy::Running>, String> {
    let listeners = shared.config.listeners();
    if listeners.policy_tcp.is_none() && listeners.policy_unix.is_none() {
        return Ok(None);
    }
    let policy = shared.config.policy(&|_| PersonHash(0));
    let ours: Vec<Prefix> = policy.protected.iter().chain(&policy.relays).copied().collect();
    let config = policy::Config {
        tcp: listeners.policy_tcp,
        unix: listeners.policy_unix,
        threads: listeners.threads.unwrap_or_else(cores),
        trust_local: listeners.trust_local,
        ours,
        scorer: scorer::of(&policy),
        waiting: shared.waiting.clone(),
        manners: shared.manners.clone(),
        greetings,
        tells_conduct: shared.config.milter().tcp.is_none() && shared.config.milter().unix.is_none(),
        ..policy::Config::new(Name::clone(&shared.mx))
    };
    let means = policy::Means {
        views: shared.published.clone(),
        intake: shared.queue.clone(),
        clock: shared.clock.clone(),
        persons: shared.persons.clone(),
    };
    policy::serve(config, means).map(Some).map_err(|e| e.to_string())
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
