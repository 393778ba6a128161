//! XARF 3.

use mail_parser::decoders::base64::base64_decode;
use serde_json::{Map, Value};

use super::check::Rule::{Bool, Date, Email, Flat, Host, Int, Ip, Name, OneOf, Port, Ports, Text, Url};
use super::check::{Rule, hold, line, object, objects, port, require, text};
use super::{Xarf, XarfError, XarfVersion};
use crate::arf::claims::json_date;

/// Where the culprit of a kind of report stands.
enum Source {
    Ip,
    IpOrUrl,
    /// In an account, which is no business of ours.
    Account,
}

/// Class, type and source of each kind.
const KINDS: [(&str, &str, Source); 16] = [
    ("Activity", "Spam", Source::Ip),
    ("Content", "Phishing", Source::IpOrUrl),
    ("Content", "Malware", Source::IpOrUrl),
    ("Activity", "Malware", Source::Ip),
    ("Activity", "DOS", Source::Ip),
    ("Activity", "PortScan", Source::Ip),
    ("Activity", "LoginAttack", Source::Ip),
    ("Activity", "Exploit", Source::Ip),
    ("Activity", "WebCrawler", Source::IpOrUrl),
    ("Activity", "Harassment", Source::IpOrUrl),
    ("Activity", "PotentiallyCompromisedAccount", Source::Account),
    ("Content", "Botnet", Source::IpOrUrl),
    ("Content", "ChildAbuse", Source::IpOrUrl),
    ("Content", "Copyright", Source::IpOrUrl),
    ("Content", "Trademark", Source::IpOrUrl),
    ("Vulnerability", "OpenService", Source::IpOrUrl),
];

const REPORTER: [(&str, Rule); 8] = [
    ("ReporterType", OneOf(&["Org", "Person"])),
    ("ReporterOrg", Name),
    ("ReporterOrgDomain", Host),
    ("ReporterOrgEmail", Email),
    ("ReporterOrgAddress", Text),
    ("ReporterContactEmail", Email),
    ("ReporterContactName", Name),
    ("ReporterContactPhone", Name),
];

const COMPLAINANT: [(&str, Rule); 7] = [
    ("ComplainantType", OneOf(&["Org", "Person"])),
    ("ComplainantOrg", Name),
    ("ComplainantOrgDomain", Host),
    ("ComplainantOrgEmail", Email),
    ("ComplainantContactEmail", Email),
    ("ComplainantContactName", Name),
    ("ComplainantContactPhone", Name),
];

const REPORT: [(&str, Rule); 21] = [
    ("ReportSubType", Text),
    ("ReporterCaseID", Text),
    ("ReporterSeverity", OneOf(&["low", "medium", "high"])),
    ("ReporterNotes", Text),
    ("Custom", Flat),
    ("Date", Date),
    ("FirstSeen", Date),
    ("SourceIp", Ip),
    ("SourcePort", Port),
    ("SourceUrl", Url),
    ("ASN", Int),
    ("DestinationIp", Ip),
    ("DestinationPort", Ports),
    ("AttackerIp", Ip),
    ("Ongoing", Bool),
    ("ByteCount", Int),
    ("PacketCount", Int),
    ("SmtpMailFromAddress", Email),
    ("SmtpRcptToAddress", Email),
    ("TransportProtocol", OneOf(&["tcp", "udp"])),
    ("RpzDomain", Host),
];

const SAMPLE: [(&str, Rule); 4] =
    [("ContentType", Text), ("Base64Encoded", Bool), ("Description", Text), ("Payload", Text)];

pub(super) fn read(document: &Map<String, Value>) -> Result<Xarf, XarfError> {
    if text(document, "Version") != Some("3") {
        return Err(XarfError::Version);
    }
    require(document, &["ReporterInfo", "Disclosure", "Report"])?;
    hold(document, &[("Disclosure", Bool)])?;
    let reporter = reporter(object(document, "ReporterInfo")?)?;
    if document.contains_key("OnBehalfOf") {
        hold(object(document, "OnBehalfOf")?, &COMPLAINANT)?;
    }
    let report = object(document, "Report")?;
    require(report, &["ReportClass", "ReportType", "Date"])?;
    hold(report, &REPORT)?;
    let kind = kind(report)?;
    Ok(Xarf {
        version: XarfVersion::V3,
        kind,
        report_id: line(report, "ReporterCaseID"),
        reporter,
        source_ip: text(report, "SourceIp").and_then(|ip| ip.parse().ok()),
        source_port: report.get("SourcePort").and_then(port),
        at_secs: text(report, "Date").and_then(json_date),
        mail_from: line(report, "SmtpMailFromAddress"),
        rcpt_to: line(report, "SmtpRcptToAddress"),
        sample: sample(report)?,
    })
}

/// Who reports: an organisation must say who it is, a person need not.
fn reporter(info: &Map<String, Value>) -> Result<Vec<u8>, XarfError> {
    hold(info, &REPORTER)?;
    let is_person = text(info, "ReporterType") == Some("Person");
    if !is_person {
        require(info, &["ReporterOrg", "ReporterOrgDomain", "ReporterOrgEmail"])?;
    }
    let words = ["ReporterOrgDomain", "ReporterContactEmail", "ReporterOrg"];
    Ok(words.iter().find_map(|word| line(info, word)).unwrap_or_default())
}

fn kind(report: &Map<String, Value>) -> Result<String, XarfError> {
    let (class, kind) = (text(report, "ReportClass"), text(report, "ReportType"));
    let row = KINDS.iter().find(|row| Some(row.0) == class && Some(row.1) == kind).ok_or(XarfError::Kind)?;
    let has_url = report.contains_key("SourceUrl");
    match row.2 {
        Source::Ip => require(report, &["SourceIp"])?,
        Source::IpOrUrl if !has_url => require(report, &["SourceIp"])?,
        Source::Account => require(report, &["Account"])?,
        Source::IpOrUrl => {}
    }
    Ok(format!("{}/{}", row.0, row.1))
}

/// The first sample that is a message; all samples are checked.
fn sample(report: &Map<String, Value>) -> Result<Option<Vec<u8>>, XarfError> {
    let mut message = None;
    for sample in objects(report, "Samples")? {
        hold(sample, &SAMPLE)?;
        // A sample of the form of a file has a name and no content.
        if !sample.contains_key("FileName") {
            require(sample, &["ContentType", "Payload"])?;
        }
        let is_message = text(sample, "ContentType").is_some_and(super::is_message);
        if is_message && message.is_none() {
            let payload = text(sample, "Payload").unwrap_or_default().as_bytes();
            let encoded = sample.get("Base64Encoded").and_then(Value::as_bool) == Some(true);
            message = if encoded { base64_decode(payload) } else { Some(payload.to_vec()) };
        }
    }
    Ok(message)
}
