//! What those paste who ask our lists by DNS: the mail servers of this site and of others.
//!
//! Errors of a list look like listings (127.255.255.x, STD-22). So all that is printed here
//! takes the codes 127.0.0.2 to 127.0.0.19 and nothing else; who takes any answer for a
//! listing would refuse all mail by a quota that is used up.

use std::net::SocketAddr;
use std::path::Path;

use clap::Args;
use edge::dns::Access;
use model::SUB_ZONES;

use super::sheet::{Part, Sheet};
use crate::config::{Config, NameServer};

/// The zone that is shown where none is configured yet.
const EXAMPLE: &str = "dnsbl.example.org";

/// The port of name servers (RFC 1035 §4.2).
const PORT: u16 = 53;

/// How `setup lists` prints.
#[derive(Args)]
pub(crate) struct ListsArgs {
    /// As JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// Works out what to paste.
pub(super) fn sheet(file: &Path, config: Option<&Config>) -> Sheet {
    let server = config.and_then(Config::name_server);
    let zone = server.as_ref().map_or_else(|| EXAMPLE.to_owned(), |server| server.base.to_string());
    let mut parts = Vec::new();
    if server.is_none() {
        let title =
            format!("Into {}, with your own name; there is no name server without it:", file.display());
        parts.push(Part::text("mailward_toml", title, format!("[dns]\nzone = \"{zone}\"\n")));
    }
    parts.extend(ways_to_us(&zone, server.as_ref()));
    parts.extend(mail_servers(&zone));
    parts.extend(filters(&zone));
    let look = [format!("dig +short 2.0.0.127.bl.{zone}"), format!("dig +short 1.0.0.127.bl.{zone}")];
    let title = "From the mail server, before: the first must say 127.0.0.2, the second nothing.";
    parts.push(Part::commands("look", title, &look));
    Sheet { server: "mail servers that ask its lists", parts, notes: notes(&zone, server.as_ref()) }
}

/// How questions find us: over the parent zone where we listen as name servers do, else over
/// the resolver of whoever asks.
fn ways_to_us(zone: &str, server: Option<&NameServer>) -> Vec<Part> {
    let listen: Vec<SocketAddr> = server.map_or_else(Vec::new, |server| server.listen.clone());
    let stubs: String =
        listen.iter().map(|at| format!("    stub-addr: {}@{}\n", at.ip(), at.port())).collect();
    let stubs = if stubs.is_empty() { "    stub-addr: 127.0.0.1@12353\n".to_owned() } else { stubs };
    let unbound = format!(
        "server:\n    do-not-query-localhost: no\n    domain-insecure: \"{zone}\"\n    private-domain: \"{zone}\"\n\
         stub-zone:\n    name: \"{zone}\"\n{stubs}"
    );
    let title =
        "Into unbound.conf, where the resolver of a mail server is an Unbound that shall ask us directly:";
    let mut parts = vec![Part::text("unbound_conf", title, unbound)];
    let is_public = listen.iter().any(|at| at.port() == PORT && !at.ip().is_loopback());
    if let Some(server) = server.filter(|_| is_public) {
        let names: String = server.servers.iter().map(|name| format!("{zone}.  IN NS  {name}.\n")).collect();
        let title =
            "Into the zone above, so that everybody's resolver finds us (one line for each name server):";
        let names = if names.is_empty() { format!("{zone}.  IN NS  ns1.example.org.\n") } else { names };
        parts.push(Part::text("parent_zone", title, names));
    }
    parts
}

fn mail_servers(zone: &str) -> [Part; 5] {
    let smtpd =
        "Postfix, into main.cf; join it with restrictions that are there, ours behind what permits your own:";
    let postscreen = "Postfix with postscreen, into main.cf; only bl. is enough by itself:";
    let exim = "Exim, into the ACL of acl_smtp_rcpt, behind what accepts your own and refuses relaying:";
    let sendmail = "Sendmail, into sendmail.mc, before the MAILER lines (IPv4 only; not FEATURE(`dnsbl'), which takes \
                    any answer for a listing):";
    let opensmtpd = "OpenSMTPD, into smtpd.conf; filter-dnsbl takes any answer for a listing, so mark (-m) and do not \
                     refuse:";
    [
        Part::text("postfix_smtpd", smtpd, postfix_smtpd(zone)),
        Part::text("postfix_postscreen", postscreen, postscreen_of(zone)),
        Part::text("exim_acl", exim, exim_acl(zone)),
        Part::text("sendmail_mc", sendmail, sendmail_mc(zone)),
        Part::text(
            "smtpd_conf",
            opensmtpd,
            format!("filter \"lists\" proc-exec \"filter-dnsbl -m bl.{zone}\"\n"),
        ),
    ]
}

/// With `smtpd_delay_reject`, as shipped, all of it is asked at RCPT.
fn postfix_smtpd(zone: &str) -> String {
    format!(
        "smtpd_client_restrictions =
    permit_mynetworks
    permit_sasl_authenticated
    check_recipient_access inline:{{postmaster@=OK, abuse@=OK}}
    reject_rbl_client bl.{zone}=127.0.0.[2..19]
"
    )
}

/// The lists for scores together stay below the threshold.
fn postscreen_of(zone: &str) -> String {
    format!(
        "postscreen_dnsbl_sites =
    bl.{zone}=127.0.0.[2..19]*3
    net.{zone}=127.0.0.[2..19]*1
    policy.{zone}=127.0.0.[2..19]*1
postscreen_dnsbl_threshold = 3
postscreen_dnsbl_action = enforce
"
    )
}

/// Exim knows no ranges: each code by itself.
fn exim_acl(zone: &str) -> String {
    let codes = codes("bl").join(",");
    format!(
        "  deny
    !local_parts = postmaster : abuse
    dnslists = bl.{zone}={codes}
    message = [$sender_host_address] is listed: $dnslist_text
"
    )
}

/// The fourth argument is a pattern of Sendmail's: any last octet of 127.0.0.
fn sendmail_mc(zone: &str) -> String {
    format!(
        "FEATURE(`enhdnsbl', `bl.{zone}', `\"550 5.7.1 [\" $&{{client_addr}} \"] is listed in our block list\"', `', \
         `127.0.0.$-.')dnl\n"
    )
}

fn filters(zone: &str) -> [Part; 3] {
    let weights = "rspamd, into local.d/rbl_group.conf:";
    [
        Part::text("spamassassin_cf", "SpamAssassin, into local.cf:", spamassassin(zone)),
        Part::text("rspamd_rbl", "rspamd, into local.d/rbl.conf:", rspamd(zone)),
        Part::text("rspamd_group", weights, RSPAMD_WEIGHTS),
    ]
}

/// Only the host that handed the message to this site is asked about.
fn spamassassin(zone: &str) -> String {
    let rule = |name: &str, list: &str, what: &str, score: &str| {
        format!(
            "header   {name} eval:check_rbl('mailward-{list}-lastexternal', '{list}.{zone}.', \
             '^127\\.0\\.0\\.(?:[2-9]|1[0-9])$')
describe {name} {what}
tflags   {name} net
score    {name} {score}
"
        )
    };
    rule("RCVD_IN_MAILWARD_BL", "bl", "Listed by Mailward: sent abuse", "4.0")
        + &rule("RCVD_IN_MAILWARD_NET", "net", "Listed by Mailward: its network", "1.0")
        + &rule("RCVD_IN_MAILWARD_POLICY", "policy", "Listed by Mailward: dynamic line", "1.0")
}

const RSPAMD_WEIGHTS: &str = "symbols {
  \"MAILWARD_BL\" { weight = 6.0; description = \"Listed by Mailward: sent abuse\"; }
  \"MAILWARD_NET\" { weight = 1.0; description = \"Listed by Mailward: its network\"; }
  \"MAILWARD_POLICY\" { weight = 1.0; description = \"Listed by Mailward: dynamic line or country\"; }
}
";

