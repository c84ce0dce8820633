//! What a configuration leads to: how long a failover takes, what each tracker can do, how many servers may fail.
//! Computed from the model, by the formulas that the machines go by.

mod router;
mod service;
mod tracker;

use serde::Serialize;

pub use router::{Adverts, Failover, RouterStory};
pub use service::{CheckStory, Quorum, ServiceStory};
pub use tracker::{TrackerEffect, TrackerStory};

use crate::model::Config;

/// Everything there is to say.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// Of each instance, in the order of the file.
    pub routers: Vec<RouterStory>,
    /// Of each virtual server, in the order of the file.
    pub services: Vec<ServiceStory>,
}

/// Explains `config`.
pub fn explain(config: &Config) -> Explanation {
    Explanation {
        routers: config.instances.iter().map(|instance| router::story(instance, config)).collect(),
        services: config.virtual_servers.iter().map(service::story).collect(),
    }
}
