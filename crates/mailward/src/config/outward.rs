//! What other parts of the program are told: the engine's policy and the site's words.

use answers::{Act, EndRules};
use model::damage::NULL_ROUTES_PER_MINUTE;
use model::policy::{Guards, RuleMode, TrapKind, VolumeRule};
use model::{Domain, DomainHash, Greylist, LinkKey, Name, Offence, PersonHash, Policy, Site, Tariff};

use super::judges::Encrypted;
use super::net::{Mailbox, Recipient};
use super::settings::Settings;
use super::url::Url;
use super::words::{Expiry, FirstMode};
use super::{Config, NameServer, Weights};

/// Open at every domain whatever is configured (RFC 5321 §4.5.1).
const POSTMASTER: &str = "postmaster";

/// Stands for the contact where none is set; then no refusal leaves this machine.
const NO_CONTACT: &str = "postmaster@localhost";

/// Stands for the site's name where neither it nor the portal's URL is set.
const NO_NAME: &str = "this mail server";

/// Top-level names of RFC 2606: no public page and no mailbox lies below them.
const RESERVED: [&str; 4] = ["test", "example", "invalid", "localhost"];

/// The second-level names of RFC 2606, as they stand in samples.
const SAMPLES: [&str; 3] = ["example.com", "example.net", "example.org"];

impl Config {
    /// The engine's policy. `person` makes the keyed hash of a trap address, which is given
    /// in lower case.
    ///
    /// Two files that say the same make the same bytes, in whatever order they say it.
    pub(crate) fn policy(&self, person: &dyn Fn(&str) -> PersonHash) -> Policy {
        let settings = &self.settings;
        Policy {
            tariff: tariff(settings),
            modes: modes(settings),
            volume: volume(settings),
            guards: guards(settings),
            traps: self.hashed_traps(person),
            our_names: names(&settings.own.names),
            protected: sorted(&settings.own.networks),
            relays: sorted(&settings.own.relays),
            shared: names(&settings.shared_names),
            documentation: settings.allow_documentation_prefixes,
            keys_max: settings.keys.0,
            learn_first: settings.mode == FirstMode::Learn,
            dictionary: settings.rules.dictionary.rule(&|_| None),
            flood: settings.rules.flood.rule(),
            bot: settings.rules.bot.rule(&self.signatures),
            protocol: settings.rules.protocol.rule(),
            hash_flood: settings.rules.hash_flood.rule(),
            networks: settings.rules.net_l2.rule(),
            geo: settings.rules.geo.rule(),
            shared_networks: self.networks.clone(),
            greylist: self.greylist(),
            reference: reference(settings),
            our_domains: self.our_domains(),
        }
    }

    /// Names that are ours and are no names of hosts: of senders, of the portal, of the contact
    /// and of the block lists.
    fn our_domains(&self) -> Option<Vec<Name>> {
        let settings = &self.settings;
        let portal = settings.portal.url.iter().map(Url::host);
        let contact = settings.portal.contact.iter().map(Mailbox::domain);
        let zone = settings.dns.zone.iter().map(|zone| zone.0.to_string());
        let senders = settings.own.senders.iter().map(|domain| domain.as_str().to_owned());
        let all = portal.chain(contact).map(str::to_owned).chain(zone).chain(senders);
        let ours: Vec<Domain> = all.filter_map(|name| name.parse().ok()).collect();
        (!ours.is_empty()).then(|| names(&ours))
    }

    /// Greylisting, where it is on.
    fn greylist(&self) -> Option<Greylist> {
        let section = &self.settings.greylist;
        let shipped = Greylist::shipped(section.mode.0?);
        let pass = section.pass.unwrap_or(shipped.pass);
        Some(Greylist { pass, retry: section.retry, white: section.white, ..shipped })
    }

    /// The same, for a program that sees domains as keyed hashes.
    pub(crate) fn policy_of(
        &self,
        person: &dyn Fn(&str) -> PersonHash,
        domain: &dyn Fn(&str) -> Option<DomainHash>,
    ) -> Policy {
        Policy { dictionary: self.settings.rules.dictionary.rule(domain), ..self.policy(person) }
    }

    fn hashed_traps(&self, person: &dyn Fn(&str) -> PersonHash) -> Vec<(PersonHash, TrapKind)> {
        let mut traps: Vec<_> = self.traps.iter().map(|(who, kind)| (person(&who.0), *kind)).collect();
        traps.sort_by_key(|(who, _)| *who);
        traps
    }

