//! Messages for load: each has a new client, sender, recipient, subject and words.

use std::net::Ipv4Addr;

use crate::random::Random;

/// The bytes of a text body, about the middle of what people write without attachments.
const BODY_LEN: usize = 4000;

const WORDS: &str = "invoice meeting tomorrow please find attached report quarter project update team \
    schedule customer order delivery thanks regards review contract budget draft question answer monday \
    friday server account document version change request approval office travel plan number price \
    summer holiday family photo weather music garden coffee";

/// One message and the session that brings it.
pub(super) struct Mail {
    /// Looks like a public address.
    pub(super) client: Ipv4Addr,
    /// Its name, which it also greets with.
    pub(super) host: String,
    /// Without angle brackets.
    pub(super) sender: String,
    /// Without angle brackets; in the domain that the bench's Postfix takes mail for.
    pub(super) recipient: String,
    /// Names and values.
    pub(super) fields: Vec<(&'static str, String)>,
    /// Lines closed by CRLF; none begins with a dot.
    pub(super) body: String,
}

impl Mail {
    /// Makes one up.
    pub(super) fn new(random: &mut Random) -> Self {
        let client = random.address();
        let domain = format!("isp{}.example", random.below(20_000));
        let host = format!("mail{}.{domain}", random.below(100));
        let sender = format!("user{}@{domain}", random.below(100_000));
        let recipient = format!("local{}@corp.test", random.below(5000));
        let subject: Vec<&str> = (0..6).map(|_| word(random)).collect();
        let fields = vec![
            ("From", format!("A User <{sender}>")),
            ("To", recipient.clone()),
            ("Subject", subject.join(" ")),
            ("Date", "Sat, 21 Nov 2026 16:00:00 +0000".into()),
            ("Message-ID", format!("<{:x}@{domain}>", random.next())),
            ("MIME-Version", "1.0".into()),
            ("Content-Type", "text/plain; charset=utf-8".into()),
        ];
        Self { client, host, sender, recipient, fields, body: body(random) }
    }

    /// The whole message as it follows DATA, without the final dot.
    pub(super) fn text(&self) -> String {
        let header: String = self.fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!("{header}\r\n{}", self.body)
    }
}

fn body(random: &mut Random) -> String {
    let mut body = String::with_capacity(BODY_LEN + 16);
    while body.len() < BODY_LEN {
        body.push_str(word(random));
        body.push_str(if random.below(12) == 0 { "\r\n" } else { " " });
    }
    body.push_str("\r\n");
    body
}

fn word(random: &mut Random) -> &'static str {
    let at = random.below(WORDS.split_whitespace().count() as u64) as usize;
    WORDS.split_whitespace().nth(at).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_messages_and_no_two_are_alike() {
        let two = |seed| {
            let mut random = Random::new(seed);
            [Mail::new(&mut random).text(), Mail::new(&mut random).text()]
        };
        let [first, second] = two(1);
        assert_ne!(first, second);
        assert_eq!(two(1), [first, second]);
    }

    #[test]
    fn a_message_fits_into_data_as_it_is() {
        let text = Mail::new(&mut Random::new(2)).text();
        assert!(text.ends_with("\r\n") && text.len() > BODY_LEN);
        assert!(text.lines().all(|line| !line.starts_with('.') && line.len() < 998), "{text}");
    }
}
