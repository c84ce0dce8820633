//! What an outsider may see: Snapshot, and Journal with the cause of each transition.