    /// The name server, where a zone is set.
    pub(crate) fn name_server(&self) -> Option<NameServer> {
        let contact = self.settings.portal.contact.as_ref().map_or(NO_CONTACT, |mailbox| &mailbox.0);
        self.settings.dns.server(contact, &self.transfer_keys)
    }

    /// Whether DNS is asked for the names with which strangers greet.
    pub(crate) fn asks_for_names(&self) -> bool {
        self.settings.rules.helo_name.0 != RuleMode::Off
    }

    /// Which rules give points to a message: those that are neither off nor in shadow.
    pub(crate) fn weights(&self) -> Weights {
        let rules = &self.settings.rules;
        let counts = |mode: RuleMode| matches!(mode, RuleMode::Score | RuleMode::Block);
        Weights {
            connection: counts(rules.connection.0),
            attachments: counts(rules.attachment.0),
            sender: counts(rules.forged.0),
            conduct: counts(rules.conduct.0),
        }
    }

    /// What is done with whole messages: a rule that blocks servers refuses their messages,
    /// too, and one that is off or in shadow refuses nothing.
    pub(crate) fn end_rules(&self) -> EndRules {
        let rules = &self.settings.rules;
        let refuse_if = |on: bool| if on { Act::Refuse } else { Act::Pass };
        let blocks = |mode: RuleMode| refuse_if(mode == RuleMode::Block);
        EndRules {
            virus: blocks(rules.virus.0),
            attachment: blocks(rules.attachment.0),
            encrypted: match self.settings.judges.encrypted {
                Encrypted::Pass => Act::Pass,
                Encrypted::Quarantine => Act::Quarantine,
                Encrypted::Refuse => Act::Refuse,
            },
            forged: refuse_if(matches!(rules.forged.0, RuleMode::Score | RuleMode::Block)),
            first_hit: blocks(rules.volume.mode.0),
            scored: blocks(rules.message.0),
            ..EndRules::default()
        }
    }

    /// What the site says of itself to outsiders.
    pub(crate) fn site(&self, link_key: LinkKey) -> Site {
        let settings = &self.settings;
        let contact = settings.portal.contact.as_ref().map_or(NO_CONTACT, |mailbox| &mailbox.0);
        let (exempt_local, exempt_address) = exempt(settings);
        Site {
            name: self.site_name(),
            portal: self.portal_url(),
            contact: contact.to_owned(),
            exempt_local,
            exempt_address,
            may_refuse: self.missing_for_refusals().is_empty(),
            greylist: self.greylist(),
            by_country: settings.rules.geo.by_country(),
            helo_names: self.asks_for_names().then_some(settings.rules.helo_name.0),
            link_key,
        }
    }

    fn site_name(&self) -> String {
        let url = self.settings.portal.url.as_ref();
        let title = self.settings.site.as_ref().map(|title| title.0.clone());
        title.or_else(|| url.map(|u| u.host().to_owned())).unwrap_or_else(|| NO_NAME.to_owned())
    }

    /// Where the portal is reached; without a URL where it listens, which is of use here only.
    fn portal_url(&self) -> String {
        let portal = &self.settings.portal;
        let listens = || portal.listen.0.map_or(String::new(), |at| format!("http://{at}"));
        portal.url.as_ref().map_or_else(listens, |url| url.0.clone())
    }

    /// The lines that are missing for refusals to leave for clients outside loopback
    /// (DESIGN §5, ‘First start’), as they can be pasted; empty when they may.
    ///
    /// Names that RFC 2606 reserves count as missing: they are the sample's, and a sender
    /// could not follow them. With documentation prefixes allowed they count as real.
    pub(crate) fn missing_for_refusals(&self) -> Vec<String> {
        let url = (!self.has_url()).then_some("url = \"https://mailward.example.org\"");
        let contact = (!self.has_contact()).then_some("contact = \"postmaster@example.org\"");
        let lines = url.into_iter().chain(contact);
        lines.map(|line| format!("{line}  # in section [portal], with your name")).collect()
    }

    fn has_url(&self) -> bool {
        let is_fit = |url: &Url| {
            if url.is_public() { self.is_real(url.host()) } else { self.is_local_only() }
        };
        self.settings.portal.url.as_ref().is_some_and(is_fit)
    }

    fn has_contact(&self) -> bool {
        let is_fit = |contact: &Mailbox| self.is_real(contact.domain());
        self.settings.portal.contact.as_ref().is_some_and(is_fit)
    }

    /// Whether nobody outside this machine reaches a listener.
    fn is_local_only(&self) -> bool {
        let settings = &self.settings;
        [settings.policy.tcp, settings.milter.tcp, settings.portal.listen].iter().all(|at| at.is_loopback())
    }

