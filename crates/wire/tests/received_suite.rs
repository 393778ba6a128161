//! `Received` fields of real mail, against what the suite says that they mean.

use serde_json::Value;
use wire::received::Received;

mod suites;

/// The suite's word for what a host is.
fn host(value: &Value) -> Option<String> {
    let of_kind = |kind| value.get(kind).and_then(Value::as_str);
    of_kind("Name").or_else(|| of_kind("IpAddr")).map(str::to_owned)
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// The expected words, in the order of [`words`].
fn expected(of: &Value) -> [Option<String>; 7] {
    let from_ip = text(&of["from_ip"]).or_else(|| text(&of["from"]["IpAddr"]));
    [
        host(&of["from"]),
        host(&of["helo"]),
        text(&of["from_iprev"]),
        from_ip,
        host(&of["by"]),
        text(&of["with"]).map(|with| with.to_uppercase()),
        text(&of["id"]),
    ]
}

fn words(read: &Received<'_>) -> [Option<String>; 7] {
    [
        read.from.as_deref().map(str::to_owned),
        read.helo.as_deref().map(str::to_owned),
        read.rdns.as_deref().map(str::to_owned),
        read.ip.map(|ip| ip.to_string()),
        read.by.as_deref().map(str::to_owned),
        read.with.map(str::to_owned),
        read.id.as_deref().map(str::to_owned),
    ]
}

/// Days since 1970-01-01, counted one year and one month at a time.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let leap = |y: u64| u64::from(y.is_multiple_of(4) && (!y.is_multiple_of(100) || y.is_multiple_of(400)));
    let lengths = (1..).zip([31, 28 + leap(year), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]);
    let years: u64 = (1970..year).map(|y| 365 + leap(y)).sum();
    let months: u64 = lengths.filter(|(number, _)| *number < month).map(|(_, days)| days).sum();
    years + months + day - 1
}

/// Where the suite is of another mind: it reads a date of the C library's form as month 13
/// or second 211, which is none to us; and years of two digits as of the last century,
/// where RFC 5322 §4.3 says this one.
fn seconds(date: &Value) -> Option<u64> {
    let number = |name: &str| date[name].as_u64();
    let (year, month) = (number("year")?, number("month")?);
    if month > 12 || number("second")? > 59 {
        return None;
    }
    let year = if year < 1950 { year + 100 } else { year };
    let local = days(year, month, number("day")?) * 86_400
        + number("hour")? * 3600
        + number("minute")? * 60
        + number("second")?;
    let zone = number("tz_hour")? * 3600 + number("tz_minute")? * 60;
    Some(if date["tz_before_gmt"] == true { local + zone } else { local - zone })
}

#[test]
fn every_field_of_the_suite_is_read_as_it_says() {
    let Some(folder) = suites::folder("mime") else { return };
    let cases: Vec<Value> = serde_json::from_slice(&suites::read(&folder.join("received.json"))).unwrap();
    let wrong: Vec<&str> = cases
        .iter()
        .filter_map(|case| {
            let header = case["header"].as_str().unwrap();
            let read = Received::parse(header.as_bytes());
            let same = words(&read) == expected(&case["expected"])
                && read.date_secs == seconds(&case["expected"]["date"]);
            (!same).then_some(header)
        })
        .collect();
    println!("received: {} of {}", cases.len() - wrong.len(), cases.len());
    assert!(cases.len() >= 189, "{}", cases.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}
