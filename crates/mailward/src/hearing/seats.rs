//! The judges of a configuration, each in its seat.

use judges::clamd::Clamd;
use judges::header::Trusted;
use judges::place::Place;
use judges::rspamd::Rspamd;
use judges::seat::{Limits, Panel, Seat};
use judges::spamd::Spamd;
use model::Name;

use crate::config::{Asked, Endpoint, HeaderMark};

/// All that are configured.
pub(super) fn panel(asked: &Asked) -> Panel {
    let limits = Limits { deadline: asked.deadline, size_max: asked.size_max, at_once_max: asked.at_once };
    let whole = Limits { size_max: usize::MAX, ..limits };
    let seats = [
        asked
            .rspamd
            .as_ref()
            .map(|at| Seat::new(name("rspamd"), Rspamd::new(place(at), asked.rspamd_mark), limits)),
        asked
            .spamd
            .as_ref()
            .map(|at| Seat::new(name("spamd"), Spamd::new(place(at), asked.spamd_mark), limits)),
        asked.clamd.as_ref().map(|at| Seat::new(name("clamd"), Clamd::new(place(at)), whole)),
        asked.header.as_ref().map(|mark| Seat::new(name("header"), trusted(mark), limits)),
    ];
    Panel::new(seats.into_iter().flatten().collect())
}

fn name(word: &str) -> Name {
    Name::new(word.as_bytes())
}

fn place(at: &Endpoint) -> Place {
    match at {
        Endpoint::Tcp(addr) => Place::Tcp(addr.ip().to_string(), addr.port()),
        Endpoint::Unix(path) => Place::Unix(path.clone()),
    }
}

/// The field of an earlier filter. Into other mail it may write nothing, so whatever stands
/// there may be a stranger's word: it never says ham.
fn trusted(mark: &HeaderMark) -> Trusted {
    Trusted {
        field: mark.name.clone(),
        spam: vec![mark.value.trim_end_matches([',', ';']).to_owned()],
        ham: Vec::new(),
        mark: None,
        upstream_only: false,
    }
}
