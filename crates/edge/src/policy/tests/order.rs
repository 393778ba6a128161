//! What one connection does in which order, over a stream that keeps a diary.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::super::connection::talk;
use super::super::host::Host;
use super::*;
use crate::service::Service;

/// What happened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Step {
    /// So many answers were written at once.
    Wrote(usize),
    /// An observation was offered.
    Offered,
}
use Step::{Offered, Wrote};

type Diary = Arc<Mutex<Vec<Step>>>;

struct Offers(Diary);

impl Intake for Offers {
    fn offer(&self, _: Observation) -> Result<(), Full> {
        self.0.lock().unwrap().push(Offered);
        Ok(())
    }
}

/// A peer that sends pieces, takes everything, and leaves.
struct Script {
    pieces: Vec<Vec<u8>>,
    diary: Diary,
}

impl AsyncRead for Script {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(piece) = self.pieces.first_mut() {
            let len = piece.len().min(room.remaining());
            room.put_slice(&piece.drain(..len).collect::<Vec<_>>());
            self.pieces.retain(|piece| !piece.is_empty());
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Script {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let answers = bytes.windows(2).filter(|pair| *pair == b"\n\n").count();
        self.diary.lock().unwrap().push(Wrote(answers));
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The diary of a connection on which these pieces arrive.
fn diary(pieces: &[Vec<u8>]) -> Vec<Step> {
    let diary = Diary::default();
    let projector = Projector::new(Arc::new(site()), Vec::new(), true, [1, 2]);
    let means = Means {
        views: Arc::new(Published::new(projector.view())),
        intake: Arc::new(Offers(diary.clone())),
        clock: Clock::manual(NOW),
        persons: persons(),
    };
    let shared = Arc::new(Shared::new(Config::new(Name::new(b"mx.example.org")), means, 1));
    let host = Rc::new(Host::new(shared, 0));
    let script = Script { pieces: pieces.to_vec(), diary: diary.clone() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let seat = host.seat().unwrap();
    runtime.block_on(talk(script, host, seat, true));
    let steps = diary.lock().unwrap();
    steps.clone()
}

#[test]
fn an_answer_is_written_before_anything_is_reported() {
    assert_eq!(diary(&[request(&[]), request(&[])]), [Wrote(1), Offered, Wrote(1), Offered]);
}

#[test]
fn requests_that_come_together_are_answered_in_one_write() {
    let three = request(&[]).repeat(3);
    assert_eq!(diary(&[three]), [Wrote(3), Offered, Offered, Offered]);
}

#[test]
fn a_flood_of_empty_requests_does_not_grow_into_one_of_memory() {
    // They arrive at once, and go out 16 KiB at a time: an answer has 14 bytes.
    let steps = diary(&[vec![b'\n'; 4096]]);
    assert_eq!(steps, [Wrote(1171), Wrote(1171), Wrote(1171), Wrote(583)]);
}
