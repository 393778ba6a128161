//! Any file at all as a list to import, and as a list that was imported: lines become sound
//! entries or errors, and bytes of a table are refused or answer.
#![no_main]

use std::net::IpAddr;

use libfuzzer_sys::fuzz_target;
use model::{Codes, Prefix};
use projections::feeds::Table;

#[path = "../../crates/wire/tests/invariants/lists.rs"]
mod invariants;

fuzz_target!(|input: &[u8]| {
    std::hint::black_box(invariants::check(input));
    let Ok(table) = Table::from_bytes(input.to_vec()) else { return };
    for span in table.flat.entries().take(100) {
        let _ = table.flat.any_in(Prefix::new(span.first, 12), Codes::ALL, 29_000_000);
        let _ = table.flat.get(span.last, 29_000_000);
    }
    for addr in [IpAddr::from([0; 4]), IpAddr::from([255; 4]), IpAddr::from([255; 16])] {
        let _ = table.flat.get(addr, 29_000_000);
        let _ = table.flat.any_in(Prefix::new(addr, 1), Codes::ALL, 29_000_000);
    }
    for named in table.names.entries().take(100) {
        let _ = table.names.get(named.name, 29_000_000);
        let _ = table.names.any_below(named.name, Codes::ALL, 29_000_000);
    }
});
