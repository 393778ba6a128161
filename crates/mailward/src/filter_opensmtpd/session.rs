//! What is known of one SMTP session, and the policy requests made of it.

use std::net::SocketAddr;

use wire::opensmtpd::HostName;
use wire::policy::encode;

/// The most bytes of a client's word that are passed on: an address has at most 320. With
/// longer lines the policy server would hang up on us.
const VALUE_LEN_MAX: usize = 1024;

/// What Postfix writes where there is no name.
const UNKNOWN: &[u8] = b"unknown";

/// A session.
#[derive(Clone, Debug, Default)]
pub(super) struct Session {
    number: u64,
    client: Option<SocketAddr>,
    confirmed: Vec<u8>,
    reverse: Vec<u8>,
    helo: Vec<u8>,
    user: Vec<u8>,
    /// The message's number; empty between messages.
    message: Vec<u8>,
    sender: Vec<u8>,
    recipients: u32,
}

impl Session {
    /// A session that has begun.
    pub(super) fn new(number: u64, client: Option<SocketAddr>, name: &HostName<'_>) -> Session {
        // As Postfix says it: nothing where DNS did not answer would be `unknown`, too, but
        // we need not lose what we know.
        let (confirmed, reverse) = match *name {
            HostName::Confirmed(name) => (name, name),
            HostName::Mismatch(name) => (UNKNOWN, name),
            HostName::Missing => (UNKNOWN, UNKNOWN),
            HostName::Unknown => (&b""[..], &b""[..]),
        };
        Session { number, client, confirmed: cut(confirmed), reverse: cut(reverse), ..Session::default() }
    }

    /// HELO or EHLO; empty after STARTTLS.
    pub(super) fn greeted(&mut self, helo: &[u8]) {
        self.helo = cut(helo);
    }

    /// A login that succeeded.
    pub(super) fn logged_in(&mut self, user: &[u8]) {
        self.user = cut(if user.is_empty() { b"yes" } else { user });
    }

    /// A message begins, or none.
    pub(super) fn begin(&mut self, message: &[u8]) {
        self.message = cut(message);
        self.sender.clear();
        self.recipients = 0;
    }

    /// MAIL FROM.
    pub(super) fn mail(&mut self, sender: &[u8]) {
        self.sender = cut(sender);
    }

    /// A recipient was accepted.
    pub(super) fn recipient_taken(&mut self) {
        self.recipients = self.recipients.saturating_add(1);
    }

    /// The question about a recipient; none for a program of this machine.
    pub(super) fn rcpt(&self, recipient: &[u8]) -> Option<Vec<u8>> {
        let more = [("recipient", cut(recipient))];
        self.request("RCPT", &more)
    }

    /// What is told of a message that was taken.
    pub(super) fn commit(&self, size: u64) -> Option<Vec<u8>> {
        let number = |n: u64| n.to_string().into_bytes();
        let more = [("size", number(size)), ("recipient_count", number(self.recipients.into()))];
        self.request("END-OF-MESSAGE", &more)
    }

    fn request(&self, state: &str, more: &[(&str, Vec<u8>)]) -> Option<Vec<u8>> {
        let client = self.client?;
        let (addr, port) = (client.ip().to_string(), client.port().to_string());
        let instance = [format!("{:016x}.", self.number).as_bytes(), &self.message].concat();
        let mut attributes: Vec<(&str, &[u8])> = vec![
            ("request", b"smtpd_access_policy"),
            ("protocol_state", state.as_bytes()),
            ("client_address", addr.as_bytes()),
            ("client_port", port.as_bytes()),
            ("client_name", &self.confirmed),
            ("reverse_client_name", &self.reverse),
            ("helo_name", &self.helo),
            ("sasl_username", &self.user),
            ("sender", &self.sender),
            ("queue_id", &self.message),
            ("instance", &instance),
        ];
        attributes.extend(more.iter().map(|(name, value)| (*name, value.as_slice())));
        let mut out = Vec::new();
        encode(&attributes, &mut out).ok().map(|()| out)
    }
}

fn cut(text: &[u8]) -> Vec<u8> {
    text[..text.len().min(VALUE_LEN_MAX)].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::policy::{Request, split_request};

    fn session(name: &HostName<'_>) -> Session {
        let mut session = Session::new(0xab, "192.0.2.25:4711".parse().ok(), name);
        session.greeted(b"mx.example.net");
        session.begin(b"8f2e3c1d");
        session.mail(b"a@example.net");
        session
    }

    #[track_caller]
    fn check(request: Option<Vec<u8>>, expect: impl Fn(&Request<'_>)) {
        let request = request.expect("a request");
        let (request, rest) = split_request(&request).unwrap().expect("whole");
        assert!(rest.is_empty() && request.is_access_policy());
        expect(&request);
    }

    #[test]
    fn a_recipient_is_asked_about_with_all_that_is_known() {
        check(session(&HostName::Confirmed(b"mx.example.net")).rcpt(b"bob@example.org"), |request| {
            assert_eq!(request.client_address_raw, b"192.0.2.25");
            assert_eq!(request.client_port, Some(4711));
            assert_eq!(request.confirmed_name(), Some(&b"mx.example.net"[..]));
            assert_eq!((request.helo_name, request.sender), (&b"mx.example.net"[..], &b"a@example.net"[..]));
            assert_eq!(request.recipient, b"bob@example.org");
            assert_eq!(
                (request.queue_id, request.instance),
                (&b"8f2e3c1d"[..], &b"00000000000000ab.8f2e3c1d"[..])
            );
            assert_eq!(request.sasl_username, b"");
        });
    }

    #[test]
    fn names_are_said_as_postfix_says_them() {
        let table = [
            (HostName::Mismatch(b"x.example.net"), &b"unknown"[..], &b"x.example.net"[..]),
            (HostName::Missing, b"unknown", b"unknown"),
            (HostName::Unknown, b"", b""),
        ];
        for (name, confirmed, reverse) in table {
            check(session(&name).rcpt(b"b@example.org"), |request| {
                assert_eq!((request.client_name, request.reverse_client_name), (confirmed, reverse));
            });
        }
    }

    #[test]
    fn what_was_taken_is_told_with_its_number() {
        let mut session = session(&HostName::Missing);
        session.recipient_taken();
        session.recipient_taken();
        check(session.commit(1234), |request| {
            assert_eq!(request.queue_id, b"8f2e3c1d");
            assert_eq!((request.recipient_count, request.size), (2, 1234));
        });
        session.begin(b"");
        check(session.rcpt(b"b@example.org"), |request| assert_eq!(request.sender, b""));
    }

    #[test]
    fn long_words_do_not_make_the_server_hang_up() {
        let mut session = session(&HostName::Confirmed(&[b'n'; 9000]));
        session.greeted(&[b'h'; 9000]);
        session.logged_in(&[b'u'; 9000]);
        session.mail(&[b's'; 9000]);
        check(session.rcpt(&[b'r'; 9000]), |request| assert_eq!(request.recipient.len(), VALUE_LEN_MAX));
    }

    #[test]
    fn programs_of_this_machine_are_not_asked_about() {
        assert_eq!(Session::new(1, None, &HostName::Unknown).rcpt(b"bob@example.org"), None);
    }
}
