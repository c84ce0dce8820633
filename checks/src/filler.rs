//! What is sent where the content does not matter.

/// The words of keepalived, over and over: a capture shows which program sent the packet.
pub(crate) fn filler<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut octets = [0; LENGTH];
    octets.iter_mut().zip(b"keepalived check - ".iter().cycle()).for_each(|(to, from)| *to = *from);
    octets
}
