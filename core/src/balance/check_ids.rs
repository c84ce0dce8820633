//! The checks of one server.

use std::ops::Deref;

use super::balancer::CheckId;

/// A few checks. Nearly every server has one, and sites have tens of thousands of servers: that one needs no memory of its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckIds(Ids);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Ids {
    One(CheckId),
    Others(Box<[CheckId]>),
}

impl Deref for CheckIds {
    type Target = [CheckId];

    fn deref(&self) -> &[CheckId] {
        match &self.0 {
            Ids::One(id) => std::slice::from_ref(id),
            Ids::Others(ids) => ids,
        }
    }
}

impl FromIterator<CheckId> for CheckIds {
    fn from_iter<I: IntoIterator<Item = CheckId>>(ids: I) -> Self {
        let mut ids = ids.into_iter();
        Self(match (ids.next(), ids.next()) {
            (Some(id), None) => Ids::One(id),
            (first, second) => Ids::Others(first.into_iter().chain(second).chain(ids).collect()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_there_are_they_are_what_was_put_in() {
        for count in 0..4 {
            let ids: Vec<CheckId> = (0..count).map(CheckId).collect();
            assert_eq!(*ids.iter().copied().collect::<CheckIds>(), *ids);
        }
    }
}
