//! A list that nearly always has one entry.

use std::ops::Deref;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A few of `T`, and nearly always one: that one needs no memory of its own. Sites have tens of thousands of servers,
/// most with one check.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Few<T>(Content<T>);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Content<T> {
    One(T),
    Others(Box<[T]>),
}

impl<T> Deref for Few<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &self.0 {
            Content::One(one) => std::slice::from_ref(one),
            Content::Others(others) => others,
        }
    }
}

impl<T> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(all: I) -> Self {
        let mut all = all.into_iter();
        Self(match (all.next(), all.next()) {
            (Some(one), None) => Content::One(one),
            (first, second) => Content::Others(first.into_iter().chain(second).chain(all).collect()),
        })
    }
}

impl<'a, T> IntoIterator for &'a Few<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// As a sequence.
impl<T: Serialize> Serialize for Few<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Few<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_there_are_they_are_what_was_put_in() {
        for count in 0..4 {
            let all: Vec<u32> = (0..count).collect();
            assert_eq!(*all.iter().copied().collect::<Few<u32>>(), *all);
        }
    }
}
