//! Bytes to words and back, one protocol a module; sans-IO.
