//! Help pages: what refusals mean and how to repair what causes them.
//!
//! One row each, without anything of a site or a case, so that they can be read by
//! everybody. Every link in a reply or on a page leads to a row here.

use serde::Serialize;

use crate::public::Public;

/// One help page.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct HelpPage {
    /// The last part of its address: `/h/<topic>`.
    pub topic: &'static str,
    /// Its headline.
    pub title: &'static str,
    /// What it is about, in paragraphs.
    pub paragraphs: &'static [&'static str],
    /// What to do, step by step; may be empty.
    pub steps: &'static [&'static str],
}

/// The help page about a topic.
pub fn help_page(topic: &str) -> Option<Public<HelpPage>> {
    TOPICS.iter().find(|page| page.topic == topic).map(|page| Public::new(*page))
}

/// All help pages, as `(topic, title)`, for an index.
pub fn topics() -> impl Iterator<Item = (&'static str, &'static str)> {
    TOPICS.iter().map(|page| (page.topic, page.title))
}

/// Every help page there is.
pub const TOPICS: &[HelpPage] = &[
    HelpPage {
        topic: "blocked",
        title: "Why was my mail refused?",
        paragraphs: &[
            "A mail server can see the address of every server that connects to it. When spam, viruses or \
             other abuse come from an address, we refuse mail from it for a while. Such a list of addresses \
             is often called a realtime block list, or RBL.",
            "The list holds servers, not people. If your mail came back, you are probably not the one who \
             did something wrong: another user of the same server, a stolen password or an infected \
             computer behind it may be the cause. Most owners of a blocked server are victims themselves.",
            "A block ends by itself. It lasts the longer the more unwanted mail we received, and each \
             further block within three months doubles it. Refusing is a deliberate choice of the operator \
             of this site; removal never costs anything.",
            "Other sites keep lists of their own. What is repaired here does not remove an address there.",
        ],
        steps: &[
            "If you only sent a mail: pass the error message that you got on to whoever runs your mail, for \
             example your provider or your computer department. The link in it tells them all they need.",
            "If you run the server: open the link in the error message. It shows what we saw, when the block \
             ends and how to reach us.",
            "If you are in a hurry: write from another mail address, or telephone.",
        ],
    },
    HelpPage {
        topic: "dnsbl",
        title: "Our lists in DNS",
        paragraphs: &[
            "What this site blocks can be asked by DNS, where the operator permits it. An address that is \
             listed has an A record in 127.0.0.0/8, whose last part says why, and a TXT record with the reason \
             and the page about it. The lists hold what this site itself saw; a listing ends by itself, never \
             costs anything, and can be lifted on the page of the address.",
            "Reasons: 2 operator, 3 spam, 4 bot, 5 open relay, 6 open proxy, 7 trap, 8 trap before greylisting, \
             9 network, 10 dynamic line, 11 country, 12 provider, 13 dictionary attack or flood, 14 virus, \
             15 backscatter, 16 reports of users, 17 lists of others, 18 guessed passwords, 19 reverse DNS.",
            "An answer of 127.255.255.252, .254 or .255 is an error and not a listing: there is no such list, \
             the resolver is not permitted to ask, or it asks too often. Please let your mail server take only \
             the answers that you mean, for example 127.0.0.2 to 127.0.0.19.",
        ],
        steps: &[
            "Ask from a resolver of your own: public resolvers ask for everybody, and are often not permitted.",
            "Test the list: 127.0.0.2 is always listed, 127.0.0.1 never.",
            "If you want to use the lists, or to fetch them whole, write to the contact below.",
        ],
    },
    HelpPage {
        topic: "grey",
        title: "My mail was asked to come back later",
        paragraphs: &[
            "A mail server that we do not know yet, and whose connection looks like that of a home computer, \
             is asked to come back in some minutes. Nothing is refused: the reply begins with 4, which means \
             ‘not now’. Every mail server keeps the message and tries again by itself; programs that send \
             spam from infected computers hardly ever do.",
            "Whoever comes back is let in, and is known for some weeks, with all servers of the same sender.",
            "A server that wrote to addresses that never asked for mail, or to several that do not exist, \
             before it was known, is asked to come back until a day has passed without another such message.",
        ],
        steps: &[
            "If you only sent a mail: wait. It arrives by itself within the hour; there is no need to send it \
             again.",
            "If you run the server: let it keep mail that is deferred, and try again after some minutes for \
             some days (RFC 5321, 4.5.4.1).",
            "Give the server a reverse DNS name of its own that points back to its address, and let it greet \
             with that name: then it is not asked.",
        ],
    },
    HelpPage {
        topic: "country",
        title: "My mail was refused by country",
        paragraphs: &[
            "The operator of this site takes mail from some countries only from servers that are known here. \
             That is a policy by country, not an accusation: nothing is held against you or your server, \
             and it stands on no list.",
            "Servers that have sent good mail here in the last thirty days are excepted, and a recipient here \
             can ask to get mail from every country.",
        ],
        steps: &[
            "Write to the contact below, which takes mail from everywhere: a person can let your server in.",
            "Or ask your recipient by another way to write to you first, or to have the policy taken off for \
             the own address.",
        ],
    },
    HelpPage {
        topic: "spam",
        title: "Spam came from my server",
        paragraphs: &[
            "Spam is mail in bulk that nobody asked for. Hardly anybody sends it from a server of his own: \
             it goes out through mail accounts whose password was stolen, through web forms and web sites \
             that were broken into, through relays and proxies that are open to everybody, and through \
             infected computers in offices and homes.",
            "Some of our addresses never asked for any mail, because nobody reads them. Mail to them shows \
             that a list of recipients was bought, guessed or collected.",
            "A single message may also be refused because our filter takes it for spam. Then nothing is \
             held against the server. If it was none, please tell us; filters make mistakes.",
        ],
        steps: &[
            "Look into the mail log around the times on the evidence page, and into the queue, for messages \
             that you did not expect.",
            "Find the account that sent them. Change its password, end its sessions, and look for \
             forwarding rules that its owner did not make.",
            "If no account sent them, look for scripts in web sites and for programs that connect to port 25 \
             by themselves. Close outgoing port 25 for everything but the mail server.",
            "Empty the queue of what is left, so that it does not go out when the block ends.",
            "If you run mailing lists, take out addresses that never confirmed, and imported or bought ones.",
        ],
    },
    HelpPage {
        topic: "reports",
        title: "Recipients reported my mail as spam",
        paragraphs: &[
            "Several of our users, independently of each other, said that mail from the server was spam. One \
             user alone can not cause a block, and the reports are weighed against the good mail that we \
             received from the same server.",
        ],
        steps: &[
            "Look in the mail log around the times on the evidence page for messages that you did not expect. \
             If there are some, a mail account or a web form is abused: see the page about spam.",
            "If it was a newsletter or a list: mail only to people who asked for it and confirmed it, and \
             take out those who did not answer for a long time.",
            "Let everybody unsubscribe with one click (List-Unsubscribe and List-Unsubscribe-Post, RFC 8058), \
             and let it take effect at once.",
        ],
    },
    HelpPage {
        topic: "virus",
        title: "A message carried malware",
        paragraphs: &[
            "Our scanner recognised malware in the message, so it was not taken. Hardly anybody sends malware \
             on purpose: a program on an infected computer does, or somebody who knows the password of a mail \
             account. If you only sent a mail and attached a file that you got from elsewhere, the file is \
             infected.",
        ],
        steps: &[
            "If you only sent a mail: do not send the file again, and do not open it. Let a virus scanner look \
             at the computer.",
            "If you run the server: find out which computer or account sent the message, take the computer off \
             the network, clean or reinstall it, and change the passwords that were used on it.",
            "Let the mail server scan what it sends.",
            "If you must send a sample to our abuse desk, send it to the abuse address: that takes it.",
        ],
    },
    HelpPage {
        topic: "files",
        title: "A type of file that we do not accept",
        paragraphs: &[
            "We do not take programs, scripts, installers and disk images as attachments, nor inside archives, \
             nor files whose name hides what they are. Most malware comes that way, and no scanner knows all \
             of it. An archive with a password can not be checked at all.",
        ],
        steps: &[
            "Put the file where the recipient can fetch it, and send the link.",
            "Send a document as PDF, or without macros.",
            "If nobody meant to send such a file, look for an infected computer or a stolen mail account.",
        ],
    },
    HelpPage {
        topic: "spf",
        title: "SPF: the sender's domain does not permit this server",
        paragraphs: &[
            "A domain says in DNS which servers send its mail (SPF, RFC 7208). The server that brought this \
             message is not among them, and the record asks to fail such mail. So the sender may be forged. \
             One such message is only refused; nothing is held against the server.",
        ],
        steps: &[
            "If you only sent a mail: send it through the outgoing mail server of the domain that stands in \
             your address, and log in there.",
            "If you run the domain: list every server that sends for it in its SPF record.",
            "If you forward mail of others: rewrite the envelope sender (SRS), leave DKIM signatures whole, \
             and tell us about the forwarding server.",
        ],
    },
    HelpPage {
        topic: "backscatter",
        title: "Bounces to people who never wrote",
        paragraphs: &[
            "Spam has forged senders. A server that takes a message first and sends a bounce, a virus notice \
             or an automatic answer afterwards sends it to somebody who never wrote. We refuse such mail from \
             the server for some days; all its other mail is welcome.",
        ],
        steps: &[
            "Refuse unknown recipients and unwanted mail while the sender is still connected, with a reply of \
             class 5, on every server that takes mail for the domain, backup servers too.",
            "Turn off virus and spam notices to senders, and checks of senders by calling back.",
            "Send automatic answers only to mail that names the user in To or Cc and is no spam (RFC 3834).",
        ],
    },
    HelpPage {
        topic: "connection",
        title: "My connection looks like a home computer",
        paragraphs: &[
            "Before any text of a message arrives, a server shows its address, the name that DNS gives for \
             it, and the name with which it greets. Infected computers at home and in offices show the same \
             few marks again and again: no name in DNS, a name made from the address, a greeting that is no \
             host name. A single mark never refuses mail here; several together do.",
        ],
        steps: &[
            "Give the address a reverse DNS name (PTR) of its own, and let that name point back to the \
             address. Usually your provider enters it.",
            "Let the mail server greet with that same full name in HELO or EHLO.",
            "From a home or office line, send through your provider's outgoing mail server (smarthost) and \
             log in there. If you do not know how, ask your provider to help you do this.",
        ],
    },
    HelpPage {
        topic: "helo",
        title: "The HELO or EHLO name",
        paragraphs: &[
            "A mail server introduces itself with its own name (RFC 5321, section 4.1.1.1). A name that is \
             ours, a single word, or a bare address is what hijacked computers send.",
        ],
        steps: &[
            "Find out the full name that DNS gives for the address from which the server connects.",
            "Set it as the greeting: in Postfix smtp_helo_name (and myhostname), in Exim helo_data of the \
             transport, in Sendmail confDOMAIN_NAME, in Exchange the FQDN of the send connector.",
            "See that the name has an address in DNS, and that it is not the name of a server of ours.",
            "If there is no mail server at this address, look for infected computers behind it.",
        ],
    },
    HelpPage {
        topic: "rdns",
        title: "Reverse DNS",
        paragraphs: &[
            "Reverse DNS gives the name for an address (a PTR record). It is confirmed when that name has \
             the same address again. A missing name alone never refuses mail here, but it counts together \
             with other marks.",
        ],
        steps: &[
            "Ask the provider of the address for a PTR record with the full name of the server; often there \
             is a form for it.",
            "Enter an A or AAAA record of that name with the same address.",
            "Do the same for IPv6 if the server uses it, or let it send over IPv4 only.",
        ],
    },
    HelpPage {
        topic: "dynamic",
        title: "Addresses of homes and small offices",
        paragraphs: &[
            "Addresses of access lines are listed as what they are; that is no accusation. Mail servers do \
             not usually stand there, infected computers often do.",
        ],
        steps: &[
            "Send through your provider's outgoing mail server (smarthost) and log in there. If you do not \
             know how, ask your provider to help you do this.",
            "If a real mail server stands at this address, give it a reverse DNS name of its own that points \
             back to it, and greet with that name.",
        ],
    },
    HelpPage {
        topic: "rate",
        title: "Too many connections or messages",
        paragraphs: &[
            "The server opened more connections at once, or sent more in a short time, than it usually \
             does. That is a temporary answer: the messages stay in your queue and are delivered later.",
        ],
        steps: &[
            "Do nothing, if this is a newsletter or a queue that was stuck: it will drain.",
            "Let the server open fewer connections to one destination at the same time.",
            "Look for a stolen account or an infected computer if you expect no such amount.",
        ],
    },
    HelpPage {
        topic: "protocol",
        title: "A breach of the mail protocol",
        paragraphs: &[
            "The client did not keep to the order of SMTP (RFC 5321), for example it spoke before it was \
             greeted, or sent commands without waiting where it has to wait. Mail servers keep to it; \
             programs that only want to get rid of spam often do not.",
        ],
        steps: &[
            "Look for an infected computer, or a script that sends mail by itself.",
            "If it is a mail server or a firewall, bring its software up to date, and turn off firewall \
             functions that change SMTP.",
        ],
    },
    HelpPage {
        topic: "sender",
        title: "The sender's domain",
        paragraphs: &[
            "The domain of the sender address says in DNS that it sends no mail, or not from this server. \
             The message may be a forgery of somebody else's address.",
        ],
        steps: &[
            "See that the sender address is spelled correctly and that its domain exists.",
            "If you run the domain, list all servers that send for it in its SPF record, and sign with DKIM.",
            "If you forward mail of other domains, rewrite the sender (SRS) or keep DKIM signatures whole.",
        ],
    },
    HelpPage {
        topic: "personal",
        title: "The recipient does not want this mail",
        paragraphs: &[
            "The person you wrote to has chosen not to receive mail from this sender. That is a decision of \
             that person, not of this site, and it concerns no other recipient.",
        ],
        steps: &["Respect it, or ask the person another way."],
    },
    HelpPage {
        topic: "words",
        title: "Words on these pages",
        paragraphs: &[
            "Block: for a certain time, mail from a server is refused here, with an answer that names the \
             reason. Null route: its packets to our mail servers are dropped; it gets no answer.",
            "Unit: one unwanted message to one recipient, the measure of a block's length.",
            "HELO: the name with which a mail server introduces itself. Reverse DNS, PTR: the name that DNS \
             gives for an address. FCrDNS: that name leads back to the same address.",
            "Open relay, open proxy: a server that passes on mail or connections for strangers. Smarthost: \
             a provider's server that sends mail for its customers.",
            "Trap: an address that nobody uses and that never asked for mail.",
            "RBL, DNSBL: a list of addresses that can be asked over DNS. Delisting: being taken off it.",
        ],
        steps: &[],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_that_is_linked_has_a_page() {
        for topic in [
            "blocked",
            "spam",
            "reports",
            "virus",
            "files",
            "spf",
            "backscatter",
            "connection",
            "helo",
            "rdns",
            "rate",
            "protocol",
            "sender",
            "personal",
        ] {
            assert_eq!(help_page(topic).map(|p| p.get().topic), Some(topic));
        }
        assert_eq!(help_page("../etc"), None);
    }

    #[test]
    fn a_lay_reader_needs_less_than_three_hundred_words() {
        // S41.
        let page = help_page("blocked").unwrap();
        let texts = page.get().paragraphs.iter().chain(page.get().steps);
        assert!(texts.map(|t| t.split_whitespace().count()).sum::<usize>() < 300);
    }

    #[test]
    fn no_page_says_that_reputation_is_bad() {
        let texts = TOPICS.iter().flat_map(|p| p.paragraphs.iter().chain(p.steps));
        assert!(!texts.clone().any(|t| t.to_lowercase().contains("reputation")));
        assert!(texts.count() > 20);
    }
}
