//! Whether an answer is the one that is wanted.

use keepalived_config::model::Url;
use md5::{Digest as _, Md5};

use super::message::Sink;
use crate::failure::{Digests, Failure};
use crate::pattern::Search;

/// What a url wants of its answer. The status is judged at once, the body when all of it is there.
pub(crate) struct Judge<'a> {
    url: &'a Url,
    digest: Option<(Md5, [u8; 16])>,
    search: Option<Search>,
}

impl<'a> Judge<'a> {
    pub(crate) fn new(url: &'a Url) -> Result<Self, Failure> {
        let search = url.regex.as_ref().map(|regex| Search::new(regex)).transpose()?;
        Ok(Self { url, digest: url.digest.map(|wanted| (Md5::new(), wanted)), search })
    }

    /// The body is complete.
    pub(crate) fn verdict(self) -> Result<(), Failure> {
        if let Some((digest, wanted)) = self.digest {
            let body = digest.finalize().into();
            if body != wanted {
                return Err(Failure::Digest(Box::new(Digests { body, wanted })));
            }
        }
        self.search.map_or(Ok(()), Search::verdict)
    }
}

impl Sink for Judge<'_> {
    fn head(&mut self, status: u16, _head: &[u8]) -> Result<(), Failure> {
        let wanted = &self.url.status_codes;
        if wanted.iter().any(|range| (range.first..=range.last).contains(&status)) {
            return Ok(());
        }
        Err(Failure::Status(status, wanted.as_slice().into()))
    }

    fn body(&mut self, octets: &[u8]) -> Result<(), Failure> {
        if let Some((digest, _)) = &mut self.digest {
            digest.update(octets);
        }
        self.search.as_mut().map_or(Ok(()), |search| search.push(octets))
    }
}
