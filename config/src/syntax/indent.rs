//! How far a line is indented.

/// Blanks for each open brace.
pub(super) const INDENT: usize = 4;
/// Deeper blocks are not moved further to the right.
const MOST_INDENTED: usize = 32;

/// How many blanks stand before a line in so many blocks.
pub(super) fn indent(depth: usize) -> usize {
    depth.min(MOST_INDENTED).saturating_mul(INDENT)
}
