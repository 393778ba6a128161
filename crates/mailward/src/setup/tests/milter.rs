//! Postfix and the milter, and Postfix and mail to Mailward itself.

use super::*;

#[track_caller]
fn check_main_cf(postconf: &str, config: &str, expect: &[&str], never: &[&str]) {
    let config = Config::from_str("ours", config).unwrap();
    let sheet = print::sheet(&plan(postconf, Some(&config))).json();
    let main_cf = sheet["main_cf"].as_str().unwrap();
    for line in expect {
        assert!(main_cf.contains(line), "{line} is missing in\n{main_cf}");
    }
    for line in never {
        assert!(!main_cf.contains(line), "{line} stands in\n{main_cf}");
    }
}

const END_OF_DATA: &str = "smtpd_end_of_data_restrictions =\n    check_policy_service unix:mailward/policy\n";

#[test]
fn without_the_milter_the_policy_server_learns_the_queue_id() {
    check_main_cf(DEBIAN, "[milter]\ntcp = \"off\"\n", &[END_OF_DATA], &["smtpd_milters"]);
    check_main_cf(DEBIAN, "", &["smtpd_milters"], &["smtpd_end_of_data_restrictions"]);
}

#[test]
fn the_milter_is_asked_where_what_it_hears_counts() {
    let unix = "[milter]\nunix = \"/var/spool/postfix/other/milter\"\npatience = \"20 s\"\n";
    check_main_cf(DEBIAN, unix, &["{ unix:other/milter,", "content_timeout=80s }"], &[]);
    let tcp = "[milter]\ntcp = \"127.0.0.1:9000\"\ntrust-local = true\n";
    check_main_cf(DEBIAN, tcp, &["{ inet:127.0.0.1:9000,"], &["unix:mailward/milter"]);
    let tcp = "[milter]\ntcp = \"[::1]:9000\"\ntrust-local = true\n";
    check_main_cf(DEBIAN, tcp, &["{ inet:[::1]:9000,"], &[]);
    // A socket that smtpd can not reach, and a listener that does not count: a proposal.
    check_main_cf(DEBIAN, "[milter]\nunix = \"/run/milter\"\n", &["{ unix:mailward/milter,"], &[]);
    check_main_cf(DEBIAN, "[milter]\ntcp = \"127.0.0.1:9000\"\n", &["{ unix:mailward/milter,"], &[]);
}

#[test]
fn other_milters_stay_and_are_asked_later() {
    let others =
        format!("{DEBIAN}smtpd_milters = {{ inet:127.0.0.1:11332, default_action=tempfail }} unix:dkim\n");
    let they = "    { inet:127.0.0.1:11332, default_action=tempfail },\n    unix:dkim";
    check_main_cf(&others, "", &[&format!("content_timeout=120s }},\n{they}\n")], &[]);
    let with_mark = "[judges]\nheader = \"X-Spam-Flag: YES\"\n";
    check_main_cf(&others, with_mark, &[&format!("smtpd_milters =\n{they},\n    {{ unix:mailward")], &[]);
}

#[test]
fn mail_to_mailward_is_known_and_handed_in() {
    let postconf = format!("{DEBIAN}transport_maps = hash:/etc/postfix/transport\n");
    let lmtp = "[reports]\nlmtp = \"/var/spool/postfix/mailward/lmtp\"\n";
    check_main_cf(
        &postconf,
        lmtp,
        &[
            "virtual_alias_maps =\n    inline:{ report@mx.example.org=report@mx.example.org, ",
            "report@example.org=report@example.org }\n",
            "transport_maps =\n    inline:{ report@mx.example.org=lmtp:unix:mailward/lmtp, ",
            "report@example.org=lmtp:unix:mailward/lmtp },\n    hash:/etc/postfix/transport\n",
        ],
        &["localhost", "unblock"],
    );
    check_main_cf(DEBIAN, "", &[], &["virtual_alias_maps", "transport_maps"]);
    let elsewhere =
        "[reports]\naddresses = [\"spam@example.org\"]\nlmtp = \"/var/spool/postfix/mailward/lmtp\"\n";
    check_main_cf(DEBIAN, elsewhere, &["spam@example.org=lmtp:"], &["report@"]);
}

#[test]
fn an_intake_that_lmtp_can_not_reach_is_told() {
    let config = Config::from_str("ours", "[reports]\nlmtp = \"/run/mailward/lmtp\"\n").unwrap();
    let text = print::sheet(&plan(DEBIAN, Some(&config))).text();
    assert!(text.contains("reports.lmtp (/run/mailward/lmtp) is not in a folder inside"), "{text}");
    assert!(!text.contains("transport_maps"), "{text}");
}

#[test]
fn pasted_once_milter_and_intake_leave_nothing_to_paste() {
    let config = "[milter]\nunix = \"/var/spool/postfix/mailward/milter\"\n\
                  [policy]\nunix = \"/var/spool/postfix/mailward/policy\"\n\
                  [reports]\nlmtp = \"/var/spool/postfix/mailward/lmtp\"\n";
    let config = Config::from_str("ours", config).unwrap();
    let main_cf = |postconf: &str| {
        let sheet = print::sheet(&plan(postconf, Some(&config))).json();
        sheet["main_cf"].as_str().unwrap().to_owned()
    };
    let pasted = format!("{DEBIAN}{}", main_cf(DEBIAN));
    assert_eq!(main_cf(&pasted), "# Nothing: it is all there.\n");
}
