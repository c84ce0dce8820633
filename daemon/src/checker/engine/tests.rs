mod rig;
mod settings;
mod table;
