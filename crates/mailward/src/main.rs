//! The program: the only place where all crates meet.
fn main() {}
