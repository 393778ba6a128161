//! A zone as a file (RFC 1035 §5), for name servers that fetch nothing: what a transfer of it
//! would bring, line by line.

use std::io::{Result, Write};
use std::sync::Arc;

use answers::record_text;
use edge::dns::transfer::Edition;
use edge::dns::{EXPIRE, OwnedName, REFRESH, RETRY};
use model::{Millis, Site};
use projections::View;
use projections::records::{Entries, Head, POLICY_LABEL, Rows, Zone, zone_file};

use super::Form;
use crate::config::NameServer;

/// A zone that is about to be written.
pub(crate) struct ZoneFile {
    zone: Zone,
    head: Head,
    site: Arc<Site>,
    /// What is transferred; none where nothing is.
    edition: Option<Arc<Edition>>,
}

impl ZoneFile {
    /// The zone of a label, as `server` would serve it.
    ///
    /// # Errors
    ///
    /// A text for the operator: there is no such zone, or it has no name.
    pub(crate) fn of(
        form: Form,
        label: &str,
        server: Option<NameServer>,
        site: Arc<Site>,
    ) -> std::result::Result<ZoneFile, String> {
        let fits = |zone: &Zone| form == Form::Bind || zone.label == POLICY_LABEL;
        let known = || Zone::all().filter(fits).map(|zone| zone.label).collect::<Vec<_>>().join(", ");
        let zone = Zone::of(label).filter(fits);
        let zone = zone.ok_or_else(|| format!("--format {form} --zone: expected one of {}", known()))?;
        let server = server.ok_or_else(|| {
            format!("--format {form}: expected dns.zone in the configuration; its records hold that name")
        })?;
        let origin = server.base.below(zone.label).map_err(|error| error.to_string())?;
        Ok(ZoneFile { zone, head: head(&server, &origin), site, edition: None })
    }

    /// Its place among all zones.
    pub(crate) fn place(&self) -> usize {
        Zone::all().position(|zone| zone == self.zone).unwrap_or(usize::MAX)
    }

    /// The same as it is transferred, under its number.
    pub(crate) fn transferred(self, edition: Option<Arc<Edition>>) -> ZoneFile {
        ZoneFile { edition, ..self }
    }

    /// Writes everything; what is listed `now`, where nothing is transferred, with the time as
    /// its number.
    pub(crate) fn write(self, view: &View, now: Millis, out: &mut dyn Write) -> Result<()> {
        let ZoneFile { zone, mut head, site, edition } = self;
        // RFC 1982 arithmetic: the lowest 32 bits are meant.
        head.serial = edition.as_ref().map_or((now.0 / 1000) as u32, |edition| edition.serial);
        let entries = edition.map_or_else(|| Entries::of(view, now), |edition| edition.entries.clone());
        let text = |row: &projections::records::Row| {
            String::from_utf8_lossy(record_text(&site, &row.owner, row.codes).get().as_bytes()).into_owned()
        };
        zone_file(head, zone, Rows::new(&entries, zone), text)
            .try_for_each(|lines| out.write_all(lines.as_bytes()))
    }
}

fn head(server: &NameServer, origin: &OwnedName) -> Head {
    let dotted = |name: &OwnedName| format!("{name}.");
    let servers = if server.servers.is_empty() { &[server.base.clone()][..] } else { &server.servers };
    Head {
        origin: dotted(origin),
        servers: servers.iter().map(dotted).collect(),
        contact: dotted(&server.contact),
        serial: 0,
        times: [REFRESH, RETRY, EXPIRE],
        ttl: server.copy_ttl(),
        negative_ttl: server.negative_ttl,
    }
}
