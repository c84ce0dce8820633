//! Preferences for rules that name none.

use keepalived_core::vrrp::Family;

/// The preference of the first rule without one; each further rule gets the next lower one.
const HIGHEST_OWN_PREFERENCE: u32 = 16_384;

/// How many rules of each family have got a preference from us.
#[derive(Clone, Copy, Default)]
pub(super) struct Preferences {
    v4: u32,
    v6: u32,
}

impl Preferences {
    /// The preference of the next rule of `family` that names none.
    pub(super) fn next(&mut self, family: Family) -> u32 {
        let count = match family {
            Family::V4 => &mut self.v4,
            Family::V6 => &mut self.v6,
        };
        let preference = HIGHEST_OWN_PREFERENCE.saturating_sub(*count);
        *count = count.saturating_add(1);
        preference
    }
}
