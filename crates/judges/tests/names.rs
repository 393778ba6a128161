//! Whether a name exists, against a name server that answers, fails, or keeps silent (S78).

mod dns;

use std::time::Duration;

use judges::auth::{Names, Settings};
use tokio::net::UdpSocket;

use dns::{Entry, Zone};

fn zone() -> Zone {
    let mut zone = Zone::default();
    zone.add("mail.example.org", dns::address("192.0.2.25"));
    zone.add("six.example.org", dns::address("2001:db8::25"));
    zone.add("lists.example.org", dns::mx(10, "mail.example.org"));
    zone.add("alias.example.org", dns::cname("mail.example.org"));
    zone.0.insert("broken.example.org".into(), vec![Entry::Fails]);
    zone
}

#[tokio::test]
async fn s78_a_name_is_absent_only_where_dns_says_so() {
    let names = Names::new(dns::serve(zone()).await).expect("a resolver");
    for (name, expect) in [
        (&b"mail.example.org"[..], Some(true)),
        (b"six.example.org", Some(true)),
        (b"alias.example.org", Some(true)),
        (b"lists.example.org", Some(true)),
        (b"example.org", Some(true)),
        (b"pc7.example.org", Some(false)),
        (b"my_pc.nowhere.example", Some(false)),
        (b"broken.example.org", None),
        (b"a..example.org", None),
        (b"\xff.example.org", None),
        (b"", None),
    ] {
        assert_eq!(names.exists(name).await, expect, "{}", name.escape_ascii());
    }
    assert_eq!(names.exists("a".repeat(300).as_bytes()).await, None);
}

#[tokio::test]
async fn s78_a_server_that_keeps_silent_denies_nothing() {
    let silent = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let short = Duration::from_millis(20);
    let settings = Settings {
        servers: vec![silent.local_addr().expect("an address")],
        timeout: short,
        attempts: 1,
        deadline: short * 4,
        ..Settings::default()
    };
    let names = Names::new(settings).expect("a resolver");
    assert_eq!(names.exists(b"mail.example.org").await, None);
}
