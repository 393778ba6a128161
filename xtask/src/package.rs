//! `cargo xtask package`: a Debian package, built with dpkg-deb alone.
//!
//! The files to install stand in one table. What the package does to a system when it
//! is installed and removed stands in `packaging/deb/`.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::error::TaskError;
use crate::{metadata, repo, run};

/// A cold optimised build on two cores.
const BUILD_LIMIT: Duration = Duration::from_secs(40 * 60);

/// Packs some megabytes.
const PACK_LIMIT: Duration = Duration::from_secs(5 * 60);

/// Files to install: from the working copy, to the system, mode.
const FILES: &[(&str, &str, u32)] = &[
    ("packaging/mailward.service", "lib/systemd/system/mailward.service", 0o644),
    ("examples/mailward.toml", "etc/mailward/mailward.toml", 0o640),
    ("packaging/deb/copyright", "usr/share/doc/mailward/copyright", 0o644),
    ("packaging/postfix.md", "usr/share/doc/mailward/postfix.md", 0o644),
    ("README.md", "usr/share/doc/mailward/README.md", 0o644),
    ("CHANGELOG.md", "usr/share/doc/mailward/changelog", 0o644),
];

/// Scripts and lists of the package itself.
const CONTROL: &[(&str, u32)] =
    &[("conffiles", 0o644), ("postinst", 0o755), ("prerm", 0o755), ("postrm", 0o755)];

/// Builds the package and prints where it is.
pub(crate) fn package() -> Result<bool, TaskError> {
    run::must(&mut repo::cargo(&["build", "--release", "--locked", "-p", "mailward"]), BUILD_LIMIT)?;
    let version = version()?;
    let architecture =
        run::output(Command::new("dpkg").arg("--print-architecture"), PACK_LIMIT)?.trim().to_owned();
    let name = format!("mailward_{version}_{architecture}");
    let root = repo::target().join("debian").join(&name);
    let _ = fs::remove_dir_all(&root);
    let binary = install_files(&root)?;
    install_control(&root, &binary, &version, &architecture)?;
    let package = root.with_file_name(format!("{name}.deb"));
    let mut pack = Command::new("dpkg-deb");
    run::must(pack.args(["--root-owner-group", "--build"]).arg(&root).arg(&package), PACK_LIMIT)?;
    println!("{}", package.display());
    Ok(true)
}

fn version() -> Result<String, TaskError> {
    let packages = metadata::ours()?;
    let ours = packages.into_iter().find(|package| package.name == "mailward");
    ours.map(|package| package.version).ok_or_else(|| TaskError::Missing {
        what: "the package mailward".into(),
        way_out: "run this in the workspace".into(),
    })
}

/// Puts all files below `root`; returns the binary's bytes.
fn install_files(root: &Path) -> Result<Vec<u8>, TaskError> {
    for (from, to, mode) in FILES {
        install(&repo::top().join(from), &root.join(to), *mode)?;
    }
    let documents = repo::top().join("docs");
    copy_documents(&documents, &root.join("usr/share/doc/mailward/docs"))?;
    let binary = root.join("usr/bin/mailward");
    install(&repo::target().join("release/mailward"), &binary, 0o755)?;
    // Function names stay for backtraces; the line tables are most of the size.
    run::must(Command::new("strip").arg("--strip-debug").arg(&binary), PACK_LIMIT)?;
    fs::read(&binary).map_err(TaskError::file(&binary))
}

fn install_control(root: &Path, binary: &[u8], version: &str, architecture: &str) -> Result<(), TaskError> {
    let control = root.join("DEBIAN");
    for (name, mode) in CONTROL {
        install(&repo::top().join("packaging/deb").join(name), &control.join(name), *mode)?;
    }
    let text = repo::read_text("packaging/deb/control.in")?;
    let libc = libc_version(binary).unwrap_or_else(|| "2.36".into());
    let size = installed_kib(root)?.to_string();
    let text = fill(
        &text,
        &[("version", version), ("architecture", architecture), ("libc", &libc), ("size", &size)],
    );
    let path = control.join("control");
    fs::write(&path, text).map_err(TaskError::file(&path))
}

