//! Where a mail server reaches us.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::config::Config;

/// The folder of sockets for mail servers that are not chrooted. The daemon may write
/// there, and the folder's group may connect.
const FOLDER: &str = "/var/spool/mailward";

/// A place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Place {
    /// A unix socket: what is heard there counts.
    Unix(PathBuf),
    /// A TCP listener whose operator says that no stranger reaches it.
    Tcp(SocketAddr),
}

impl Place {
    /// Where policy requests are taken: as configured, where what is heard counts; else a
    /// proposal.
    pub(super) fn policy(config: Option<&Config>) -> Place {
        let listeners = config.map(Config::listeners);
        let (unix, tcp, trusted) =
            listeners.map_or((None, None, false), |l| (l.policy_unix, l.policy_tcp, l.trust_local));
        Place::of(unix, tcp, trusted, "policy")
    }

    /// The same for the milter protocol.
    pub(super) fn milter(config: Option<&Config>) -> Place {
        let milter = config.map(Config::milter);
        let (unix, tcp, trusted) =
            milter.map_or((None, None, false), |milter| (milter.unix, milter.tcp, milter.trust_local));
        Place::of(unix, tcp, trusted, "milter")
    }

    fn of(unix: Option<PathBuf>, tcp: Option<SocketAddr>, trusted: bool, name: &str) -> Place {
        match (unix, tcp) {
            (Some(path), _) => Place::Unix(path),
            (None, Some(addr)) if trusted => Place::Tcp(addr),
            (None, _) => Place::Unix(Path::new(FOLDER).join(name)),
        }
    }

    /// Commands that make the socket's folder, for mail servers of this group.
    ///
    /// Setgid: the daemon's socket there, mode 0660, belongs to the group.
    pub(super) fn commands(&self, group: &str) -> Vec<String> {
        let folder = match self {
            Place::Unix(socket) => socket.parent(),
            Place::Tcp(_) => None,
        };
        folder.map(|folder| make(folder, group)).into_iter().collect()
    }

    /// Why there is such a folder, or a warning where there is none.
    pub(super) fn note(&self) -> String {
        match self {
            Place::Unix(_) => {
                "The folder's setgid bit gives the socket the mail server's group; the socket's mode \
                               is 0660, so nobody else can make Mailward believe things."
                    .to_owned()
            }
            Place::Tcp(addr) => format!(
                "What {addr} hears counts (trust-local): keep strangers and other users of this machine away from it."
            ),
        }
    }
}

/// The command that makes a folder of sockets.
pub(super) fn make(folder: &Path, group: &str) -> String {
    format!("install -d -o mailward -g {group} -m 2750 {}", folder.display())
}

/// The file of our configuration is right, and the daemon takes it.
pub(super) fn take_ours(ours: &Path) -> [String; 2] {
    [format!("mailward --config {} config check", ours.display()), "systemctl restart mailward".to_owned()]
}
