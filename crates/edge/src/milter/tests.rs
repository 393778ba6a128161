//! The server over real sockets, with a scripted MTA.
