//! Exim, Sendmail and OpenSMTPD. That the lines work is for the world tests to say.

use clap::Parser;
use serde_json::Value;

use super::super::{SetupCommand, sheet_of};
use super::*;

#[derive(Parser)]
struct Told {
    #[command(subcommand)]
    what: SetupCommand,
}

fn sheet(server: &str, config: Option<&str>) -> Value {
    let told = Told::try_parse_from(["setup", server]).unwrap_or_else(|e| panic!("{e}"));
    let config = config.map(|config| Config::from_str("ours", config).unwrap());
    let (sheet, _) = sheet_of(Path::new("/etc/mailward/mailward.toml"), &told.what, config.as_ref())
        .unwrap_or_else(|_| panic!("{server}"));
    sheet.json()
}

#[track_caller]
fn check(server: &str, config: Option<&str>, part: &str, expect: &[&str]) {
    let sheet = sheet(server, config);
    let text = sheet[part].to_string();
    for words in expect {
        assert!(text.contains(words), "{words} is missing in\n{text}");
    }
}

const UNIX: &str = "[policy]\nunix = \"/srv/mailward/policy\"\n[milter]\nunix = \"/srv/mailward/milter\"\npatience = \"30 s\"\n";
const TCP: &str = "[policy]\ntcp = \"127.0.0.1:9001\"\ntrust-local = true\n\
                   [milter]\ntcp = \"[::1]:9002\"\ntrust-local = true\n";

#[test]
fn exim_asks_the_socket_that_counts() {
    check("exim", None, "acl_rcpt", &["${readsocket{/var/spool/mailward/policy}", "{2s}{ }{action=DUNNO}}"]);
    check("exim", Some(UNIX), "acl_rcpt", &["${readsocket{/srv/mailward/policy}"]);
    check("exim", Some(TCP), "acl_data", &["${readsocket{inet:127.0.0.1:9001}", "{2s}{ }{}}"]);
    check("exim", None, "acl_rcpt", &["mailward setup lists"]);
}

#[test]
fn sendmail_shows_messages_to_the_socket_that_counts() {
    let mc = "INPUT_MAIL_FILTER(`mailward', `S=local:/srv/mailward/milter, T=C:5s;S:30s;R:30s;E:90s')dnl";
    check("sendmail", Some(UNIX), "sendmail_mc", &[mc]);
    check("sendmail", Some(TCP), "sendmail_cf", &["O InputMailFilters=mailward", "S=inet6:9002@[::1], T="]);
    check("sendmail", None, "commands", &["-g smmta -m 2750 /var/spool/mailward"]);
}

#[test]
fn opensmtpd_starts_the_filter_for_the_socket_that_counts() {
    check("opensmtpd", None, "smtpd_conf", &["filter-opensmtpd --socket /var/spool/mailward/policy"]);
    check("opensmtpd", Some(TCP), "smtpd_conf", &["filter-opensmtpd --policy 127.0.0.1:9001"]);
    check("opensmtpd", None, "listen", &["filter \\\"mailward\\\""]);
}

#[test]
fn what_is_printed_for_us_is_a_good_configuration_for_all() {
    for server in ["exim", "sendmail", "opensmtpd"] {
        for config in [None, Some(""), Some(UNIX), Some(TCP)] {
            let sheet = sheet(server, config);
            let toml = sheet["mailward_toml"].as_str().unwrap();
            if let Err(errors) = Config::from_str("printed", toml) {
                panic!("{errors}\n{toml}");
            }
            let made = sheet["commands"].is_array();
            assert_eq!(made, config != Some(TCP), "{server}: a folder where there is a socket");
        }
    }
}
