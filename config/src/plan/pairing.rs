//! Which of the old things a new one is.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// Two lists side by side. Each element is in one place; what two lists have in common under one key several times is
/// paired in order.
pub(super) struct Pairing<'a, T> {
    /// Only in the old list, in its order.
    pub(super) removed: Vec<&'a T>,
    /// In both, old and new.
    pub(super) kept: Vec<(&'a T, &'a T)>,
    /// Only in the new list, in its order.
    pub(super) added: Vec<&'a T>,
}

/// Pairs what has the same `key`, in time proportional to the lists. Lists that agree but for a few elements, which is
/// what most reloads bring, cost hardly more than looking at the keys.
pub(super) fn pair<'a, T, K: Eq + Hash>(old: &'a [T], new: &'a [T], key: impl Fn(&'a T) -> K) -> Pairing<'a, T> {
    let same = |(old, new): &(&'a T, &'a T)| key(old) == key(new);
    let mut kept: Vec<(&T, &T)> = old.iter().zip(new).take_while(same).collect();
    let (old, new) = (old.get(kept.len()..).unwrap_or_default(), new.get(kept.len()..).unwrap_or_default());
    let tail = old.iter().rev().zip(new.iter().rev()).take_while(same).count();
    let (old, old_tail) = old.split_at_checked(old.len().saturating_sub(tail)).unwrap_or_default();
    let (new, new_tail) = new.split_at_checked(new.len().saturating_sub(tail)).unwrap_or_default();
    let mut waiting: HashMap<K, VecDeque<usize>> = HashMap::with_capacity(old.len());
    for (index, element) in old.iter().enumerate() {
        waiting.entry(key(element)).or_default().push_back(index);
    }
    let mut is_kept = vec![false; old.len()];
    let mut added = Vec::new();
    for element in new {
        let found = waiting.get_mut(&key(element)).and_then(VecDeque::pop_front);
        match found.and_then(|index| Some((old.get(index)?, is_kept.get_mut(index)?))) {
            Some((partner, is_kept)) => {
                *is_kept = true;
                kept.push((partner, element));
            }
            None => added.push(element),
        }
    }
    let removed = old.iter().zip(&is_kept).filter(|(_, is_kept)| !**is_kept).map(|(element, _)| element).collect();
    kept.extend(old_tail.iter().zip(new_tail));
    Pairing { removed, kept, added }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Elements are digits, each with a serial number; the key is the digit.
    fn check(old: &str, new: &str, expected: [&str; 3]) {
        let (old, new) = (old.as_bytes(), new.as_bytes());
        let pairing = pair(old, new, |octet| *octet);
        let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap();
        let seen = [
            text(pairing.removed.into_iter().copied().collect()),
            text(pairing.kept.into_iter().map(|(old, _)| *old).collect()),
            text(pairing.added.into_iter().copied().collect()),
        ];
        assert_eq!(seen.each_ref().map(String::as_str), expected);
    }

    #[test]
    fn ends_are_paired_first_and_the_middle_by_key() {
        check("abc", "abc", ["", "abc", ""]);
        check("abcd", "axcd", ["b", "acd", "x"]);
        check("abcd", "dcba", ["", "dcba", ""]);
        check("", "ab", ["", "", "ab"]);
        check("ab", "", ["ab", "", ""]);
        check("aab", "ab", ["a", "ab", ""]);
        check("ab", "aab", ["", "ab", "a"]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_is_paired_that_could_not_be(old in "[a-d]{0,12}", new in "[a-d]{0,12}") {
            let pairing = pair(old.as_bytes(), new.as_bytes(), |octet| *octet);
            prop_assert!(pairing.kept.iter().all(|(old, new)| old == new));
            prop_assert_eq!(pairing.removed.len() + pairing.kept.len(), old.len());
            prop_assert_eq!(pairing.added.len() + pairing.kept.len(), new.len());
            prop_assert!(pairing.removed.iter().all(|octet| !pairing.added.contains(octet)));
        }
    }
}
