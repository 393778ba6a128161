//! What is listed, as a text that is written while it is read.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use hyper::body::{Bytes, Frame};
use model::SUB_ZONES;
use model::codes::Lists;
use projections::spans::Wanted;
use serde::Deserialize;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::{Fault, bad};
use crate::daemon::Shared;
use crate::export::{Form, Writing, ZoneFile};

/// Pieces under way: a reader that is slow makes the writer wait.
const PIECES: usize = 4;

/// Octets of a piece, about.
const PIECE_LEN: usize = 64 * 1024;

#[derive(Deserialize)]
pub(super) struct ExportQuery {
    format: String,
    zone: String,
    #[serde(default)]
    external: bool,
}

pub(super) async fn export(
    State(daemon): State<Arc<Shared>>,
    Query(asked): Query<ExportQuery>,
) -> Result<Response, Fault> {
    let form: Form = asked.format.parse().map_err(bad)?;
    let write = if form.is_zone() { zone_file(&daemon, form, &asked) } else { list(&daemon, form, &asked) };
    let write = write.map_err(bad)?;
    let (out, pieces) = channel(PIECES);
    tokio::task::spawn_blocking(move || {
        let mut buffer = Buffer { bytes: Vec::new(), out };
        // An error means that nobody reads any more.
        let _ = write(&mut buffer).and_then(|()| std::io::Write::flush(&mut buffer));
    });
    Ok(Body::new(Pieces(pieces)).into_response())
}

/// What writes an export, or why there is none: a text for the operator.
type Written = Result<Box<dyn FnOnce(&mut Buffer) -> std::io::Result<()> + Send>, String>;

fn list(daemon: &Arc<Shared>, form: Form, asked: &ExportQuery) -> Written {
    let zone = SUB_ZONES.iter().find(|zone| zone.label == asked.zone);
    let known = || SUB_ZONES.iter().map(|zone| zone.label).collect::<Vec<_>>().join(", ");
    let zone = zone.ok_or_else(|| format!("--zone: expected one of {}", known()))?;
    if asked.external && zone.label != "all" {
        return Err("--with-external: entries of others are exported with --zone all only (code 17)".into());
    }
    if form.is_of_addresses() && zone.lists == Lists::Domains {
        return Err(format!(
            "--zone {}: {form} has no domains; take rbldnsd, bind, plain, csv or json",
            zone.label
        ));
    }
    let wanted = Wanted { codes: zone.codes, external: asked.external, now: daemon.clock.now() };
    let daemon = daemon.clone();
    Ok(Box::new(move |out| {
        let view = daemon.view();
        form.write(&Writing { view: &view, zone, wanted, portal: &view.site.portal }, out)
    }))
}

fn zone_file(daemon: &Arc<Shared>, form: Form, asked: &ExportQuery) -> Written {
    if asked.external {
        return Err(format!("--with-external: entries of others stand in no zone ({form})"));
    }
    let file = ZoneFile::of(form, &asked.zone, daemon.config.name_server(), daemon.view().site.clone())?;
    let edition = daemon.servers().edition(file.place());
    let (file, view, now) = (file.transferred(edition), daemon.view(), daemon.clock.now());
    Ok(Box::new(move |out| file.write(&view, now, out)))
}

/// Gathers pieces and hands them on.
struct Buffer {
    bytes: Vec<u8>,
    out: Sender<Bytes>,
}

impl std::io::Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() >= PIECE_LEN {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let piece = std::mem::take(&mut self.bytes);
        self.out.blocking_send(piece.into()).map_err(|_| std::io::ErrorKind::BrokenPipe.into())
    }
}

/// A body of pieces that come from another thread.
struct Pieces(Receiver<Bytes>);

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}
