//! What takes long, on a clock that stands still until everybody waits.

use std::cell::Cell;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use model::Millis;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};
use tokio::time::{Instant, sleep};

use super::super::connection::talk;
use super::*;
use crate::service::{Service, Stream};

impl Stream for DuplexStream {}

/// A stream that counts how often the kernel is asked to acknowledge, beside the reads that
/// brought something.
struct Acknowledges {
    stream: DuplexStream,
    asked: Rc<Cell<[u32; 2]>>,
}

impl Acknowledges {
    fn count(&self, at: usize) {
        let mut counts = self.asked.get();
        counts[at] += 1;
        self.asked.set(counts);
    }
}

impl Stream for Acknowledges {
    fn acknowledge(&self) {
        self.count(1);
    }
}

impl AsyncRead for Acknowledges {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = room.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, room);
        if room.filled().len() > before {
            self.count(0);
        }
        read
    }
}

impl AsyncWrite for Acknowledges {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// An inspector that needs so long.
struct Needs(Duration);

impl Inspector for Needs {
    fn inspect(&self, _: Letter, _: About) -> Inspection {
        let time = self.0;
        Inspection::Pending(Box::pin(async move {
            sleep(time).await;
            Ending { tell: EndTell::Pass, insert: vec![(b"X-Mailward".to_vec(), b"ham".to_vec())] }
        }))
    }
}

/// A host with an inspector that needs so long.
fn host(needs: Duration) -> Rc<Host> {
    let config =
        Config { inspector: Some(Arc::new(Needs(needs))), ..Config::new(Name::new(b"mx.example.org")) };
    let means = Means {
        views: Books::new().published,
        intake: Arc::new(Heard { room: 100, ..Heard::default() }),
        clock: Clock::manual(Millis(NOW.0)),
        persons: persons(),
    };
    Rc::new(Host::new(Arc::new(Shared::new(config, means, 1)), 0))
}

/// What the MTA is told, and how many seconds after the start, when it sends these pieces
/// with so many seconds before each.
fn told(host: &Rc<Host>, pieces: &[(u64, Vec<u8>)]) -> Vec<(u64, String)> {
    told_over(host, pieces, |stream| stream)
}

/// The same, over a stream that `wrap` makes of ours.
fn told_over<S: Stream>(
    host: &Rc<Host>,
    pieces: &[(u64, Vec<u8>)],
    wrap: impl FnOnce(DuplexStream) -> S,
) -> Vec<(u64, String)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(async {
        let (ours, theirs) = duplex(1024 * 1024);
        let seat = host.seat().unwrap();
        let (mut all, began) = (Vec::new(), Instant::now());
        let (mut reader, mut writer) = tokio::io::split(theirs);
        let write = async {
            for (pause, bytes) in pieces {
                sleep(Duration::from_secs(*pause)).await;
                if writer.write_all(bytes).await.is_err() {
                    return;
                }
            }
        };
        let read = async {
            let mut unread = Vec::new();
            loop {
                while let Ok(Some((packet, rest))) = split_packet(&unread) {
                    all.push((began.elapsed().as_secs(), words(&Told::read(packet).unwrap())));
                    unread = rest.to_vec();
                }
                if reader.read_buf(&mut unread).await.unwrap_or(0) == 0 {
                    return;
                }
            }
        };
        let host = host.clone();
        let talk = async move {
            talk(wrap(ours), host, seat, true).await;
        };
        tokio::join!(talk, write, read);
        all.push((began.elapsed().as_secs(), "closed".into()));
        all
    })
}

fn packets(commands: &[Command<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    commands.iter().for_each(|command| command.write(&mut out));
    out
}

/// A session up to the end of its one message.
fn message() -> Vec<u8> {
    packets(&[
        Command::Negotiate(POSTFIX),
        Command::Connect { host: b"x", peer: Peer::Ip("192.0.2.25".parse().unwrap(), 1) },
        Command::Mail { path: b"<a@example.net>", parameters: b"" },
        Command::Rcpt { path: b"<b@example.org>", parameters: b"" },
        Command::EndOfBody(b""),
    ])
}

#[track_caller]
fn check(host: &Rc<Host>, pieces: &[(u64, Vec<u8>)], expect: &[(u64, &str)]) {
    let got = told(host, pieces);
    let got: Vec<_> = got.iter().map(|(at, text)| (*at, text.as_str())).collect();
    assert_eq!(got[0].1.split(' ').next(), Some("agreed"));
    assert_eq!(&got[1..], expect);
}

#[test]
fn while_an_inspector_works_the_mta_hears_of_it() {
    let host = host(Duration::from_secs(25));
    let quit = packets(&[Command::Quit]);
    let expect = [
        (0, "continue"),
        (10, "progress"),
        (20, "progress"),
        (25, "insert 0 X-Mailward: ham"),
        (25, "continue"),
        (30, "closed"),
    ];
    check(&host, &[(0, message()), (30, quit)], &expect);
    assert_eq!(host.counters.counts().overdue, 0);
}

#[test]
fn an_inspector_that_hangs_lets_the_message_pass() {
    let host = host(Duration::from_secs(1_000_000));
    let told = told(&host, &[(0, message()), (61, packets(&[Command::Quit]))]);
    let progress = told.iter().filter(|(_, text)| text == "progress").count();
    assert_eq!(progress, 5);
    assert_eq!(told[told.len() - 2..], [(60, "continue".to_owned()), (61, "closed".to_owned())]);
    assert_eq!(host.counters.counts().overdue, 1);
}

#[test]
fn the_rest_of_a_command_has_its_time_from_its_first_byte() {
    let host = host(Duration::ZERO);
    let start = packets(&[Command::Negotiate(POSTFIX)]);
    let slow: Vec<_> = std::iter::once((0, start))
        .chain(packets(&[Command::Helo(&[b'x'; 50])]).iter().map(|b| (3, vec![*b])))
        .collect();
    let got = told(&host, &slow);
    assert_eq!(got[1].1, "closed");
    assert_eq!(host.counters.counts().slow, 1);
    // Its first byte came after three seconds; it would have gone on for 165.
    assert!(got[1].0 < 20, "{got:?}");
}

#[test]
fn a_client_that_sends_its_data_for_an_hour_is_waited_for() {
    let host = host(Duration::ZERO);
    let mut first = message();
    let last = packets(&[Command::EndOfBody(b"")]);
    first.truncate(first.len() - last.len());
    let expect = [(0, "continue"), (3600, "insert 0 X-Mailward: ham"), (3600, "continue"), (3600, "closed")];
    check(&host, &[(0, first), (3600, [last, packets(&[Command::Quit])].concat())], &expect);
}

// Over TCP each read that is not followed by it costs 40 ms (BASELINES §4).
#[test]
fn each_read_is_acknowledged_at_once() {
    let host = host(Duration::ZERO);
    let asked = Rc::new(Cell::new([0; 2]));
    let pieces: Vec<_> = message().chunks(20).map(|piece| (1, piece.to_vec())).collect();
    let last = pieces.len() as u64 + 1;
    let pieces = [pieces, vec![(1, packets(&[Command::Quit]))]].concat();
    let told = told_over(&host, &pieces, |stream| Acknowledges { stream, asked: asked.clone() });
    assert_eq!(told.last(), Some(&(last, "closed".into())));
    let [reads, acknowledged] = asked.get();
    assert_eq!((u64::from(reads), acknowledged), (last, reads));
}
