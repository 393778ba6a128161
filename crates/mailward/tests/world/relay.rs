//! The way on which a sender's mail takes on an address.

use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use crate::world::smtp::{Client, Smtp};

/// Passes SMTP sessions on to the server at `to`, which takes them for sessions of `client`;
/// the port where they are taken. It goes on until the test ends.
pub(crate) fn posing_relay(client: Client, to: u16) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("a bound socket").port();
    thread::spawn(move || {
        for sender in listener.incoming().flatten() {
            thread::spawn(move || pass_on(sender, &client, to));
        }
    });
    port
}

fn pass_on(mut sender: TcpStream, client: &Client, to: u16) -> io::Result<()> {
    let mut server = Smtp::connect(to);
    server.pose(client);
    // The reply to XCLIENT is the greeting of a new session; it was read here.
    sender.write_all(b"220 mx.example.org ESMTP\r\n")?;
    let mut server = server.stream.into_inner();
    let (mut back_from, mut back_to) = (server.try_clone()?, sender.try_clone()?);
    let back = thread::spawn(move || io::copy(&mut back_from, &mut back_to));
    io::copy(&mut sender, &mut server)?;
    server.shutdown(std::net::Shutdown::Write)?;
    // A copy that fails has been told to the sender by its broken connection.
    let _ = back.join();
    Ok(())
}
