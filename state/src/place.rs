//! Entries of a view, by their places in the configuration.

/// `place` as an index.
pub(crate) fn index(place: u32) -> usize {
    usize::try_from(place).unwrap_or(usize::MAX)
}

/// Puts `entry` in its place: instead of the one that is there, or behind the last one. Anywhere else it is dropped, so a number
/// alone allocates nothing.
pub(crate) fn put<T>(entries: &mut Vec<T>, place: u32, entry: T) {
    let end = entries.len();
    match entries.get_mut(index(place)) {
        Some(there) => *there = entry,
        None if index(place) == end => entries.push(entry),
        None => {}
    }
}
