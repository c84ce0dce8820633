//! "Did you mean".

use super::{Keyword, Kind, ROOT, Status, all, lookup};

/// The keyword that the author of an unknown word probably wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Suggestion {
    /// The word is right, the block is not.
    Elsewhere(&'static Keyword),
    /// A word of this block, spelt slightly differently.
    Spelling(&'static Keyword),
}

/// Finds what `name`, unknown in `block`, was meant to be.
pub fn suggest(block: &str, name: &str) -> Option<Suggestion> {
    let statements = || all().filter(|row| row.kind == Kind::Keyword);
    let here = nearest(name, statements().filter(|row| row.block == block).map(|row| row.name));
    if let Some(found) = here {
        return statements().find(|row| row.block == block && row.name == found).map(Suggestion::Spelling);
    }
    let nearest_block =
        |found: &str| statements().filter(|row| row.name == found).min_by_key(|row| steps(block, row.block));
    if let Some(row) = nearest_block(name) {
        // an old spelling elsewhere, whose word of today is known here
        let today = match row.status {
            Status::Deprecated { use_instead, .. } => lookup(block, use_instead),
            _ => None,
        };
        return Some(today.map_or(Suggestion::Elsewhere(row), Suggestion::Spelling));
    }
    let found = nearest(name, statements().map(|row| row.name))?;
    nearest_block(found).map(Suggestion::Elsewhere)
}

/// How many blocks one has to leave and enter to get from one to the other.
fn steps(from: &str, to: &str) -> usize {
    let names = |block: &str| block.split('/').filter(|name| *name != ROOT).map(str::to_owned).collect::<Vec<_>>();
    let (from, to) = (names(from), names(to));
    let common = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
    from.len().abs_diff(common).saturating_add(to.len().abs_diff(common))
}

/// The one of `words` nearest to `name`, if it is near enough: a third of its letters may differ, at most three. What
/// has one or two letters is near to everything, so it is near to nothing.
pub fn nearest<'a>(name: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if !(3..=64).contains(&name.len()) {
        return None;
    }
    let limit = (name.len() / 3).clamp(1, 3);
    let mut rows = Rows::default();
    words
        .filter(|word| word.len().abs_diff(name.len()) <= limit)
        .filter_map(|word| Some((rows.distance(name.as_bytes(), word.as_bytes(), limit)?, word)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// The rows of the table of distances that are needed, for one pair of words after the other.
#[derive(Default)]
struct Rows {
    before_last: Vec<usize>,
    last: Vec<usize>,
    current: Vec<usize>,
}

impl Rows {
    /// How many insertions, deletions, replacements and swaps of neighbours apart two words are; case does not count in
    /// full. `None` if that is more than `limit`.
    fn distance(&mut self, a: &[u8], b: &[u8], limit: usize) -> Option<usize> {
        let Self { before_last, last, current } = self;
        last.clear();
        last.extend(0..=b.len());
        let mut previous_letter = None;
        let mut was_near = true;
        for (row, letter) in a.iter().enumerate() {
            current.clear();
            current.push(row.saturating_add(1));
            let mut previous_other = None;
            for (column, other) in b.iter().enumerate() {
                let at = |cells: &[usize], index: usize| cells.get(index).copied().unwrap_or(usize::MAX);
                let differs = usize::from(!letter.eq_ignore_ascii_case(other));
                let mut best = at(last, column).saturating_add(differs);
                best = best.min(at(last, column.saturating_add(1)).saturating_add(1));
                best = best.min(at(current, column).saturating_add(1));
                if previous_letter == Some(other) && previous_other == Some(letter) && column > 0 {
                    best = best.min(at(before_last, column.saturating_sub(1)).saturating_add(1));
                }
                current.push(best);
                previous_other = Some(other);
            }
            // a row follows from the two before it, and never gets smaller
            let is_near = current.iter().any(|best| *best <= limit);
            if !is_near && !was_near {
                return None;
            }
            was_near = is_near;
            std::mem::swap(before_last, last);
            std::mem::swap(last, current);
            previous_letter = Some(letter);
        }
        last.last().copied().filter(|distance| *distance <= limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mistakes found in published configurations (users.md section 3).
    #[test]
    fn common_mistakes_are_understood() {
        let name = |block, word| match suggest(block, word) {
            Some(Suggestion::Spelling(row)) => format!("here {}", row.name),
            Some(Suggestion::Elsewhere(row)) => format!("{} {}", row.block, row.name),
            None => "none".to_owned(),
        };
        assert_eq!(name(ROOT, "vvrp_script"), "here vrrp_script");
        assert_eq!(name("vrrp_script", "weigth"), "here weight");
        assert_eq!(name("virtual_server/real_server", "SMTP_CHEKC"), "here SMTP_CHECK");
        assert_eq!(name("vrrp_instance", "lvs_sync_daemon_inteface"), "here lvs_sync_daemon_interface");
        assert_eq!(name("global_defs", "vrrp_instance"), "(root) vrrp_instance");
        assert_eq!(name("vrrp_instance", "completely_different_thing"), "none");
        assert_eq!(name("vrrp_instance", "vr"), "none");
        // the nearest block that has it, not the first of the table
        assert_eq!(name("virtual_server/real_server/MISC_CHECK", "weight"), "virtual_server/real_server weight");
        assert_eq!(name("virtual_server/real_server/TCP_CHECK", "nb_get_retry"), "here retry");
    }

    #[test]
    fn a_swap_is_one_mistake() {
        let distance = |a: &[u8], b: &[u8]| Rows::default().distance(a, b, 3);
        assert_eq!(distance(b"weigth", b"weight"), Some(1));
        assert_eq!(distance(b"", b"abc"), Some(3));
        assert_eq!(distance(b"abcdef", b"uvwxyz"), None);
        assert_eq!(distance(b"badcfe", b"abcdef"), Some(3));
        assert_eq!(distance(b"State", b"state"), Some(0));
    }
}
