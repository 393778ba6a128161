//! Judges that hang, lie, die, drip and drown: every answer is bounded, and is ‘unknown’.

mod letters;

use std::sync::Arc;
use std::time::Duration;

use judges::clamd::Clamd;
use judges::judge::{Answer, Judge, Unknown};
use judges::place::Place;
use judges::rspamd::Rspamd;
use judges::seat::{Limits, Panel, Seat};
use judges::spamd::Spamd;
use model::{Judgement, Name};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener};

/// Long enough for a loaded machine: these answers come at once.
const PATIENT: Duration = Duration::from_secs(60);
/// For answers that never come.
const SHORT: Duration = Duration::from_millis(300);

const JUDGES: [&str; 3] = ["rspamd", "spamd", "clamd"];

fn seat(name: &str, place: Place, deadline: Duration) -> Seat {
    let limits = Limits { deadline, size_max: 1024 * 1024, at_once_max: 4 };
    match name {
        "rspamd" => seated(name, Rspamd::new(place, None), limits),
        "spamd" => seated(name, Spamd::new(place, None), limits),
        _ => seated(name, Clamd::new(place), limits),
    }
}

fn seated(name: &str, judge: impl Judge, limits: Limits) -> Seat {
    Seat::new(Name::new(name.as_bytes()), judge, limits)
}

async fn hear(panel: &Panel) -> Answer {
    let letter = letters::letter(format!("Subject: hello\r\n\r\n{}", "line\r\n".repeat(50_000)));
    panel.hear(Arc::new(letter)).await.remove(0).1
}

/// What a server does with one connection.
type Conduct = fn(TcpStream) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

async fn serve(conduct: Conduct) -> Place {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(conduct(stream));
        }
    });
    Place::Tcp("127.0.0.1".into(), port)
}

/// Every judge in turn, before a server of this conduct.
async fn check(conduct: Conduct, deadline: Duration, expect: &[&str]) {
    for name in JUDGES {
        let panel = Panel::new(vec![seat(name, serve(conduct).await, deadline)]);
        let got = match hear(&panel).await {
            Answer::Unknown(why) => Unknown::KINDS[why.kind()].to_owned(),
            Answer::Said(said) => format!("{said:?}"),
        };
        assert!(expect.contains(&&got[..]), "{name}: expected one of {expect:?}, but got {got}");
    }
}

#[tokio::test]
async fn one_that_hangs_is_late() {
    check(|stream| Box::pin(async { hold(stream).await }), SHORT, &["late"]).await;
}

#[tokio::test]
async fn one_that_takes_all_and_says_nothing_is_late() {
    check(
        |mut stream| {
            Box::pin(async move {
                swallow(&mut stream).await;
                hold(stream).await;
            })
        },
        SHORT,
        &["late"],
    )
    .await;
}

#[tokio::test]
async fn one_that_dies_at_once_is_unreachable() {
    check(|stream| Box::pin(async { drop(stream) }), PATIENT, &["unreachable"]).await;
}

#[tokio::test]
async fn one_that_dies_after_half_an_answer_is_unknown() {
    let half: Conduct = |mut stream| {
        Box::pin(async move {
            swallow(&mut stream).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"score\":").await;
        })
    };
    check(half, PATIENT, &["unreachable", "garbled"]).await;
}

#[tokio::test]
async fn one_that_talks_garbage_is_garbled() {
    let garbage: Conduct = |mut stream| {
        Box::pin(async move {
            swallow(&mut stream).await;
            let _ = stream.write_all(b"\xff\xfe\0\r\n\r\n\0<script>%n%n%n\r\n\r\n\0").await;
            let _ = stream.shutdown().await;
        })
    };
    check(garbage, PATIENT, &["garbled"]).await;
}

