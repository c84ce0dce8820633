//! `virtualhost`: the name that a check asks a server for.

use super::balance::{RealServer, VirtualServer};
use super::check::{GrpcCheck, HttpCheck, Url};

impl HttpCheck {
    /// The `Host` that `url` is asked for: of the url, the check, the real server or the virtual server, in this order.
    /// `None` is the address.
    pub fn host<'a>(
        &'a self,
        url: &'a Url,
        real_server: &'a RealServer,
        virtual_server: &'a VirtualServer,
    ) -> Option<&'a str> {
        let own = url.virtualhost.as_deref().or(self.virtualhost.as_deref());
        own.or_else(|| host_of(real_server, virtual_server))
    }
}

impl GrpcCheck {
    /// The `:authority` that is asked for: of the check, the real server or the virtual server, in this order. `None`
    /// is the address.
    pub fn host<'a>(&'a self, real_server: &'a RealServer, virtual_server: &'a VirtualServer) -> Option<&'a str> {
        self.virtualhost.as_deref().or_else(|| host_of(real_server, virtual_server))
    }
}

/// `virtualhost` of the real server or the virtual server, in this order.
fn host_of<'a>(real_server: &'a RealServer, virtual_server: &'a VirtualServer) -> Option<&'a str> {
    let extras = real_server.settings.extras.as_ref();
    let own = extras.and_then(|extras| extras.virtualhost.as_deref());
    own.or(virtual_server.settings.virtualhost.as_deref())
}