/// Copies one file, with the folders above it.
fn install(from: &Path, to: &Path, mode: u32) -> Result<(), TaskError> {
    let folder = to.parent().unwrap_or(to);
    fs::create_dir_all(folder).map_err(TaskError::file(folder))?;
    fs::copy(from, to).map_err(TaskError::file(from))?;
    fs::set_permissions(to, Permissions::from_mode(mode)).map_err(TaskError::file(to))
}

/// Copies the Markdown files of a folder and of those below it.
fn copy_documents(from: &Path, to: &Path) -> Result<(), TaskError> {
    for entry in children(from)? {
        let to = to.join(entry.file_name().unwrap_or_default());
        if entry.is_dir() {
            copy_documents(&entry, &to)?;
        } else if entry.extension().is_some_and(|extension| extension == "md") {
            install(&entry, &to, 0o644)?;
        }
    }
    Ok(())
}

/// What the files below `root` take, in KiB.
fn installed_kib(root: &Path) -> Result<u64, TaskError> {
    let mut sum = 0;
    for entry in children(root)? {
        let about = fs::metadata(&entry).map_err(TaskError::file(&entry))?;
        sum += if about.is_dir() { installed_kib(&entry)? } else { about.len().div_ceil(1024) };
    }
    Ok(sum)
}

fn children(folder: &Path) -> Result<Vec<PathBuf>, TaskError> {
    let entries = fs::read_dir(folder).map_err(TaskError::file(folder))?;
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    Ok(paths)
}

/// Puts values into the places `@name@`.
fn fill(text: &str, values: &[(&str, &str)]) -> String {
    values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("@{name}@"), value))
}

/// The newest C library version whose symbols a binary asks for, `2.34` of `GLIBC_2.34`.
fn libc_version(binary: &[u8]) -> Option<String> {
    const MARK: &[u8] = b"GLIBC_2.";
    let places = binary.windows(MARK.len()).enumerate().filter(|(_, bytes)| *bytes == MARK);
    let minors = places.filter_map(|(at, _)| {
        let digits: Vec<u8> =
            binary[at + MARK.len()..].iter().copied().take_while(u8::is_ascii_digit).collect();
        String::from_utf8(digits).ok()?.parse::<u32>().ok()
    });
    minors.max().map(|minor| format!("2.{minor}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_library_version_counts() {
        assert_eq!(
            libc_version(b"\0GLIBC_2.9\0GLIBC_2.34\0GLIBC_2.2.5\0GLIBC_PRIVATE\0").as_deref(),
            Some("2.34")
        );
        assert_eq!(libc_version(b"static"), None);
    }

    #[test]
    fn every_place_of_the_control_file_is_filled() {
        let text = repo::read_text("packaging/deb/control.in").unwrap();
        let text =
            fill(&text, &[("version", "1"), ("architecture", "amd64"), ("libc", "2.34"), ("size", "9")]);
        assert!(
            !text.contains('@')
                || text.lines().all(|line| line.starts_with("Maintainer:") || !line.contains('@'))
        );
        assert!(text.contains("libc6 (>= 2.34)"));
    }

    #[test]
    fn the_files_that_packaging_owns_are_there() {
        let packaging =
            FILES.iter().map(|(from, ..)| (*from).to_owned()).filter(|from| from.starts_with("packaging/"));
        let control = CONTROL.iter().map(|(name, _)| format!("packaging/deb/{name}"));
        for path in packaging.chain(control) {
            assert!(repo::top().join(&path).is_file(), "{path}");
        }
    }

    #[test]
    fn configuration_files_are_listed_so_that_upgrades_keep_them() {
        let listed = repo::read_text("packaging/deb/conffiles").unwrap();
        let in_etc = FILES.iter().map(|(_, to, _)| format!("/{to}")).filter(|to| to.starts_with("/etc/"));
        assert_eq!(listed.lines().map(str::to_owned).collect::<Vec<_>>(), in_etc.collect::<Vec<_>>());
    }
}
