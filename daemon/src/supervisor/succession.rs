//! The configuration with which a checker process begins after one that died: first the one that that process had, then the present
//! one as a reload. Otherwise entries that reloads removed meanwhile would stay in the kernel's table, as entries of others.

use keepalived_config::model::Config;

/// The configuration that checker processes had, until one of them has taken the present one.
#[derive(Debug, Default)]
pub(super) struct Succession {
    had: Option<Box<Config>>,
}

impl Succession {
    /// A reload puts another configuration in the place of `before`, which a checker process was started with or given.
    pub(super) fn superseded(&mut self, before: Config) {
        // of several reloads that no process took, the first one counts
        if self.had.is_none() && !before.virtual_servers.is_empty() {
            self.had = Some(Box::new(before));
        }
    }

    /// The checker process has taken the present configuration.
    pub(super) fn taken(&mut self) {
        self.had = None;
    }

    /// Whether a checker process gets the present configuration as a reload after it has begun.
    pub(super) const fn is_open(&self) -> bool {
        self.had.is_some()
    }

    /// The configuration with which a checker process begins; `present` is the one in force.
    pub(super) fn first<'a>(&'a mut self, present: &'a mut Config) -> &'a mut Config {
        self.had.as_deref_mut().unwrap_or(present)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::from_text;

    fn with(last: u8) -> Config {
        from_text(&format!(
            "virtual_server 192.0.2.{last} 80 {{\n lvs_sched rr\n protocol TCP\n real_server 10.0.0.1 80 {{\n weight 1\n }}\n}}\n"
        ))
    }

    #[test]
    fn a_checker_begins_with_what_the_last_one_had_until_one_has_the_present_configuration() {
        let mut succession = Succession::default();
        let mut present = with(3);
        assert_eq!(*succession.first(&mut present), with(3));
        succession.superseded(with(1));
        succession.superseded(with(2));
        assert!(succession.is_open());
        assert_eq!(*succession.first(&mut present), with(1), "no process had the second one");
        succession.taken();
        assert!(!succession.is_open());
        assert_eq!(*succession.first(&mut present), with(3));
        succession.superseded(Config::default());
        assert!(!succession.is_open(), "it had nothing in the table");
    }
}