    fn is_real(&self, host: &str) -> bool {
        self.settings.allow_documentation_prefixes || !is_reserved(host)
    }
}

/// Whether RFC 2606 reserves a name.
fn is_reserved(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let is_below = |name: &&str| host == *name || host.ends_with(&format!(".{name}"));
    RESERVED.iter().chain(&SAMPLES).any(is_below)
}

fn tariff(settings: &Settings) -> Tariff {
    let sentence = &settings.sentence;
    Tariff {
        per_unit: sentence.per_unit,
        floor: sentence.floor,
        cap: sentence.cap,
        doublings: u8::try_from(sentence.doublings.0).unwrap_or(u8::MAX),
    }
}

/// The rules whose mode is not the shipped one.
fn modes(settings: &Settings) -> Vec<(Offence, RuleMode)> {
    let rules = &settings.rules;
    let set = [
        (Offence::SpamVolume, rules.volume.mode.0),
        (Offence::Trap, rules.trap.0),
        (Offence::Helo, rules.helo.0),
        // The connection score is one rule with two numbers: OFF-10 and OFF-11.
        (Offence::ReverseDns, rules.connection.0),
        (Offence::Dynamic, rules.connection.0),
        (Offence::Reports, rules.reports.0),
        (Offence::Virus, rules.virus.0),
        (Offence::Attachment, rules.attachment.0),
        (Offence::ForgedSender, rules.forged.0),
        (Offence::DomainConduct, rules.conduct.0),
        (Offence::Backscatter, rules.backscatter.0),
        (Offence::EarlyTalker, rules.protocol.early_mode.0),
        (Offence::Protocol, rules.protocol.mode.0),
        (Offence::Bot, rules.bot.mode.0),
        (Offence::HashFlood, rules.hash_flood.mode.0),
        (Offence::Greytrap, rules.greytrap.0),
        (Offence::PrefixEscalation, rules.net_l2.mode.0),
        (Offence::AsnEscalation, rules.asn_l3.0),
        (Offence::Geo, rules.geo.mode.0),
        (Offence::Dictionary, rules.dictionary.mode.0),
        (Offence::Flood, rules.flood.mode.0),
    ];
    let shipped = Policy::shipped();
    set.into_iter().filter(|(offence, mode)| shipped.mode(*offence) != *mode).collect()
}

fn volume(settings: &Settings) -> VolumeRule {
    let rule = &settings.rules.volume;
    VolumeRule {
        first_hit: rule.first_hit.0,
        units_hour: rule.units_hour.0,
        units_day: rule.units_day.0,
        share_percent: rule.share.0,
        messages_min: rule.messages.0,
        dump_units: rule.dump.0,
    }
}

/// The rules whose blocks end as the lists do that they follow.
fn reference(settings: &Settings) -> Option<Vec<Offence>> {
    let rules = &settings.rules;
    let asked = [(Offence::Trap, rules.trap_expiry), (Offence::Reports, rules.reports_expiry)];
    let listed: Vec<_> =
        asked.into_iter().filter(|(_, expiry)| *expiry == Expiry::Reference).map(|(rule, _)| rule).collect();
    (!listed.is_empty()).then_some(listed)
}

fn guards(settings: &Settings) -> Guards {
    let guards = &settings.guards;
    let null_routes = guards.null_routes_per_minute.0;
    Guards {
        classes: guards.classes,
        ratio: guards.ratio,
        attempts: guards.attempts,
        blocks_per_minute: guards.blocks_per_minute.0,
        null_routes: (null_routes != NULL_ROUTES_PER_MINUTE).then_some(null_routes),
        trial: guards.trial,
    }
}

fn names(domains: &[Domain]) -> Vec<Name> {
    sorted(domains).iter().map(|domain| Name::new(domain.as_str().as_bytes())).collect()
}

fn sorted<T: Clone + Ord>(items: &[T]) -> Vec<T> {
    let mut items = items.to_vec();
    items.sort();
    items.dedup();
    items
}

/// Recipients that are open to blocked hosts: local parts, whole addresses.
fn exempt(settings: &Settings) -> (Vec<String>, Vec<String>) {
    let mut local = vec![POSTMASTER.to_owned()];
    let mut address: Vec<String> = settings.portal.contact.iter().map(|contact| contact.0.clone()).collect();
    for recipient in &settings.own.exempt {
        match recipient {
            Recipient::Local(name) => local.push(name.clone()),
            Recipient::Address(whole) => address.push(whole.0.clone()),
        }
    }
    (sorted(&local), sorted(&address))
}
