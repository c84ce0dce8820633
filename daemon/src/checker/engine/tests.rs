mod marks;
mod measures;
mod rig;
mod settings;
mod shortage;
mod table;
mod takeover;
