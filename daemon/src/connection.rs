//! Connections between our processes. Messages arrive in order, however slow the other process is and even in a shortage.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use keepalived_core::time::Instant;
use keepalived_kernel::pipe::{self, Pipe};
use keepalived_kernel::reactor;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::message::{self, Incoming};

/// Pause before what could not be sent is tried again.
const PAUSE: Duration = Duration::from_millis(20);

/// How long a process that ends waits until its last messages are sent.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// One end of a pipe to another process, and messages that wait to be sent.
#[derive(Debug)]
pub struct Connection {
    pipe: Pipe,
    waiting: VecDeque<Letter>,
}

#[derive(Debug)]
struct Letter {
    octets: Vec<u8>,
    beside: Option<OwnedFd>,
}

impl Connection {
    /// A connection through `pipe`.
    pub const fn new(pipe: Pipe) -> Self {
        Self { pipe, waiting: VecDeque::new() }
    }

    /// Sends a message, as soon as the other takes it.
    pub fn say<T: Serialize>(&mut self, message: &T) {
        self.post(message, None);
    }

    /// The same, unless the last message that waits is equal.
    pub fn say_once<T: Serialize>(&mut self, message: &T) {
        let is_last = |letter: &Letter| message::encode(message).is_ok_and(|octets| octets == letter.octets);
        if !self.waiting.back().is_some_and(is_last) {
            self.say(message);
        }
    }

    /// Sends a message with `content` in memory beside it.
    ///
    /// # Errors
    /// There is no memory for it; nothing is sent.
    pub fn say_with<T: Serialize, C: Serialize>(&mut self, message: &T, content: &C) -> io::Result<()> {
        let memory = message::memory(content)?;
        self.post(message, Some(memory));
        Ok(())
    }

    /// Sends a message with `descriptor`.
    pub fn hand_over<T: Serialize>(&mut self, message: &T, descriptor: OwnedFd) {
        self.post(message, Some(descriptor));
    }

    /// Sends a message if the other takes it at once, and does not keep it. False if it does not.
    pub fn offer<T: Serialize>(&mut self, message: &T) -> bool {
        self.catch_up();
        !self.is_behind() && self.pipe_takes(message)
    }

    /// Sends as many messages that wait as the other takes.
    pub fn catch_up(&mut self) {
        while let Some(letter) = self.waiting.front() {
            match message::post(&self.pipe, &letter.octets, letter.beside.as_ref().map(OwnedFd::as_fd)) {
                Ok(()) => drop(self.waiting.pop_front()),
                Err(error) if pipe::may_pass(&error) => return,
                // it is gone, which its end of the pipe tells
                Err(_) => self.waiting.clear(),
            }
        }
    }

    /// How many messages wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether messages wait.
    pub fn is_behind(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// When [`Self::catch_up`] is due.
    pub fn next_at(&self, now: Instant) -> Option<Instant> {
        self.is_behind().then(|| now + PAUSE)
    }

    /// Sends messages that wait before this process ends, and gives the other a moment.
    pub fn finish(&mut self) {
        let end = reactor::now() + LAST_WORDS;
        self.catch_up();
        while self.is_behind() && reactor::now() < end {
            std::thread::sleep(PAUSE);
            self.catch_up();
        }
    }

    /// The next message of the other.
    ///
    /// # Errors
    /// As [`message::receive`].
    pub fn hear<T: DeserializeOwned>(&mut self) -> io::Result<Incoming<T>> {
        message::receive(&mut self.pipe)
    }

    fn post<T: Serialize>(&mut self, message: &T, beside: Option<OwnedFd>) {
        match message::encode(message) {
            Ok(octets) => {
                self.waiting.push_back(Letter { octets, beside });
                self.catch_up();
            }
            Err(error) => tracing::error!("cannot encode a message: {error}; please report this"),
        }
    }

    fn pipe_takes<T: Serialize>(&self, message: &T) -> bool {
        message::encode(message).and_then(|octets| message::post(&self.pipe, &octets, None)).is_ok()
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Connection, Connection) {
        let (one, other) = pipe::pair().unwrap();
        (Connection::new(one), Connection::new(other))
    }

    fn next(connection: &mut Connection) -> Option<String> {
        match connection.hear::<String>().unwrap() {
            Incoming::Message(text, _) => Some(text),
            Incoming::Nothing | Incoming::Closed => None,
        }
    }

    #[test]
    fn whatever_a_slow_reader_does_everything_arrives_in_order() {
        let (mut one, mut other) = pair();
        let long = "x".repeat(10_000);
        let said: Vec<String> = (0..1_000).map(|number| format!("{number} {long}")).collect();
        said.iter().for_each(|text| one.say(text));
        assert!(one.is_behind() && one.next_at(Instant::ZERO).is_some());
        let mut heard = Vec::new();
        while heard.len() < said.len() {
            heard.extend(next(&mut other));
            one.catch_up();
        }
        assert_eq!(heard, said);
        assert!(!one.is_behind());
    }

    #[test]
    fn what_is_longer_than_a_packet_arrives_among_the_others() {
        let (mut one, mut other) = pair();
        // an order may have a line of 65,536 octets and more
        let long = "y".repeat(3 * pipe::LONGEST_MESSAGE);
        let said = ["before".to_owned(), long, "after".to_owned()];
        said.iter().for_each(|text| one.say(text));
        assert_eq!([(); 3].map(|()| next(&mut other).unwrap()), said);
    }

    #[test]
    fn what_comes_beside_a_long_message_arrives_with_it() {
        let (mut one, mut other) = pair();
        one.say_with(&"z".repeat(2 * pipe::LONGEST_MESSAGE), &vec![7_u32; 50_000]).unwrap();
        let Incoming::Message(text, memory) = other.hear::<String>().unwrap() else { panic!("no message") };
        assert_eq!(text.len(), 2 * pipe::LONGEST_MESSAGE);
        assert_eq!(message::content::<Vec<u32>>(memory).unwrap(), vec![7; 50_000]);
    }

    #[test]
    fn an_offer_is_taken_or_not_but_never_kept() {
        let (mut one, mut other) = pair();
        let mut taken = 0;
        while one.offer(&format!("{taken} {}", "x".repeat(1_000))) {
            taken += 1;
        }
        assert!(!one.is_behind());
        let heard = std::iter::from_fn(|| next(&mut other)).count();
        assert_eq!(heard, taken);
        assert!(one.offer(&"room again".to_owned()));
    }

    #[test]
    fn a_repeated_word_waits_once() {
        let (mut one, mut other) = pair();
        while one.offer(&"x".repeat(1_000)) {}
        (0..1_000).for_each(|_| one.say_once(&"again".to_owned()));
        one.say_once(&"another".to_owned());
        let heard: Vec<String> = std::iter::from_fn(|| {
            let text = next(&mut other);
            one.catch_up();
            text
        })
        .filter(|text| text.len() < 1_000)
        .collect();
        assert_eq!(heard, ["again", "another"]);
    }

    #[test]
    fn nothing_is_kept_for_one_that_is_gone() {
        let (mut one, other) = pair();
        while one.offer(&"x".repeat(1_000)) {}
        one.say(&"last".to_owned());
        drop(other);
        one.catch_up();
        assert!(!one.is_behind());
        one.finish();
    }
}
