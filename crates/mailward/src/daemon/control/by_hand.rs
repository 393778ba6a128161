//! A block by hand as the operator words it.

use model::{Entry, Record, Secs};

use super::{BlockWish, Fault, bad, client_key, kind_of};

/// How a record is named: `C-0007`.
const RECORD: &str = "C-";
/// The next number that is free.
const NEW: &str = "new";

impl BlockWish {
    /// The order for the engine.
    pub(super) fn entry(&self) -> Result<Entry, Fault> {
        if self.record.is_none() && (self.operator_decision || !self.evidence.is_empty()) {
            return Err(bad("expected a record beside the evidence: --record new, or --record C-0007"));
        }
        Ok(Entry {
            key: client_key(self.key.parse().map_err(bad)?),
            kind: kind_of(&self.kind)?,
            lasts: Secs(self.seconds),
            even_so: self.even_so,
            spares_good: self.spare_good,
            record: self.record.as_deref().map(|number| self.kept(number)).transpose()?,
        })
    }

    fn kept(&self, number: &str) -> Result<Record, Fault> {
        let known = || number.strip_prefix(RECORD)?.parse::<u32>().ok().filter(|number| *number > 0);
        let expected = || bad(format!("expected {NEW}, or a record such as C-0007, but got {number:?}"));
        let number = if number == NEW { None } else { Some(known().ok_or_else(expected)?) };
        let evidence = u32::try_from(self.evidence.len()).unwrap_or(u32::MAX);
        Ok(Record { number, evidence, decision: self.operator_decision })
    }

    /// What stands beside the event, not public.
    pub(super) fn note(&self) -> String {
        let evidence = self.evidence.iter().map(|item| format!("\nEvidence: {item}"));
        evidence.fold(self.because.clone(), |text, item| text + &item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(record: Option<&str>, evidence: &[&str]) -> BlockWish {
        BlockWish {
            key: "2001:db8::25".into(),
            kind: "rbl".into(),
            seconds: 60,
            because: "spam".into(),
            even_so: false,
            spare_good: false,
            record: record.map(str::to_owned),
            evidence: evidence.iter().map(|item| (*item).to_owned()).collect(),
            operator_decision: false,
        }
    }

    #[track_caller]
    fn check(record: Option<&str>, evidence: &[&str], expect: Result<Option<Record>, &str>) {
        let got = wish(record, evidence).entry().map(|entry| entry.record);
        assert_eq!(got.map_err(|Fault(_, text)| text), expect.map_err(str::to_owned));
    }

    #[test]
    fn a_record_has_a_number_or_gets_one() {
        let of = |number| Ok(Some(Record { number, evidence: 1, decision: false }));
        check(Some("new"), &["a"], of(None));
        check(Some("C-0007"), &["a"], of(Some(7)));
        check(Some("7"), &["a"], Err("expected new, or a record such as C-0007, but got \"7\""));
        check(Some("C-0"), &["a"], Err("expected new, or a record such as C-0007, but got \"C-0\""));
        check(None, &["a"], Err("expected a record beside the evidence: --record new, or --record C-0007"));
        check(None, &[], Ok(None));
    }

    #[test]
    fn one_address_of_ipv6_means_its_network_and_the_evidence_stands_in_the_note() {
        let wish = wish(Some("new"), &["a log line", "a mail"]);
        assert_eq!(wish.entry().map_err(|f| f.1).unwrap().key.to_string(), "2001:db8::/64");
        assert_eq!(wish.note(), "spam\nEvidence: a log line\nEvidence: a mail");
    }
}