#[tokio::test]
async fn one_that_drips_is_late() {
    let drip: Conduct = |mut stream| {
        Box::pin(async move {
            swallow(&mut stream).await;
            let header = b"HTTP/1.1 200 OK\r\nA: ".iter().chain(std::iter::repeat(&b'x'));
            for byte in header {
                if stream.write_all(&[*byte]).await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
    };
    check(drip, SHORT, &["late"]).await;
}

#[tokio::test]
async fn one_that_drowns_us_is_cut_off() {
    let drown: Conduct = |mut stream| {
        Box::pin(async move {
            swallow(&mut stream).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
            let piece = [b"10000\r\n".as_slice(), &[b'['; 65536], b"\r\n"].concat();
            while stream.write_all(&piece).await.is_ok() {}
        })
    };
    check(drown, PATIENT, &["garbled"]).await;
}

#[tokio::test]
async fn one_with_an_endless_header_is_cut_off() {
    let endless: Conduct = |mut stream| {
        Box::pin(async move {
            swallow(&mut stream).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n").await;
            while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
        })
    };
    check(endless, PATIENT, &["garbled"]).await;
}

#[tokio::test]
async fn one_that_is_not_there_is_unreachable() {
    let port =
        TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address").port();
    for name in JUDGES {
        for place in [Place::Tcp("127.0.0.1".into(), port), Place::Unix("/nonexistent/judge.sock".into())] {
            let panel = Panel::new(vec![seat(name, place, PATIENT)]);
            let got = hear(&panel).await;
            assert!(matches!(got, Answer::Unknown(Unknown::Unreachable(_))), "{name}: {got:?}");
        }
    }
}

#[tokio::test]
async fn a_clamd_session_takes_several_messages_and_is_opened_anew_when_closed() {
    // Two answers a session, then it goes; the second one names a virus.
    let two: Conduct = |mut stream| {
        Box::pin(async move {
            let mut start = [0; 11];
            stream.read_exact(&mut start).await.expect("a session");
            assert_eq!(&start, b"zIDSESSION\0");
            for answer in [&b"1: stream: OK\0"[..], b"2: stream: Eicar-Test-Signature FOUND\0"] {
                scan(&mut stream).await;
                stream.write_all(answer).await.expect("read");
            }
        })
    };
    let panel = Panel::new(vec![seat("clamd", serve(two).await, PATIENT)]);
    for expect in [None, Some(Judgement::Virus), None, Some(Judgement::Virus)] {
        let Answer::Said(said) = hear(&panel).await else { panic!("expected an answer") };
        assert_eq!(said.judgement, expect);
    }
}

#[tokio::test]
async fn rspamd_keeps_its_connection_and_is_asked_anew_when_it_closed() {
    let two: Conduct = |mut stream| {
        Box::pin(async move {
            for score in [1, 2] {
                let head = http(&mut stream).await;
                assert!(head.starts_with("POST /checkv2 HTTP/1.1\r\n"), "{head}");
                for line in [
                    "ip: 192.0.2.25",
                    "from: <alice@example.org>",
                    "rcpt: <bob@example.net>",
                    "queue-id: 4T9K",
                ] {
                    assert!(head.contains(&format!("\r\n{line}\r\n")), "{line} in {head}");
                }
                let body = format!(r#"{{"score":{score},"action":"no action"}}"#);
                let reply = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                stream.write_all(reply.as_bytes()).await.expect("read");
            }
        })
    };
    let panel = Panel::new(vec![seat("rspamd", serve(two).await, PATIENT)]);
    for expect in [100, 200, 100, 200] {
        let Answer::Said(said) = hear(&panel).await else { panic!("expected an answer") };
        assert_eq!((said.judgement, said.score), (Some(Judgement::Ham), Some(expect)));
    }
}

#[tokio::test]
async fn spamd_is_asked_over_a_unix_socket_too() {
    let folder = std::env::temp_dir().join(format!("mailward-spamd-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("spamd.sock");
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).expect("a socket");
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let mut asked = Vec::new();
        stream.read_to_end(&mut asked).await.expect("a question");
        let answer = b"SPAMD/1.1 0 EX_OK\r\nSpam: True ; 1000.0 / 5.0\r\n\r\nGTUBE\r\n";
        stream.write_all(answer).await.expect("read");
        String::from_utf8(asked).expect("text")
    });
    let panel = Panel::new(vec![seat("spamd", Place::Unix(path), PATIENT)]);
    let Answer::Said(said) = hear(&panel).await else { panic!("expected an answer") };
    assert_eq!((said.judgement, said.score), (Some(Judgement::Spam), Some(100_000)));
    let asked = server.await.expect("served");
    let (head, message) = asked.split_once("\r\n\r\n").expect("a head");
    assert_eq!(head, format!("SYMBOLS SPAMC/1.5\r\nContent-length: {}", message.len()));
    std::fs::remove_dir_all(&folder).expect("removed");
}

/// Keeps a connection open for good.
async fn hold(stream: TcpStream) {
    std::future::pending::<()>().await;
    drop(stream);
}

/// Reads until nothing comes for a moment: whichever protocol, that was the question.
async fn swallow(stream: &mut TcpStream) {
    let mut piece = vec![0; 65536];
    while let Ok(Ok(1..)) = tokio::time::timeout(Duration::from_millis(100), stream.read(&mut piece)).await {}
}

/// Reads one `zINSTREAM`.
async fn scan(stream: &mut TcpStream) {
    let mut start = [0; 10];
    stream.read_exact(&mut start).await.expect("a command");
    assert_eq!(&start, b"zINSTREAM\0");
    loop {
        let len = stream.read_u32().await.expect("a length");
        if len == 0 {
            return;
        }
        let mut chunk = vec![0; usize::try_from(len).expect("a length")];
        stream.read_exact(&mut chunk).await.expect("a chunk");
    }
}

/// Reads one HTTP request; gives its header in lower case but for the values.
async fn http(stream: &mut TcpStream) -> String {
    let mut seen = Vec::new();
    let mut byte = [0];
    while !seen.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).await.expect("a header");
        seen.push(byte[0]);
    }
    let head = String::from_utf8(seen).expect("text");
    let len = head.split("\r\n").find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
    let mut body = vec![0; len.parse().expect("a number")];
    stream.read_exact(&mut body).await.expect("a body");
    head
}
