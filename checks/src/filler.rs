//! What is sent where the content does not matter.

/// The same words over and over, so that whoever captures the packet knows whose it is; those of keepalived.
pub(crate) fn filler<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut octets = [0; LENGTH];
    octets.iter_mut().zip(b"keepalived check - ".iter().cycle()).for_each(|(to, from)| *to = *from);
    octets
}
