//! What Postfix asks: the attributes of one policy request.
//!
//! Values are the client's own words and stay bytes: any byte but newline may stand
//! in them. Where the name or address is absent the value is empty, as Postfix itself
//! does it. Attributes about client certificates, ciphers, ETRN and stress are not
//! kept.

use std::net::IpAddr;

use super::value::{ClientAddress, State, ip, known};

/// One question of Postfix: may this client do this?
///
/// Borrows from the buffer it was read from. Nothing in it is checked unless its type
/// says so.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Request<'a> {
    /// The kind of question; see [`Request::is_access_policy`].
    pub request: &'a [u8],
    /// The SMTP command at which Postfix asks.
    pub protocol_state: State,
    /// `SMTP` or `ESMTP`.
    pub protocol_name: &'a [u8],
    /// The name the client gave in HELO or EHLO; empty before that.
    pub helo_name: &'a [u8],
    /// Postfix's queue id; empty until the first recipient was accepted.
    pub queue_id: &'a [u8],
    /// The envelope sender, without `<>`; empty for bounces, and before MAIL.
    pub sender: &'a [u8],
    /// The envelope recipient at RCPT, without `<>`; later only if there is just one.
    pub recipient: &'a [u8],
    /// How many recipients were accepted; 0 before DATA, if absent or malformed.
    pub recipient_count: u32,
    /// The client's address.
    pub client_address: ClientAddress,
    /// `client_address` as sent, for logs and for counting malformed ones.
    pub client_address_raw: &'a [u8],
    /// The verified host name, or `unknown`; see [`Request::confirmed_name`].
    pub client_name: &'a [u8],
    /// The name from the PTR record, or `unknown`; see [`Request::reverse_name`].
    pub reverse_client_name: &'a [u8],
    /// The client's TCP port; `None` if absent, malformed or 0.
    pub client_port: Option<u16>,
    /// Equal in all requests about one message, and in no other of this Postfix.
    pub instance: &'a [u8],
    /// Message size in bytes: as announced in MAIL, as received at end of message;
    /// 0 if unknown, absent or malformed.
    pub size: u64,
    /// The name the client logged in with; empty without login.
    pub sasl_username: &'a [u8],
    /// The login mechanism; empty without login.
    pub sasl_method: &'a [u8],
    /// The TLS version; empty without TLS.
    pub encryption_protocol: &'a [u8],
    /// What the operator wrote as `policy_context` of this service.
    pub policy_context: &'a [u8],
    /// Our side's address as sent; see [`Request::server_ip`].
    pub server_address: &'a [u8],
    /// Our side's TCP port; `None` if absent, malformed or 0.
    pub server_port: Option<u16>,
}

impl<'a> Request<'a> {
    /// Whether this is the one kind of question there is.
    ///
    /// `false` for a peer that speaks something else; the answer to it is `DUNNO`.
    pub fn is_access_policy(&self) -> bool {
        self.request == b"smtpd_access_policy"
    }

    /// The client's host name, if PTR and address records confirm each other.
    ///
    /// `None` may mean that there is no such name *or* that DNS did not answer:
    /// Postfix knows the difference, but this protocol sends `unknown` for both. So no
    /// permanent refusal may rest on a `None` from here; ask DNS, or the milter.
    pub fn confirmed_name(&self) -> Option<&'a [u8]> {
        known(self.client_name)
    }

    /// The name that the client's PTR record gives, confirmed or not.
    ///
    /// Whoever holds the address block can write any name there. For `None` the
    /// warning at [`Request::confirmed_name`] holds.
    pub fn reverse_name(&self) -> Option<&'a [u8]> {
        known(self.reverse_client_name)
    }

    /// Our side's address, IPv4 in IPv6 form folded to IPv4; `None` if absent or
    /// malformed. Read when asked for, since few ask.
    pub fn server_ip(&self) -> Option<IpAddr> {
        ip(self.server_address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::split_request;

    fn texts<'a>(of: &Request<'a>) -> [(&'static str, &'a [u8]); 14] {
        [
            ("request", of.request),
            ("protocol_name", of.protocol_name),
            ("helo_name", of.helo_name),
            ("queue_id", of.queue_id),
            ("sender", of.sender),
            ("recipient", of.recipient),
            ("client_name", of.client_name),
            ("reverse_client_name", of.reverse_client_name),
            ("instance", of.instance),
            ("sasl_username", of.sasl_username),
            ("sasl_method", of.sasl_method),
            ("encryption_protocol", of.encryption_protocol),
            ("policy_context", of.policy_context),
            ("server_address", of.server_address),
        ]
    }

    #[test]
    fn each_text_arrives_in_its_own_field_and_no_other() {
        for (name, _) in texts(&Request::default()) {
            let input = format!("x{name}=before\n{name}=value\n{name}x=after\n\n");
            let (request, _) = split_request(input.as_bytes()).unwrap().expect("whole");
            for (field, value) in texts(&request) {
                let expect = if field == name { "value" } else { "" };
                assert_eq!(value, expect.as_bytes(), "{field} after {name}=value");
            }
        }
    }

    #[test]
    fn unknown_is_no_name() {
        for (name, expect) in [
            ("mx.example.net", Some(b"mx.example.net".as_slice())),
            ("unknown", None),
            ("", None),
            // What a PTR record may hold is not what Postfix writes for nothing.
            ("unknown.", Some(b"unknown.")),
            ("UNKNOWN", Some(b"UNKNOWN")),
        ] {
            let request = Request { client_name: name.as_bytes(), ..Request::default() };
            assert_eq!((request.confirmed_name(), request.reverse_name()), (expect, None));
            let request = Request { reverse_client_name: name.as_bytes(), ..Request::default() };
            assert_eq!((request.confirmed_name(), request.reverse_name()), (None, expect));
        }
    }

    #[test]
    fn only_one_kind_of_request_is_known() {
        for (request, expect) in [("smtpd_access_policy", true), ("junk", false), ("", false)] {
            let request = Request { request: request.as_bytes(), ..Request::default() };
            assert_eq!(request.is_access_policy(), expect);
        }
    }

    #[test]
    fn our_own_address_is_folded_too() {
        let folded = "192.0.2.1".parse().ok();
        for (address, expect) in
            [("::ffff:192.0.2.1", folded), ("192.0.2.1", folded), ("", None), ("mx", None)]
        {
            let request = Request { server_address: address.as_bytes(), ..Request::default() };
            assert_eq!(request.server_ip(), expect, "{address}");
        }
    }
}