/// `unknown`: as shipped, rspamd takes other answers for listings.
fn rspamd(zone: &str) -> String {
    let rule = |list: &str, symbol: &str| {
        let codes: Vec<String> = codes(list).iter().map(|code| format!("\"{code}\"")).collect();
        let codes = codes.join(", ");
        format!(
            "  mailward_{list} {{
    symbol = \"MAILWARD_{symbol}_OTHER\";
    rbl = \"{list}.{zone}\";
    checks = [\"from\"];
    ipv4 = true;
    ipv6 = true;
    unknown = false;
    returncodes {{ MAILWARD_{symbol} = [{codes}]; }}
  }}
"
        )
    };
    format!("rbls {{\n{}{}{}}}\n", rule("bl", "BL"), rule("net", "NET"), rule("policy", "POLICY"))
}

/// The answers that a list gives.
fn codes(list: &str) -> Vec<String> {
    let zone = SUB_ZONES.iter().find(|zone| zone.label == list);
    zone.into_iter().flat_map(|zone| zone.codes.addresses()).map(|code| code.to_string()).collect()
}

fn notes(zone: &str, server: Option<&NameServer>) -> Vec<String> {
    let mut notes = vec![
        "Take only 127.0.0.2 to 127.0.0.19 for a listing, as all lines above do. 127.255.255.252 (no such list), .254 \
         (not permitted) and .255 (too many questions) are errors: who takes any answer for a listing refuses all mail \
         by them."
            .to_owned(),
        format!(
            "bl.{zone} is for refusing. net. and policy. are for scores, bounce. for bounces only (MAIL FROM:<>), info. \
             and all. for whoever knows what each code means."
        ),
        "A mail server beside which Mailward runs needs none of this: it is set up by `mailward setup postfix`, exim, \
         sendmail or opensmtpd, and its refusals carry the link."
            .to_owned(),
    ];
    notes.extend(server.into_iter().flat_map(|server| of_access(zone, server)));
    notes
}

/// What whoever may not ask would see.
fn of_access(zone: &str, server: &NameServer) -> Vec<String> {
    let mut notes = Vec::new();
    if server.listen.iter().all(|at| at.ip().is_loopback()) {
        notes.push("The name server listens on loopback only: others can not ask (dns.listen).".to_owned());
    }
    notes.push(match server.access {
        Access::Public => "Everybody may ask (dns.access = \"public\").".to_owned(),
        Access::Local => {
            "Only this machine, own.networks and dns.allow may ask; others hear REFUSED (dns.access).".to_owned()
        }
        Access::Listed => {
            "Only this machine, own.networks and dns.allow may ask; others hear 127.255.255.254 (dns.access).".to_owned()
        }
        Access::Keyed => format!(
            "Others need a key of dns.keys in front of each list's name: KEY.bl.{zone}. Whoever reads a refusal must not \
             read the key: in Postfix set rbl_reply_maps and postscreen_dnsbl_reply_map."
        ),
    });
    notes
}
