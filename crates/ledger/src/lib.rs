//! Memory on disk: ledger and evidence (SQLite), journal (segments).
