//! One question, asked over and over, until it is answered with a record.
//!
//! Shows how long a change takes to be answered, and how long a server was silent
//! meanwhile. The asking thread spins: a sleep would be longer than what is measured.

use std::io;
use std::net::{SocketAddrV4, UdpSocket};
use std::time::{Duration, Instant};

use super::question;

/// What the asking showed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Seen {
    /// From the first question until the awaited answer; `None` when none came in time.
    pub(super) after: Option<Duration>,
    /// The longest time between two answers of any kind.
    pub(super) silence: Duration,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Until {
    /// Any answer.
    Answered,
    /// An answer with a record.
    Listed,
}

/// How to ask.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Between two questions.
    pub(super) every: Duration,
    /// When to give up.
    pub(super) limit: Duration,
}

/// Asks the server at `to` for `name`.
pub(super) fn ask(to: SocketAddrV4, name: &str, until: Until, pace: Pace) -> io::Result<Seen> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.connect(to)?;
    socket.set_nonblocking(true)?;
    let mut message = Vec::new();
    question::write(&mut message, name);
    let begun = Instant::now();
    let (mut next, mut last, mut silence, mut id) = (begun, begun, Duration::ZERO, 0u16);
    let mut buffer = [0; 2048];
    while begun.elapsed() < pace.limit {
        if Instant::now() >= next {
            id = id.wrapping_add(1);
            message[..2].copy_from_slice(&id.to_be_bytes());
            // Nobody listens yet: the kernel says so here or at the next look.
            let _ = socket.send(&message);
            next += pace.every;
            next = next.max(Instant::now());
        }
        while let Ok(len) = socket.recv(&mut buffer) {
            let now = Instant::now();
            silence = silence.max(now - last);
            last = now;
            let answer = question::answer(&buffer[..len]);
            if answer.is_some_and(|answer| until == Until::Answered || answer.listed) {
                return Ok(Seen { after: Some(now - begun), silence });
            }
        }
    }
    Ok(Seen { after: None, silence })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { every: Duration::from_millis(1), limit: Duration::from_secs(20) };

    /// A server that says "no such name" `times` times, and then has a record.
    fn server(times: usize) -> (SocketAddrV4, std::thread::JoinHandle<()>) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap().to_string().parse().unwrap();
        let answers = move || {
            let mut buffer = [0; 512];
            for time in 0..=times {
                let (len, from) = socket.recv_from(&mut buffer).unwrap();
                (buffer[2], buffer[3], buffer[7]) = if time < times { (0x84, 3, 0) } else { (0x84, 0, 1) };
                socket.send_to(&buffer[..len], from).unwrap();
            }
        };
        (address, std::thread::spawn(answers))
    }

    #[test]
    fn asking_ends_with_the_first_record() {
        let (address, thread) = server(3);
        let seen = ask(address, "2.0.0.127.bl.dnsbl.test", Until::Listed, PACE).unwrap();
        assert!(seen.after.is_some_and(|after| after >= seen.silence), "{seen:?}");
        thread.join().unwrap();
    }

    #[test]
    fn any_answer_is_enough_for_a_server_without_records() {
        let (address, thread) = server(0);
        assert!(ask(address, "x.test", Until::Answered, PACE).unwrap().after.is_some());
        thread.join().unwrap();
    }

    #[test]
    fn asking_ends_when_nobody_answers() {
        let nobody = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = nobody.local_addr().unwrap().to_string().parse().unwrap();
        let pace = Pace { limit: Duration::from_millis(20), ..PACE };
        assert_eq!(ask(address, "x.test", Until::Listed, pace).unwrap().after, None);
    }
}
