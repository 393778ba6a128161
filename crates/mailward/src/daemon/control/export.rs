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
use crate::export::{Form, Writing};

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
    let zone = SUB_ZONES.iter().find(|zone| zone.label == asked.zone);
    let known = || SUB_ZONES.iter().map(|zone| zone.label).collect::<Vec<_>>().join(", ");
    let zone = zone.ok_or_else(|| bad(format!("--zone: expected one of {}", known())))?;
    if asked.external && zone.label != "all" {
        return Err(bad("--with-external: entries of others are exported with --zone all only (code 17)"));
    }
    if form.is_of_addresses() && zone.lists == Lists::Domains {
        return Err(bad(format!(
            "--zone {}: {form} has no domains; take rbldnsd, plain, csv or json",
            zone.label
        )));
    }
    let wanted = Wanted { codes: zone.codes, external: asked.external, now: daemon.clock.now() };
    let (out, pieces) = channel(PIECES);
    tokio::task::spawn_blocking(move || {
        let view = daemon.view();
        let writing = Writing { view: &view, zone, wanted, portal: &view.site.portal };
        let mut buffer = Buffer { bytes: Vec::new(), out };
        // An error means that nobody reads any more.
        let _ = form.write(&writing, &mut buffer).and_then(|()| std::io::Write::flush(&mut buffer));
    });
    Ok(Body::new(Pieces(pieces)).into_response())
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
