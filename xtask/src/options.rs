//! The options of a command: known options, given options, help.

use anyhow::{Context as _, Result, bail};
use std::fmt::Write as _;
use std::str::FromStr;

/// A command of `cargo xtask`.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) options: &'static [Known],
}

/// An option that a command knows.
#[derive(Debug)]
pub(crate) struct Known {
    /// With its dashes.
    pub(crate) name: &'static str,
    /// What its value is called; empty if it has none.
    pub(crate) value: &'static str,
    pub(crate) about: &'static str,
}

/// The options that were given.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Given(Vec<(&'static str, String)>);

impl Command {
    /// `--name VALUE`, `--name=VALUE` and `--flag`; anything else is an error that lists the known options.
    pub(crate) fn parse(&self, words: &[&str]) -> Result<Given> {
        let mut given = Given::default();
        let mut words = words.iter();
        while let Some(&word) = words.next() {
            let (name, attached) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
            let Some(known) = self.options.iter().find(|known| known.name == name) else {
                bail!("there is no option {word:?}{}\n\n{}", self.advice(name), self.help());
            };
            let value = match (known.value, attached) {
                ("", None) => "",
                ("", Some(_)) => bail!("{name} takes no value\n\n{}", self.help()),
                (_, Some(value)) => value,
                (wanted, None) => words
                    .next()
                    .filter(|next| !next.starts_with("--"))
                    .with_context(|| format!("{name} wants {wanted}\n\n{}", self.help()))?,
            };
            given.0.push((known.name, value.to_owned()));
        }
        Ok(given)
    }

    fn advice(&self, name: &str) -> String {
        let stem = |word: &str| word.trim_start_matches('-').chars().take(2).collect::<String>();
        let near = self.options.iter().find(|known| !stem(name).is_empty() && stem(known.name) == stem(name));
        near.map(|known| format!("; did you mean {}?", known.name)).unwrap_or_default()
    }

    /// What it does and what it takes.
    pub(crate) fn help(&self) -> String {
        let mut text = format!("cargo xtask {:<8} {}\n", self.name, self.about);
        for known in self.options {
            let left = format!("{} {}", known.name, known.value);
            writeln!(text, "    {left:<28} {}", known.about).expect("a String takes everything");
        }
        text
    }
}

impl Given {
    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The value, the last if it was given more than once.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(given, _)| *given == name).map(|(_, value)| value.as_str())
    }

    /// The value as a number.
    pub(crate) fn number<T: FromStr>(&self, name: &str) -> Result<Option<T>> {
        self.get(name)
            .map(|value| {
                value.parse().ok().with_context(|| format!("{name} {value}: that is no number that it can take"))
            })
            .transpose()
    }

    /// The value, which must be one of these; the first if it was not given.
    pub(crate) fn one_of<'a>(&self, name: &str, choices: &[&'a str]) -> Result<&'a str> {
        let Some(value) = self.get(name) else { return choices.first().copied().context("nothing to choose from") };
        let chosen = choices.iter().find(|&&choice| choice == value).copied();
        chosen.with_context(|| format!("{name} {value}: it is one of {}", choices.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMAND: Command = Command {
        name: "try",
        about: "tries",
        options: &[
            Known { name: "--runs", value: "N", about: "how often" },
            Known { name: "--quick", value: "", about: "less of all" },
        ],
    };

    fn complaint(words: &[&str]) -> String {
        COMMAND.parse(words).expect_err("must fail").to_string()
    }

    #[test]
    fn options_are_found_in_both_forms() {
        let given = COMMAND.parse(&["--runs", "3", "--quick", "--runs=4"]).expect("parses");
        assert!(given.has("--quick"));
        assert_eq!(given.number::<u8>("--runs").expect("a number"), Some(4));
        assert!(COMMAND.parse(&["--runs=x"]).expect("parses").number::<u8>("--runs").is_err());
    }

    #[test]
    fn what_is_not_known_is_an_error_with_advice() {
        assert!(complaint(&["--rnus"]).contains("there is no option \"--rnus\""));
        assert!(complaint(&["--run"]).contains("did you mean --runs?"));
        assert!(complaint(&["word"]).contains("how often"));
        assert!(complaint(&["--runs"]).contains("--runs wants N"));
        assert!(complaint(&["--runs", "--quick"]).contains("--runs wants N"));
        assert!(complaint(&["--quick=1"]).contains("takes no value"));
    }
}
