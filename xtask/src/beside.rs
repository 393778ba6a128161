//! Mail servers that can not be installed beside Postfix: Debian lets one machine have one.
//!
//! Their packages are downloaded and unpacked under `target/beside`, one folder each, and
//! never installed. Only the libraries that they name are, as any other package: those
//! conflict with nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::debian::{self, Ready};
use crate::error::TaskError;
use crate::{repo, run};

/// The packages, each with a file that must be in it.
const PACKAGES: [(&str, &str); 4] = [
    ("exim4-daemon-light", "usr/sbin/exim4"),
    ("opensmtpd", "usr/sbin/smtpd"),
    ("sendmail-bin", "usr/libexec/sendmail/sendmail"),
    ("sendmail-cf", "usr/share/sendmail/cf/m4/cf.m4"),
];

/// Downloads a megabyte.
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(3 * 60);

/// Unpacks it, or reads a field of it.
const UNPACK_LIMIT: Duration = Duration::from_secs(60);

/// Sees to it that all of them are unpacked and their libraries are there.
pub(crate) fn ensure() -> Result<Ready, TaskError> {
    let beside = repo::target().join("beside");
    for (package, file) in PACKAGES {
        let folder = beside.join(package);
        if folder.join(file).exists() {
            continue;
        }
        if !debian::is_root_on_debian() {
            let reason = format!("not unpacked: {package}; that takes root on Debian");
            return Ok(Ready::No { reason });
        }
        if let no @ Ready::No { .. } = unpack(package, &folder)? {
            return Ok(no);
        }
    }
    Ok(Ready::Yes)
}

/// Everything happens in a folder of another name, so that a half one is never taken for a
/// whole one.
fn unpack(package: &str, folder: &Path) -> Result<Ready, TaskError> {
    eprintln!("unpacking Debian package: {package}");
    let half = folder.with_extension("half");
    if half.exists() {
        fs::remove_dir_all(&half).map_err(TaskError::file(&half))?;
    }
    fs::create_dir_all(&half).map_err(TaskError::file(&half))?;
    let archive = download(package, &half)?;
    let archive = archive.display().to_string();
    let libraries = run::output(Command::new("dpkg-deb").args(["-f", &archive, "Depends"]), UNPACK_LIMIT)?;
    let libraries = libraries_of(&libraries);
    let libraries: Vec<&str> = libraries.iter().map(String::as_str).collect();
    if let no @ Ready::No { .. } = debian::ensure(&libraries)? {
        return Ok(no);
    }
    run::must(Command::new("dpkg-deb").args(["-x", &archive]).arg(&half), UNPACK_LIMIT)?;
    // Nobody shall find another way to root in our target folder; tests start them as root.
    run::must(Command::new("chmod").args(["-R", "u-s,g-s"]).arg(&half), UNPACK_LIMIT)?;
    fs::remove_file(&archive).map_err(TaskError::file(Path::new(&archive)))?;
    fs::rename(&half, folder).map_err(TaskError::file(folder))?;
    Ok(Ready::Yes)
}

/// Downloads a package into a folder; the lists are refreshed once when they are too old.
fn download(package: &str, into: &Path) -> Result<PathBuf, TaskError> {
    let get = || {
        let mut command = debian::apt(&["download", "-q", package]);
        command.current_dir(into);
        run::must(&mut command, DOWNLOAD_LIMIT)
    };
    if get().is_err() {
        run::must(&mut debian::apt(&["update", "-q"]), DOWNLOAD_LIMIT)?;
        get()?;
    }
    let files = fs::read_dir(into).map_err(TaskError::file(into))?.flatten().map(|entry| entry.path());
    let archive = files.into_iter().find(|path| path.extension().is_some_and(|end| end == "deb"));
    archive.ok_or_else(|| TaskError::Missing {
        what: format!("the package {package} after apt-get download"),
        way_out: format!("run it by hand in {}", into.display()),
    })
}

/// The libraries that a `Depends` field names; of alternatives the first.
fn libraries_of(depends: &str) -> Vec<String> {
    let names = depends.split(',').filter_map(|one| one.split('|').next()?.split_whitespace().next());
    let names = names.map(|name| name.split(':').next().unwrap_or(name).to_owned());
    names.filter(|name| name.starts_with("lib") || name.starts_with("zlib")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_installed_and_nothing_else() {
        let depends = "exim4-base (>= 4.96), debconf (>= 0.5) | debconf-2.0, libc6 (>= 2.34), libidn12 (>= 1.13) | \
                       libidn11, zlib1g:any (>= 1:1.1.4)\n";
        assert_eq!(libraries_of(depends), ["libc6", "libidn12", "zlib1g"]);
        assert!(libraries_of("\n").is_empty());
    }
}
