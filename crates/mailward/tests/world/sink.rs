//! Where a sender's bounces end, and the way on which its mail takes on an address.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread;

use super::smtp::{Client, Smtp};
use super::{bound_to_us, wait_for};

/// The program behind a [`Sink`].
pub(crate) const PROGRAM: &str = "/usr/sbin/smtp-sink";

/// A server that takes all mail, one file a message.
pub(crate) struct Sink {
    folder: PathBuf,
    running: Child,
}

impl Sink {
    /// Starts it.
    pub(crate) fn start(folder: &Path, port: u16) -> Sink {
        fs::create_dir(folder).expect("a folder of our own");
        // It runs as postfix and writes here.
        fs::set_permissions(folder, Permissions::from_mode(0o777)).expect("our own folder");
        let mut command = bound_to_us(PROGRAM);
        command.args(["-u", "postfix", "-R"]).arg(folder).args([
            "-d",
            "message.",
            &format!("127.0.0.1:{port}"),
            "10",
        ]);
        let running = command.spawn().expect("setpriv is part of the base system");
        wait_for("smtp-sink", || TcpStream::connect(("127.0.0.1", port)).ok());
        Sink { folder: folder.to_owned(), running }
    }

    /// The first message that holds `text`, once it is there.
    #[track_caller]
    pub(crate) fn message(&self, text: &str) -> String {
        wait_for(&format!("a message with {text}"), || {
            let files = fs::read_dir(&self.folder).ok()?.flatten();
            files
                .filter_map(|file| fs::read_to_string(file.path()).ok())
                .find(|message| message.contains(text))
        })
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.running.kill().expect("our own child");
        self.running.wait().expect("our own child");
    }
}

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
    let mut server = server.into_stream();
    let (mut back_from, mut back_to) = (server.try_clone()?, sender.try_clone()?);
    let back = thread::spawn(move || io::copy(&mut back_from, &mut back_to));
    io::copy(&mut sender, &mut server)?;
    server.shutdown(std::net::Shutdown::Write)?;
    // A copy that fails has been told to the sender by its broken connection.
    let _ = back.join();
    Ok(())
}
