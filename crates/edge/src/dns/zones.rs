//! Which of our zones a name lies in.

use model::codes::Lists;
use model::{Codes, SUB_ZONES, SubZone};
use wire::dns::{DnsName, Labels, OwnedName, Shared, Soa};

use super::Config;

/// How many zones there are: the base zone, number 0, and the sub-zones behind it.
pub const ZONES: usize = SUB_ZONES.len() + 1;

/// Seconds that a secondary waits between two looks.
pub const REFRESH: u32 = 300;
/// Seconds that it waits after a failure.
pub const RETRY: u32 = 60;
/// Seconds after which it forgets a zone that it can not renew: a day, because lists live by
/// the minute.
pub const EXPIRE: u32 = 86_400;

/// The base zone as a list: of nothing.
const BASE: SubZone = SubZone { label: "", lists: Lists::Addresses, codes: Codes::NONE, doc: "" };

/// The number of a sub-zone by its label.
pub fn zone_index(label: &str) -> Option<usize> {
    SUB_ZONES.iter().position(|zone| zone.label == label).map(|at| at + 1)
}

/// The name of a zone by its number.
pub fn zone_name(base: &OwnedName, zone: usize) -> OwnedName {
    let label = zone.checked_sub(1).and_then(|at| SUB_ZONES.get(at)).map(|zone| zone.label);
    // A base zone to which no label fits is refused with the configuration.
    label.and_then(|label| base.below(label).ok()).unwrap_or_else(|| base.clone())
}

/// Where a name lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'q> {
    /// The zone's number.
    pub(super) zone: usize,
    /// What the zone lists.
    pub(super) lists: &'static SubZone,
    /// Labels in front of the zone, without a key.
    pub(super) front: Labels<'q>,
    /// So many octets of the name stand in front of the zone's.
    pub(super) before: usize,
    /// What stands where a key would: right in front of the zone.
    pub(super) key: Option<(&'q [u8], Labels<'q>)>,
    /// A label of the base zone that names no list, and what stands in front of it.
    pub(super) unknown: Option<Labels<'q>>,
}

/// Finds the zone of a name; `None` where it is not ours.
pub(super) fn find<'q>(base: &OwnedName, name: DnsName<'q>) -> Option<Place<'q>> {
    let inside = name.within(base.name())?;
    let front = inside.front();
    let Some((rest, label)) = inside.split_last() else {
        return Some(Place { zone: 0, lists: &BASE, front, before: 0, key: None, unknown: None });
    };
    let sub = SUB_ZONES.iter().position(|zone| label.eq_ignore_ascii_case(zone.label.as_bytes()));
    let Some(at) = sub else {
        let before = front.octets();
        return Some(Place { zone: 0, lists: &BASE, front, before, key: None, unknown: Some(rest) });
    };
    let key = inside.split_last_but_one().map(|(before_key, key)| (key, before_key));
    Some(Place {
        zone: at + 1,
        lists: &SUB_ZONES[at],
        front: rest,
        before: rest.octets(),
        key,
        unknown: None,
    })
}

/// What each zone says of itself: who serves it.
#[derive(Debug)]
pub(super) struct Apexes {
    zones: Vec<OwnedName>,
    servers: Vec<OwnedName>,
    /// By zone.
    starts: Vec<Soa>,
}

impl Apexes {
    pub(super) fn of(config: &Config) -> Apexes {
        let zones: Vec<OwnedName> = (0..ZONES).map(|zone| zone_name(&config.base, zone)).collect();
        let servers =
            if config.servers.is_empty() { vec![config.base.clone()] } else { config.servers.clone() };
        let times = [REFRESH, RETRY, EXPIRE, config.negative_ttl];
        let start = |zone: &OwnedName| {
            let shared = |name| Shared::of(name, zone.name());
            Soa::new(shared(servers[0].name()), shared(config.contact.name()), times)
        };
        Apexes { starts: zones.iter().map(start).collect(), zones, servers }
    }

    /// The start of a zone.
    pub(super) fn soa(&self, zone: usize) -> &Soa {
        &self.starts[zone]
    }

    /// Its servers.
    pub(super) fn servers(&self, zone: usize) -> impl Iterator<Item = Shared<'_>> {
        let name = self.zones[zone].name();
        self.servers.iter().map(move |server| Shared::of(server.name(), name))
    }
}
