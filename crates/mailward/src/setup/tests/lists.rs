//! Those who ask our lists. That the lines work is for the world tests to say.

use serde_json::Value;

use super::super::lists;
use super::*;

fn sheet(config: Option<&str>) -> Value {
    let config = config.map(|config| Config::from_str("ours", config).unwrap());
    lists::sheet(Path::new("/etc/mailward/mailward.toml"), config.as_ref()).json()
}

#[track_caller]
fn check(config: Option<&str>, part: &str, expect: &[&str]) {
    let sheet = sheet(config);
    let text = sheet[part].as_str().map_or_else(|| sheet[part].to_string(), str::to_owned);
    for words in expect {
        assert!(text.contains(words), "{words} is missing in\n{text}");
    }
}

const OURS: &str = "[dns]\nzone = \"lists.example.net\"\n";
const PUBLIC: &str = "[dns]\nzone = \"lists.example.net\"\nlisten = [\"192.0.2.1:53\", \"[2001:db8::1]:53\"]\n\
                      access = \"public\"\nservers = [\"ns1.example.net\", \"ns2.example.org\"]\n";
const KEYED: &str =
    "[dns]\nzone = \"lists.example.net\"\naccess = \"keyed\"\nkeys = [\"one:k3y0fsixteenormore\"]\n";

/// What is printed for whoever asks.
const ASKERS: [&str; 7] = [
    "postfix_smtpd",
    "postfix_postscreen",
    "exim_acl",
    "sendmail_mc",
    "smtpd_conf",
    "spamassassin_cf",
    "rspamd_rbl",
];

#[test]
fn everybody_asks_the_configured_zone() {
    for part in ASKERS {
        check(Some(OURS), part, &["bl.lists.example.net"]);
        check(None, part, &["bl.dnsbl.example.org"]);
    }
    check(None, "mailward_toml", &["[dns]\nzone = \"dnsbl.example.org\""]);
    assert_eq!(sheet(Some(OURS))["mailward_toml"], Value::Null, "it is there");
}

#[test]
fn errors_of_a_list_are_no_listings() {
    check(Some(OURS), "postfix_smtpd", &["reject_rbl_client bl.lists.example.net=127.0.0.[2..19]\n"]);
    check(Some(OURS), "postfix_postscreen", &["bl.lists.example.net=127.0.0.[2..19]*3\n"]);
    check(Some(OURS), "exim_acl", &["bl.lists.example.net=127.0.0.2,127.0.0.3,", ",127.0.0.18\n"]);
    check(Some(OURS), "sendmail_mc", &["`enhdnsbl'", "`127.0.0.$-.'"]);
    check(Some(OURS), "spamassassin_cf", &["'^127\\.0\\.0\\.(?:[2-9]|1[0-9])$'"]);
    check(Some(OURS), "rspamd_rbl", &["unknown = false;", "MAILWARD_NET = [\"127.0.0.9\", \"127.0.0.12\"]"]);
    check(Some(OURS), "notes", &["Take only 127.0.0.2 to 127.0.0.19", "127.255.255.252", ".254", ".255"]);
    for part in ASKERS {
        assert!(!sheet(Some(OURS))[part].to_string().contains("127.255"), "{part}");
    }
}

#[test]
fn questions_find_their_way() {
    check(Some(OURS), "unbound_conf", &["name: \"lists.example.net\"\n    stub-addr: 127.0.0.1@12353\n"]);
    check(Some(PUBLIC), "unbound_conf", &["stub-addr: 192.0.2.1@53\n    stub-addr: 2001:db8::1@53\n"]);
    let delegation =
        "lists.example.net.  IN NS  ns1.example.net.\nlists.example.net.  IN NS  ns2.example.org.\n";
    check(Some(PUBLIC), "parent_zone", &[delegation]);
    assert_eq!(sheet(Some(OURS))["parent_zone"], Value::Null, "nobody outside could ask");
    check(Some(OURS), "look", &["dig +short 2.0.0.127.bl.lists.example.net"]);
}

#[test]
fn who_may_ask_is_said_and_no_key_printed() {
    check(Some(OURS), "notes", &["loopback only", "others hear REFUSED"]);
    check(Some(PUBLIC), "notes", &["Everybody may ask"]);
    check(Some(KEYED), "notes", &["KEY.bl.lists.example.net", "rbl_reply_maps"]);
    assert!(!sheet(Some(KEYED)).to_string().contains("k3y0f"), "a key");
}
