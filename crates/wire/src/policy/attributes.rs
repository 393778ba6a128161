//! Collecting the attributes of one policy request by name.

use super::request::Request;
use super::value::{ClientAddress, State, number, port};

/// The values of one request as they come in; `None` = not seen yet.
#[derive(Default)]
pub(super) struct Attributes<'a> {
    request: Option<&'a [u8]>,
    protocol_state: Option<&'a [u8]>,
    protocol_name: Option<&'a [u8]>,
    helo_name: Option<&'a [u8]>,
    queue_id: Option<&'a [u8]>,
    sender: Option<&'a [u8]>,
    recipient: Option<&'a [u8]>,
    recipient_count: Option<&'a [u8]>,
    client_address: Option<&'a [u8]>,
    client_name: Option<&'a [u8]>,
    reverse_client_name: Option<&'a [u8]>,
    client_port: Option<&'a [u8]>,
    instance: Option<&'a [u8]>,
    size: Option<&'a [u8]>,
    sasl_username: Option<&'a [u8]>,
    sasl_method: Option<&'a [u8]>,
    encryption_protocol: Option<&'a [u8]>,
    policy_context: Option<&'a [u8]>,
    server_address: Option<&'a [u8]>,
    server_port: Option<&'a [u8]>,
}

impl<'a> Attributes<'a> {
    /// Keeps `value`, unless the name is not ours or was seen before.
    // README: ‘When the same attribute name is sent more than once, the server may keep
    // the first value or the last attribute value.’ The first, so that nothing a
    // client smuggles in behind can replace what Postfix said.
    pub(super) fn put(&mut self, name: &[u8], value: &'a [u8]) {
        let slot = match name {
            b"request" => &mut self.request,
            b"protocol_state" => &mut self.protocol_state,
            b"protocol_name" => &mut self.protocol_name,
            b"helo_name" => &mut self.helo_name,
            b"queue_id" => &mut self.queue_id,
            b"sender" => &mut self.sender,
            b"recipient" => &mut self.recipient,
            b"recipient_count" => &mut self.recipient_count,
            b"client_address" => &mut self.client_address,
            b"client_name" => &mut self.client_name,
            b"reverse_client_name" => &mut self.reverse_client_name,
            b"client_port" => &mut self.client_port,
            b"instance" => &mut self.instance,
            b"size" => &mut self.size,
            b"sasl_username" => &mut self.sasl_username,
            b"sasl_method" => &mut self.sasl_method,
            b"encryption_protocol" => &mut self.encryption_protocol,
            b"policy_context" => &mut self.policy_context,
            b"server_address" => &mut self.server_address,
            b"server_port" => &mut self.server_port,
            _ => return,
        };
        slot.get_or_insert(value);
    }
}

impl<'a> From<Attributes<'a>> for Request<'a> {
    fn from(found: Attributes<'a>) -> Request<'a> {
        let value = |slot: Option<&'a [u8]>| slot.unwrap_or_default();
        Request {
            request: value(found.request),
            protocol_state: State::of(value(found.protocol_state)),
            protocol_name: value(found.protocol_name),
            helo_name: value(found.helo_name),
            queue_id: value(found.queue_id),
            sender: value(found.sender),
            recipient: value(found.recipient),
            recipient_count: number(value(found.recipient_count)).unwrap_or(0),
            client_address: ClientAddress::of(value(found.client_address)),
            client_address_raw: value(found.client_address),
            client_name: value(found.client_name),
            reverse_client_name: value(found.reverse_client_name),
            client_port: port(value(found.client_port)),
            instance: value(found.instance),
            size: number(value(found.size)).unwrap_or(0),
            sasl_username: value(found.sasl_username),
            sasl_method: value(found.sasl_method),
            encryption_protocol: value(found.encryption_protocol),
            policy_context: value(found.policy_context),
            server_address: value(found.server_address),
            server_port: port(value(found.server_port)),
        }
    }
}
