//! Fuzz targets and their smoke run.
