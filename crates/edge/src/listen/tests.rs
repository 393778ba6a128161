use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use super::*;
use crate::testing::Folder;

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// What an operator reads.
#[track_caller]
fn check<T: std::fmt::Debug>(listened: Result<T, ListenError>, expect: &str) {
    assert_eq!(listened.expect_err("must not listen").to_string(), expect);
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn a_taken_port_is_named_with_the_way_out() {
    let held = tcp(loopback(0)).unwrap();
    let addr = held.local_addr().unwrap();
    let expect = format!(
        "expected to listen on {addr}, but another program does; find it with `ss -ltnp 'sport = :{}'` and stop \
         it, or configure another port",
        addr.port()
    );
    check(tcp(addr), &expect);
    check(tcp_shared(addr, 2), &expect);
}

#[test]
fn a_port_that_another_program_would_share_is_taken_too() {
    let held = tcp_shared(loopback(0), 1).unwrap();
    let addr = held[0].local_addr().unwrap();
    assert!(matches!(tcp_shared(addr, 1), Err(ListenError::Taken { addr: got }) if got == addr));
}

#[test]
fn shared_listeners_have_one_address_and_all_get_connections() {
    let listeners = tcp_shared(loopback(0), 2).unwrap();
    let addr = listeners[0].local_addr().unwrap();
    assert_eq!(listeners[1].local_addr().unwrap(), addr);
    let callers: Vec<_> = (0..64).map(|_| TcpStream::connect(addr).unwrap()).collect();
    let accepted = |l: &TcpListener| std::iter::from_fn(|| l.accept().ok()).count();
    let counts: Vec<_> = listeners.iter().map(accepted).collect();
    assert_eq!(counts.iter().sum::<usize>(), callers.len());
    assert!(counts.iter().all(|n| *n > 0), "{counts:?}");
}

#[test]
fn a_foreign_address_is_named() {
    check(
        tcp("192.0.2.1:12340".parse().unwrap()),
        "expected to listen on 192.0.2.1:12340, but this machine has no such address; `ip addr` lists those it has",
    );
}

#[test]
fn a_unix_socket_has_the_mode_it_was_given() {
    let folder = Folder::new();
    for (access, expect) in [(Access::Owner, 0o600), (Access::Group, 0o660)] {
        let path = folder.path("socket");
        let socket = unix(&path, access).unwrap();
        assert_eq!(mode(&path), expect);
        let mut caller = UnixStream::connect(&path).unwrap();
        caller.write_all(b"x").unwrap();
        let (mut served, _) = socket.listener().accept().unwrap();
        served.set_nonblocking(false).unwrap();
        served.read_exact(&mut [0]).unwrap();
    }
}

#[test]
fn the_socket_file_goes_with_the_socket() {
    let folder = Folder::new();
    let path = folder.path("socket");
    drop(unix(&path, Access::Owner).unwrap());
    assert!(!path.exists());
}

#[test]
fn what_another_put_there_since_then_stays() {
    let folder = Folder::new();
    let path = folder.path("socket");
    let socket = unix(&path, Access::Owner).unwrap();
    fs::write(folder.path("other"), "theirs").unwrap();
    fs::rename(folder.path("other"), &path).unwrap();
    drop(socket);
    assert_eq!(fs::read_to_string(&path).unwrap(), "theirs");
}

#[test]
fn a_socket_that_a_dead_process_left_is_replaced() {
    let folder = Folder::new();
    let path = folder.path("socket");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let _socket = unix(&path, Access::Group).unwrap();
    UnixStream::connect(&path).unwrap();
}

#[test]
fn a_socket_on_which_somebody_answers_is_not_replaced() {
    let folder = Folder::new();
    let path = folder.path("socket");
    let held = unix(&path, Access::Group).unwrap();
    let shown = path.display();
    let expect = format!(
        "expected to listen on {shown}, but another program answers there; stop it, or configure another path"
    );
    check(unix(&path, Access::Group), &expect);
    UnixStream::connect(&path).unwrap();
    drop(held);
}

#[test]
fn a_file_that_is_no_socket_is_not_touched() {
    let folder = Folder::new();
    let path = folder.path("socket");
    fs::write(&path, "theirs").unwrap();
    let shown = path.display();
    let expect = format!(
        "expected to listen on {shown}, but there is another file of that name; move it away, or configure another path"
    );
    check(unix(&path, Access::Owner), &expect);
    assert_eq!(fs::read_to_string(&path).unwrap(), "theirs");
}

#[test]
fn a_path_that_can_not_be_is_named() {
    let folder = Folder::new();
    let path = folder.path("nowhere/socket");
    let shown = path.display();
    check(
        unix(&path, Access::Owner),
        &format!("expected to listen on {shown}, but its directory does not exist; create it"),
    );
    let path = folder.path(&"x".repeat(108));
    let shown = path.display();
    check(
        unix(&path, Access::Owner),
        &format!(
            "expected to listen on {shown}, but a socket's path has at most 107 bytes; configure a shorter one"
        ),
    );
}
