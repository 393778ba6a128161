//! Those who keep copies. That the lines work is for the world tests to say.

use serde_json::Value;

use super::super::copies;
use super::*;

const SECRET: &str = "bWFpbHdhcmQgdGVzdHMgc2lnbiB3aXRoIHRoaXMga2V5";

fn sheet(config: Option<&str>) -> Value {
    let config = config.map(|config| Config::from_str("ours", config).unwrap());
    copies::sheet(Path::new("/etc/mailward/mailward.toml"), config.as_ref()).json()
}

fn configured() -> Value {
    sheet(Some(&format!(
        "[dns]\nzone = \"lists.example.net\"\nlisten = [\"192.0.2.1:53\", \"[2001:db8::1]:5353\"]\n\
         transfer-to = [\"198.51.100.53\"]\ntransfer-keys = [\"Xfr:hmac-sha512:{SECRET}\"]\n"
    )))
}

#[track_caller]
fn check(sheet: &Value, part: &str, expect: &[&str]) {
    let text = sheet[part].as_str().map_or_else(|| sheet[part].to_string(), str::to_owned);
    for words in expect {
        assert!(text.contains(words), "{words} is missing in\n{text}");
    }
}

#[test]
fn copies_ask_all_our_addresses_with_our_key() {
    let sheet = configured();
    check(
        &sheet,
        "nsd_conf",
        &[
            "name: xfr\n    algorithm: hmac-sha512\n    secret: \"SECRET\"",
            "request-xfr: 192.0.2.1@53 xfr\n    allow-notify: 192.0.2.1 xfr",
            "request-xfr: 2001:db8::1@5353 xfr\n    allow-notify: 2001:db8::1 xfr",
        ],
    );
    check(&sheet, "knot_conf", &["secret: SECRET", "address: [192.0.2.1@53, 2001:db8::1@5353]"]);
    let both = "primaries mailward { 192.0.2.1 port 53 key \"xfr\"; 2001:db8::1 port 5353 key \"xfr\"; };";
    check(&sheet, "named_conf", &["algorithm hmac-sha512; secret \"SECRET\";", both]);
    assert_eq!(sheet["mailward_toml"], Value::Null, "it is there");
}

#[test]
fn every_zone_is_printed_and_the_policy_for_resolvers() {
    let sheet = configured();
    for zone in ["bl", "bl4", "bl6", "net", "policy", "bounce", "info", "dom", "all", "rpz"] {
        check(
            &sheet,
            "nsd_conf",
            &[&format!("name: {zone}.lists.example.net\n    include-pattern: mailward\n")],
        );
        check(&sheet, "knot_conf", &[&format!("domain: {zone}.lists.example.net\n")]);
        check(&sheet, "named_conf", &[&format!("zone \"{zone}.lists.example.net\" {{\n    type secondary;")]);
    }
    check(&sheet, "named_options", &["response-policy { zone \"rpz.lists.example.net\" policy given; };"]);
    check(&sheet, "unbound_conf", &["name: \"rpz.lists.example.net\"", "respip"]);
}

#[test]
fn no_secret_is_printed() {
    assert!(!configured().to_string().contains(&SECRET[..8]));
}

#[test]
fn who_hands_out_no_zones_yet_is_told_what_that_needs() {
    let sheet = sheet(None);
    check(
        &sheet,
        "mailward_toml",
        &["zone = \"dnsbl.example.org\"", "transfer-to = ", "transfer-key-file = "],
    );
    check(&sheet, "key_file", &["umask 027", "mailward-xfr:hmac-sha256:$(openssl rand -base64 32)"]);
    check(&sheet, "nsd_conf", &["request-xfr: 192.0.2.1@53 mailward-xfr"]);
    let text = sheet["mailward_toml"].as_str().unwrap();
    assert!(Config::from_str("ours", &text.replace("transfer-key-file", "# key")).is_ok(), "{text}");
}
