//! The web: case pages and their JSON twins.
//!
//! HTTP/1.1 for people who were refused and for programs of theirs. It shows what
//! `answers` made public, and nothing else; GET changes nothing (RFC 9110 §9.2.1), and
//! there is no script. TLS is a reverse proxy's work.
//!
//! | address | shows |
//! |---|---|
//! | `/` | what this is, and a form to look an address up |
//! | `/c/<reference>/<secret>` | the evidence of a case, for holders of its link |
//! | `/c/<reference>` | class, beginning and end of a case |
//! | `/l/<address>`, `/l?ip=` | whether an address is blocked, rounded |
//! | `/h/<topic>` | help |
//!
//! Each page about a case or an address has a JSON twin: ask for `application/json`, or
//! put `.json` behind the address.

mod caller;
mod form;
mod headers;
mod html;
mod listen;
mod meter;
mod routes;
mod state;

pub use listen::{Peer, serve};
pub use routes::router;
pub use state::{Clock, Portal, Vault, Views};
