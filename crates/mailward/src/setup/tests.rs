//! Plans for the Postfix that people have.

mod copies;
mod lists;
mod milter;
mod others;

use std::path::Path;

use super::plan::Plan;
use super::postconf::Postconf;
use super::print;
use crate::config::Config;

/// A plain Debian 12, ‘Internet Site’.
const DEBIAN: &str = "\
alias_database = hash:/etc/aliases
alias_maps = hash:/etc/aliases
append_dot_mydomain = no
biff = no
compatibility_level = 3.6
inet_interfaces = all
inet_protocols = all
mailbox_size_limit = 0
mydestination = $myhostname, example.org, mx.example.org, localhost.example.org, localhost
myhostname = mx.example.org
mynetworks = 127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128
myorigin = /etc/mailname
readme_directory = no
recipient_delimiter = +
relayhost =
smtp_tls_CApath = /etc/ssl/certs
smtp_tls_session_cache_database = btree:${data_directory}/smtp_scache
smtpd_banner = $myhostname ESMTP $mail_name (Debian/GNU)
smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated defer_unauth_destination
";

/// An MX with a greylister and blocklists, folded as `postconf -nf` prints it.
const WITH_RESTRICTIONS: &str = "\
config_directory = /srv/postfix/etc
mail_owner = mailout
mydestination = /etc/postfix/destinations
myhostname = mx1.example.net
queue_directory = /srv/postfix/queue
smtpd_end_of_data_restrictions = check_policy_service inet:127.0.0.1:10031
smtpd_recipient_restrictions = permit_mynetworks, permit_sasl_authenticated,
    reject_unauth_destination, check_client_access cidr:/etc/postfix/friends,
    check_policy_service inet:127.0.0.1:10023, reject_rbl_client bl.example.com
    permit
