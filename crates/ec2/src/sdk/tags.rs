//! The tags that identify the resources of a stack.

use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};

use super::Ec2;

pub(super) const STACK: &str = "eventpost:stack";
pub(super) const SERVICE: &str = "eventpost:service";
pub(super) const GENERATION: &str = "eventpost:generation";
/// Set once the launch of an instance is complete.
pub(super) const SERVING: &str = "eventpost:serving";
/// Set on an instance whose service keeps its data in a database.
pub(super) const DATABASE: &str = "eventpost:database";
/// The host keys that an instance may prove itself with, separated by blanks.
pub(super) const HOST_KEYS: &str = "eventpost:host-keys";
/// Who launched an instance.
pub(super) const LAUNCHED_BY: &str = "eventpost:launched-by";
/// The stack whose lock a key pair is.
pub(super) const LOCK: &str = "eventpost:lock";
pub(super) const LOCK_OWNER: &str = "eventpost:lock-owner";
pub(super) const LOCK_PURPOSE: &str = "eventpost:lock-purpose";
/// In seconds since 1970, like the next one.
pub(super) const LOCK_SINCE: &str = "eventpost:lock-since";
pub(super) const LOCK_EXPIRES: &str = "eventpost:lock-expires";
/// When an instance terminates itself, in seconds since 1970.
pub(super) const EXPIRES: &str = "eventpost:expires";

pub(super) fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

impl Ec2 {
    /// The tags of a resource in the call that creates it, with those of the user.
    pub(super) fn tags_on(&self, kind: ResourceType, mut tags: Vec<Tag>) -> TagSpecification {
        // A name that the user gives takes precedence.
        tags.retain(|own| self.user_tags.keys().all(|key| own.key() != Some(key)));
        tags.extend(self.user_tags.iter().map(|(key, value)| tag(key, value)));
        TagSpecification::builder().resource_type(kind).set_tags(Some(tags)).build()
    }
}

/// Matches the resources of a stack.
pub(super) fn of_stack(stack: &str) -> Filter {
    filter(&format!("tag:{STACK}"), stack)
}

pub(super) fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

/// Whether something with these tags belongs to a stack.
pub(super) fn are_of(tags: &[Tag], stack: &str) -> bool {
    value(tags, STACK) == Some(stack)
}

/// The value of a tag.
pub(super) fn value<'a>(tags: &'a [Tag], key: &str) -> Option<&'a str> {
    tags.iter().find(|tag| tag.key() == Some(key)).and_then(Tag::value)
}
