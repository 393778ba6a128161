//! The milters that are measured: bare ones, Mailward's, rspamd's.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::rspamd::rspamd_subject;
use super::socket::Place;
use crate::bench::scratch::Scratch;
use crate::bench::subjects::{LIFETIME, Subject, free_address};
use crate::error::TaskError;
use crate::repo;

/// The core that all milters share.
const CORE: Option<usize> = Some(0);

/// How long a server that answers on TCP may take to listen on its unix socket too.
const SOCKET_LIMIT: Duration = Duration::from_secs(10);

/// A running milter, and the places where it is asked.
pub(super) struct Milter {
    pub(super) subject: Subject,
    /// Each with its name in the rows.
    pub(super) places: Vec<(String, Place)>,
}

/// Starts all that can be had here.
pub(super) fn start_all() -> Result<Vec<Milter>, TaskError> {
    let mut all = vec![bare("bare", false)?, bare("bare quiet", true)?];
    all.push(mailward("mailward", "attachments = false")?);
    all.push(mailward("mailward attachments", "attachments = true")?);
    if let Some(subject) = rspamd_subject()? {
        let places = vec![("rspamd, tcp".into(), Place::Tcp(subject.address))];
        all.push(Milter { subject, places });
    }
    Ok(all)
}

/// A server that agrees and accepts; quiet ones answer the end of a message only.
fn bare(name: &str, quiet: bool) -> Result<Milter, TaskError> {
    let address = free_address()?;
    let scratch = Scratch::new(&name.replace(' ', "-"))?;
    let socket = scratch.path().join("milter");
    let mut command = Command::new(repo::target().join("release/xtask"));
    command.args(["milter-bare", "--port", &address.port().to_string(), "--path"]).arg(&socket);
    command.args(["--seconds", &LIFETIME.as_secs().to_string()]);
    if quiet {
        command.arg("--quiet");
    }
    both(name, Subject::start(name, &mut command, address, scratch, CORE)?, socket)
}

/// Mailward with evidence and without judges, but for what `judges` says.
///
/// Without a portal and a contact it would refuse nothing, and names of RFC 2606 count as
/// none.
fn mailward(name: &str, judges: &str) -> Result<Milter, TaskError> {
    let (address, portal) = (free_address()?, free_address()?);
    let scratch = Scratch::new(&name.replace(' ', "-"))?;
    let socket = scratch.path().join("milter");
    let text = format!(
        "data-dir = '{}'\n\
         mode = 'enforce'\n\
         [portal]\n\
         url = 'http://{portal}'\n\
         listen = '{portal}'\n\
         contact = 'postmaster@mail.internal'\n\
         [policy]\n\
         tcp = 'off'\n\
         [milter]\n\
         tcp = '{address}'\n\
         unix = '{}'\n\
         trust-local = true\n\
         threads = 1\n\
         [judges]\n\
         authentication = false\n\
         {judges}\n",
        scratch.path().join("data").display(),
        socket.display(),
    );
    let configuration = scratch.write("mailward.toml", &text)?;
    let mut command = Command::new(repo::target().join("release/mailward"));
    command.args(["serve", "--config"]).arg(configuration);
    both(name, Subject::start(name, &mut command, address, scratch, CORE)?, socket)
}

/// A milter on TCP and on a unix socket that Postfix, too, may connect to.
fn both(name: &str, subject: Subject, socket: PathBuf) -> Result<Milter, TaskError> {
    open(&socket)?;
    let places = vec![
        (format!("{name}, unix"), Place::Unix(socket)),
        (format!("{name}, tcp"), Place::Tcp(subject.address)),
    ];
    Ok(Milter { subject, places })
}

fn open(socket: &Path) -> Result<(), TaskError> {
    let begun = Instant::now();
    while !socket.exists() && begun.elapsed() < SOCKET_LIMIT {
        sleep(Duration::from_millis(20));
    }
    fs::set_permissions(socket, Permissions::from_mode(0o666)).map_err(TaskError::file(socket))
}
