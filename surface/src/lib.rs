//! Tells the world: dumps, statistics, JSON, from state/ alone.