soft_bounce = yes
unknown_setting_of_a_later_version = {{ x } $y
";

/// A gateway that only relays, with a relay restriction of its own.
const RELAY: &str = "\
inet_interfaces = 192.0.2.25, 2001:db8:0:25::25
mydestination =
myhostname = in.example.org
mynetworks = 127.0.0.0/8, 198.51.100.0/24
relay_domains = example.org, example.com
relay_transport = smtp:[198.51.100.7]
smtpd_policy_service_default_action = DUNNO
smtpd_recipient_restrictions = reject_non_fqdn_recipient
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
virtual_mailbox_domains = example.net
";

fn plan(postconf: &str, config: Option<&Config>) -> Plan {
    Plan::new(&Postconf::parse(postconf), Path::new("/etc/mailward/mailward.toml"), config)
}

fn part(postconf: &str, name: &str) -> String {
    print::sheet(&plan(postconf, None)).json()[name].as_str().unwrap_or_default().to_owned()
}

#[track_caller]
fn check(postconf: &str, name: &str, expect: &str) {
    assert_eq!(part(postconf, name), expect);
}

#[test]
fn a_plain_debian_gets_a_whole_list() {
    check(
        DEBIAN,
        "main_cf",
        "smtpd_recipient_restrictions =
    permit_mynetworks,
    permit_sasl_authenticated,
    reject_unauth_destination,
    check_policy_service unix:mailward/policy
smtpd_milters =
    { unix:mailward/milter, default_action=accept, protocol=6, connect_timeout=5s, command_timeout=30s, content_timeout=120s }
# Mail flows when Mailward does not answer:
smtpd_policy_service_default_action = DUNNO
smtpd_policy_service_timeout = 5s
smtpd_policy_service_try_limit = 2
smtpd_policy_service_retry_delay = 1s
smtpd_policy_service_request_limit = 0
",
    );
    check(
        DEBIAN,
        "mailward_toml",
        r#"# Without these nothing is refused; put your own names.
[portal]
url = "https://mailward.example.org"
contact = "postmaster@example.org"

[policy]
unix = "/var/spool/postfix/mailward/policy"

[milter]
unix = "/var/spool/postfix/mailward/milter"

[own]
# Nobody else may greet with these.
names = [
    "mx.example.org",
    "example.org",
]
# Never blocked: put your hosts and users there, too.
networks = [
    "127.0.0.0/8",
    "::1",
]
# Backup MX and forwarders, which bring you other people's mail:
# relays = ["203.0.113.25"]
"#,
    );
}

#[test]
fn existing_restrictions_and_other_services_stay_as_they_are() {
    let ours = "check_policy_service { unix:mailward/policy, default_action=DUNNO, timeout=5s, try_limit=2, \
                retry_delay=1s, request_limit=0 }";
    check(
        WITH_RESTRICTIONS,
        "main_cf",
        &format!(
            "smtpd_recipient_restrictions =
    permit_mynetworks,
    permit_sasl_authenticated,
    reject_unauth_destination,
    {ours},
    check_client_access cidr:/etc/postfix/friends,
    check_policy_service inet:127.0.0.1:10023,
    reject_rbl_client bl.example.com,
    permit
smtpd_milters =
    {{ unix:mailward/milter, default_action=accept, protocol=6, connect_timeout=5s, command_timeout=30s, content_timeout=120s }}
"
        ),
    );
    let text = print::sheet(&plan(WITH_RESTRICTIONS, None)).text();
    for told in [
        "\ninstall -d -o mailward -g mailout -m 2750 /srv/postfix/queue/mailward\n",
        "\nunix = \"/srv/postfix/queue/mailward/policy\"\n",
        "Into /srv/postfix/etc/main.cf",
        "mydestination has \"/etc/postfix/destinations\"",
        "soft_bounce = yes",
        "\n# Never blocked: put your hosts and users there, too. postconf names none:\n# networks = [\"192.0.2.0/24\"]",
    ] {
        assert!(text.contains(told), "{told} is missing in\n{text}");
    }
}

#[test]
fn a_relay_is_asked_behind_its_own_guard() {
    let main_cf = part(RELAY, "main_cf");
    let begin = "smtpd_recipient_restrictions =\n    check_policy_service unix:mailward/policy,\n    \
                 reject_non_fqdn_recipient\n";
    assert!(main_cf.starts_with(begin), "{main_cf}");
    assert!(!main_cf.contains("service_default_action"), "it is so already: {main_cf}");
    let toml = part(RELAY, "mailward_toml");
    for line in ["example.com", "example.net", "in.example.org", "198.51.100.0/24", "2001:db8:0:25::25"] {
        assert!(toml.contains(&format!("    \"{line}\",\n")), "{line} is missing in\n{toml}");
    }
    assert!(print::sheet(&plan(RELAY, None)).text().contains("you only relay (example.org, example.com)"));
}

#[test]
fn what_is_printed_for_us_is_a_good_configuration() {
    for postconf in [DEBIAN, WITH_RESTRICTIONS, RELAY, "x = y"] {
        let toml = part(postconf, "mailward_toml");
        if let Err(errors) = Config::from_str("printed", &toml) {
            panic!("{errors}\n{toml}");
        }
    }
}

#[test]
fn pasted_once_nothing_is_left_to_paste() {
    for postconf in [DEBIAN, WITH_RESTRICTIONS, RELAY] {
        let pasted = format!("{postconf}{}", part(postconf, "main_cf"));
        check(&pasted, "main_cf", "# Nothing: it is all there.\n");
    }
}

#[test]
fn a_configured_socket_is_kept_where_smtpd_reaches_it() {
    let main_cf = |socket: &str| {
        let config = Config::from_str("ours", &format!("[policy]\nunix = {socket:?}\n")).unwrap();
        print::sheet(&plan(DEBIAN, Some(&config))).json()["main_cf"].to_string()
    };
    assert!(main_cf("/var/spool/postfix/other/socket").contains("unix:other/socket"));
    for unreachable in ["/run/mailward/policy", "/var/spool/postfix/policy"] {
        assert!(main_cf(unreachable).contains("unix:mailward/policy"), "{unreachable}");
    }
}

#[test]
fn a_portal_that_is_set_is_not_asked_for() {
    let config = "[portal]\nurl = \"https://mailward.example.org\"\ncontact = \"postmaster@example.org\"\n";
    let config = Config::from_str("ours", &format!("allow-documentation-prefixes = true\n{config}")).unwrap();
    let toml = print::sheet(&plan(DEBIAN, Some(&config))).json()["mailward_toml"].to_string();
    assert!(!toml.contains("[portal]"), "{toml}");
}
