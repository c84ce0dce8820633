use anyhow::{Result, bail};
use std::time::{Duration, Instant};

/// The deadline for what should take `usual`: generous, because two cores are shared with a build. Nothing here asserts
/// speed.
#[must_use]
pub fn patience(usual: Duration) -> Duration {
    usual * 3 + Duration::from_secs(5)
}

/// Asks until the answer is yes; fails with `what` when the deadline passes.
pub fn wait_until(what: &str, within: Duration, mut condition: impl FnMut() -> Result<bool>) -> Result<()> {
    let end = Instant::now() + within;
    loop {
        if condition()? {
            return Ok(());
        }
        if Instant::now() > end {
            bail!("waited {:.1} s in vain until {what}", within.as_secs_f64());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
