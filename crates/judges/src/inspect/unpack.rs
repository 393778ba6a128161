//! Opens what holds other files: archives and documents.

use super::Fault;
use super::budget::{DEPTH_MAX, Limit};
use super::kinds::{Archive, Class, Kind};
use super::look::{File, Look};
use super::{cab, ole, pdf, rar, sevenz, streams, zips};

/// Documents inside each other that are opened beyond [`DEPTH_MAX`].
const OFFICE_DEPTH: u32 = 2;

impl Look<'_> {
    /// Opens `file` by what its bytes are, or else by what its name says.
    pub(super) fn open(
        &mut self,
        file: &File<'_>,
        by_bytes: Option<&Kind>,
        named: Option<&Kind>,
    ) -> Vec<Fault> {
        if !self.budget.is_open() {
            return Vec::new();
        }
        let mut faults = match by_bytes.or(named).map(|kind| kind.class) {
            Some(Class::Archive(archive)) => return self.archive(file, archive),
            Some(Class::Pdf) => {
                pdf::acts(file.bytes, &mut self.budget).then_some(Fault::ActivePdf).into_iter().collect()
            }
            Some(Class::Ole) => return ole::look(self, file.bytes),
            _ => Vec::new(),
        };
        // Two forms in one file: a picture by its start, an archive by its end or its name.
        match named.map(|kind| kind.class) {
            Some(Class::Archive(archive)) => faults.extend(self.archive(file, archive)),
            _ if zips::ends_like_one(file.bytes) => faults.extend(self.archive(file, Archive::Zip)),
            _ => {}
        }
        faults
    }

    fn archive(&mut self, file: &File<'_>, archive: Archive) -> Vec<Fault> {
        let office = archive == Archive::Zip && zips::is_office(file.bytes);
        // A document in a document is no deeper archive, but it ends too.
        if file.depth >= DEPTH_MAX + u32::from(office) * OFFICE_DEPTH {
            self.budget.stop(Limit::Depth);
            return vec![Fault::Bomb];
        }
        let faults = match archive {
            Archive::Zip if office => zips::office(self, file),
            Archive::Zip => zips::look(self, file),
            Archive::Gzip => streams::gzip(self, file),
            Archive::Tar => streams::tar(self, file),
            Archive::SevenZip => sevenz::look(self, file),
            Archive::Rar => rar::look(self, file),
            Archive::Cab => cab::look(self, file),
        };
        match self.budget.is_open() {
            true => faults,
            false => [faults, vec![Fault::Bomb]].concat(),
        }
    }

    /// Looks at one member of the archive `outer`.
    pub(super) fn member(&mut self, outer: &File<'_>, name: &str, bytes: &[u8]) {
        let path = join(outer.path, name);
        let names = [name.to_owned()];
        self.file(&File { path: &path, names: &names, declared: "", bytes, depth: outer.depth + 1 });
    }

    /// Looks at the name of a member whose contents can not be read.
    pub(super) fn member_name(&mut self, outer: &File<'_>, name: &str) {
        self.name_only(&join(outer.path, name));
    }
}

fn join(outer: &str, name: &str) -> String {
    format!("{outer}/{name}")
}
