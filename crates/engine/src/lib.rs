//! Epochs, shards, council, guards, checkpoints: from inputs to events.
