//! The figures that runs give.

/// What one run measures: names and values.
pub(super) type Figures = Vec<(&'static str, f64)>;

/// `count` for a calculation.
pub(super) fn as_float(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
