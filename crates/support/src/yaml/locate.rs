//! Finds the line of a key.
//!
//! The values of the YAML library do not know their lines, but its errors do. So a key is found
//! by reading the text a second time with a reader that fails on purpose when it reaches that
//! key.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The line, counted from 1, of the last key on the path, or of the nearest key
/// above it that exists.
pub(super) fn line(text: &str, path: &[String]) -> Option<usize> {
    (1..=path.len()).rev().find_map(|length| {
        let walk = Walk(&path[..length]);
        let found = walk.deserialize(serde_yaml::Deserializer::from_str(text)).err()?;
        found.location().map(|location| location.line())
    })
}

/// Walks down to the last key of the path and fails there.
struct Walk<'a>(&'a [String]);

/// Fails at whatever comes.
struct Here;

/// Reads a key and says whether it is the wanted one; fails if that is the target.
struct Key<'a> {
    wanted: &'a str,
    is_target: bool,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping or a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Some((wanted, rest)) = self.0.split_first() else {
            return Ok(());
        };
        let number = wanted.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        let Some(number) = number.and_then(|text| text.parse::<usize>().ok()) else {
            return Ok(());
        };
        for _ in 0..number {
            if list.next_element::<IgnoredAny>()?.is_none() {
                return Ok(());
            }
        }
        if rest.is_empty() {
            list.next_element_seed(Here).map(|_| ())
        } else {
            list.next_element_seed(Walk(rest)).map(|_| ())
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut mapping: A) -> Result<(), A::Error> {
        let Some((wanted, rest)) = self.0.split_first() else {
            return Ok(());
        };
        while let Some(found) = mapping.next_key_seed(Key { wanted, is_target: rest.is_empty() })? {
            if found {
                return mapping.next_value_seed(Walk(rest));
            }
            mapping.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Here {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Here {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing")
    }
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<bool, E> {
        match key == self.wanted {
            true if self.is_target => Err(E::custom("found")),
            found => Ok(found),
        }
    }
}
