//! Rows of octets, as keepalived shows them.

use std::fmt::Write as _;

/// Octets in a row.
pub(super) const WIDTH: usize = 16;

/// Rows for `octets`. The first one is at `offset`, which counts to 65535.
pub(super) fn dump(octets: &[u8], offset: usize) -> String {
    let mut text = String::new();
    for (at, row) in octets.chunks(WIDTH).enumerate() {
        // writing to a string does not fail
        let _written = write!(text, "{:04} ", (offset + at * WIDTH) & 0xffff);
        for column in 0..WIDTH {
            let _written = match row.get(column) {
                Some(octet) => write!(text, " {octet:02x}"),
                None => write!(text, "   "),
            };
            if column == WIDTH / 2 - 1 {
                text.push_str(" -");
            }
        }
        text.push_str("   ");
        let printable = |octet: u8| if matches!(octet, 0x20..=0x7e) { char::from(octet) } else { '.' };
        text.extend(row.iter().copied().map(printable));
        text.extend(std::iter::repeat_n(' ', WIDTH - row.len()));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From keepalived 2.4.3.
    #[test]
    fn rows_are_those_of_keepalived() {
        let text = "\
            0000  48 54 54 50 2f 31 2e 30 - 20 32 30 34 20 4e 6f 20   HTTP/1.0 204 No \n\
            0016  43 6f 6e 74 65 6e 74 0d - 0a 0d 0a                  Content....     \n";
        assert_eq!(dump(b"HTTP/1.0 204 No Content\r\n\r\n", 0), text);
        assert_eq!(
            dump(b"ok\n", 65_536 + 32),
            "0032  6f 6b 0a                -                           ok.             \n"
        );
    }
}
