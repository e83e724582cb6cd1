//! The MACs of the hash chain: HMAC-SHA-256 under the audit key.

use aws_lc_rs::hmac;

use crate::entity::{audit_event, audit_head};

/// Returns the MAC of an event that follows the one with the MAC `previous`.
pub(super) fn event_mac(key: &hmac::Key, previous: &[u8], event: &audit_event::Model) -> Vec<u8> {
    let position = event.position.map(i64::to_be_bytes);
    let occurred_at = event.occurred_at.micros().to_be_bytes();
    mac_of_fields(
        key,
        &[
            Some(b"event"),
            Some(previous),
            position.as_ref().map(<[u8; 8]>::as_slice),
            Some(event.id.as_bytes()),
            Some(&occurred_at),
            Some(event.actor.as_bytes()),
            Some(event.kind.as_bytes()),
            Some(event.outcome.as_bytes()),
            event.reason.as_ref().map(String::as_bytes),
            event.user_id.as_ref().map(|id| id.as_bytes().as_slice()),
            event.session_id.as_ref().map(|id| id.as_bytes().as_slice()),
            event.client_ip.as_ref().map(String::as_bytes),
            event.request_id.as_ref().map(|id| id.as_bytes().as_slice()),
        ],
    )
}

/// Returns the MAC of the chain's head.
pub(super) fn head_mac(key: &hmac::Key, head: &audit_head::Model) -> Vec<u8> {
    mac_of_fields(
        key,
        &[
            Some(b"head"),
            Some(&head.first_position.to_be_bytes()),
            Some(&head.first_mac),
            Some(&head.last_position.to_be_bytes()),
            Some(&head.last_mac),
            Some(&head.outside.to_be_bytes()),
        ],
    )
}

/// Returns one MAC over several fields. Each field is preceded by its length, so that no two lists of fields give the
/// same input.
fn mac_of_fields(key: &hmac::Key, fields: &[Option<&[u8]>]) -> Vec<u8> {
    let mut context = hmac::Context::with_key(key);
    for field in fields {
        match field {
            Some(bytes) => {
                context.update(&[1]);
                context.update(&(bytes.len() as u64).to_be_bytes());
                context.update(bytes);
            }
            None => context.update(&[0]),
        }
    }
    context.sign().as_ref().to_vec()
}
