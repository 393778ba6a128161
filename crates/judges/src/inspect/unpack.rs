//! Opens what holds other files: archives and documents.

use super::Fault;
use super::budget::{DEPTH_MAX, Limit};
use super::kinds::{Archive, Class, Kind};
use super::look::{File, Look};
use super::{cab, ole, pdf, rar, sevenz, streams, zips};

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
        match by_bytes.or(named).map(|kind| kind.class) {
            Some(Class::Archive(archive)) => self.archive(file, archive),
            // Two forms in one file: a picture by its start, an archive by its end.
            Some(Class::Harmless | Class::Other | Class::Document) | None
                if zips::ends_like_one(file.bytes) =>
            {
                self.archive(file, Archive::Zip)
            }
            Some(Class::Pdf) => pdf::acts(file.bytes).then_some(Fault::ActivePdf).into_iter().collect(),
            Some(Class::Ole) => ole::look(self, file.bytes),
            _ => Vec::new(),
        }
    }

    fn archive(&mut self, file: &File<'_>, archive: Archive) -> Vec<Fault> {
        let office = archive == Archive::Zip && zips::is_office(file.bytes);
        if file.depth >= DEPTH_MAX && !office {
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
