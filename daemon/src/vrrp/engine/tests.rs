//! The engine on the fake kernel, configured with text as people write it.

mod addresses;
mod adverts;
mod announcements;
mod authentication;
mod duplicates;
mod election;
mod firewall;
mod groups;
mod lines;
mod own_links;
mod reload;
mod rig;
mod routes;
mod scale;
mod settings;
mod slow;
mod surroundings;
mod tracking;
