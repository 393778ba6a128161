//! The web: case pages and their JSON twins.
