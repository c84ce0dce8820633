use super::Stamp;
use anyhow::{Result, ensure};

/// Takes apart a pcap file that is still being written.
#[derive(Debug, Default)]
pub(super) struct Pcap {
    pending: Vec<u8>,
    taken: usize,
    begun: bool,
}

const NANOSECONDS: u32 = 0xa1b2_3c4d;
const FILE_HEADER: usize = 24;
const RECORD_HEADER: usize = 16;

impl Pcap {
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.pending.drain(..self.taken);
        self.taken = 0;
        self.pending.extend_from_slice(bytes);
    }

    /// The next frame that has been written completely.
    pub(super) fn next(&mut self) -> Result<Option<(Stamp, Vec<u8>)>> {
        if !self.begun {
            let Some(magic) = self.word(0) else { return Ok(None) };
            ensure!(magic == NANOSECONDS, "not a pcap file of this machine with nanoseconds: {magic:#x}");
            if self.pending.len() < FILE_HEADER {
                return Ok(None);
            }
            self.taken = FILE_HEADER;
            self.begun = true;
        }
        let words = (self.word(0), self.word(4), self.word(8), self.word(12));
        let (Some(seconds), Some(nanos), Some(length), Some(_original)) = words else { return Ok(None) };
        let start = self.taken + RECORD_HEADER;
        let end = start + usize::try_from(length)?;
        let Some(frame) = self.pending.get(start..end) else { return Ok(None) };
        let frame = frame.to_vec();
        self.taken = end;
        Ok(Some((Stamp(u64::from(seconds) * 1_000_000_000 + u64::from(nanos)), frame)))
    }

    fn word(&self, offset: usize) -> Option<u32> {
        let at = self.taken + offset;
        Some(u32::from_ne_bytes(self.pending.get(at..at + 4)?.try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_given_once_it_is_complete() {
        let mut file = NANOSECONDS.to_ne_bytes().to_vec();
        file.resize(FILE_HEADER, 0);
        for word in [2u32, 5, 3, 3] {
            file.extend_from_slice(&word.to_ne_bytes());
        }
        file.extend_from_slice(b"abc");
        let mut pcap = Pcap::default();
        for byte in &file[..file.len() - 1] {
            pcap.feed(&[*byte]);
            assert_eq!(pcap.next().unwrap(), None);
        }
        pcap.feed(b"c");
        assert_eq!(pcap.next().unwrap(), Some((Stamp(2_000_000_005), b"abc".to_vec())));
        assert_eq!(pcap.next().unwrap(), None);
    }
}
