//! The files of uploads: made, hashed, named.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256, Sha512};

use super::{About, Kind, Shared, Upload, disk, is_full, stopped};
use crate::custody::State;
use crate::custody::evidence::Sha;
use crate::rail::scan::{stream, tiff};
use crate::service::problem::Problem;

impl Shared {
    pub(super) fn path(&self, id: &str, kind: Kind) -> PathBuf {
        self.folder.join(format!("{id}.{}", kind.ending()))
    }

    /// Makes an upload's two files, for good.
    pub(super) fn begin(&self, id: &str, about: &About) -> std::result::Result<File, Problem> {
        let said = |error: std::io::Error| disk(&error);
        let begun = (|| {
            let note = self.folder.join(format!("{id}.tmp"));
            std::fs::write(&note, serde_json::to_vec(about).expect("plain data")).map_err(said)?;
            self.synced(File::open(&note).map_err(said)?.sync_all())?;
            let file = File::options().append(true).create_new(true).open(self.path(id, about.kind)).map_err(said)?;
            std::fs::rename(&note, self.folder.join(format!("{id}.upload"))).map_err(said)?;
            self.synced(File::open(&self.folder).map_err(said)?.sync_all())?;
            Ok(file)
        })();
        if begun.is_err() {
            for ending in ["tmp", "upload", about.kind.ending()] {
                let _ = std::fs::remove_file(self.folder.join(format!("{id}.{ending}")));
            }
        }
        begun
    }

    /// What a sync came to. One that failed for anything but space stops the store (invariant 6 of [`crate::custody`]).
    pub(super) fn synced(&self, synced: std::io::Result<()>) -> std::result::Result<(), Problem> {
        synced.map_err(|error| {
            if !is_full(&error) {
                self.custody.stop(&format!("uploads: {error}"));
            }
            self.refuses_stopped().err().unwrap_or_else(|| disk(&error))
        })
    }

    /// Refuses where the store has stopped.
    pub(super) fn refuses_stopped(&self) -> std::result::Result<(), Problem> {
        match self.custody.state() {
            State::Stopped(why) => Err(stopped(why)),
            State::Open | State::Full(_) => Ok(()),
        }
    }

    /// The SHA-256 of an upload's file, where `long` its SHA-512, and how a file of its kind is called.
    pub(super) fn hash(&self, upload: &Upload, long: bool) -> std::io::Result<(Sha, Option<Vec<u8>>, &'static str)> {
        let mut file = File::open(self.path(&upload.id, upload.about.kind))?;
        let (mut hash, mut long, mut piece, mut ending) = (Sha256::new(), long.then(Sha512::new), vec![0; 256 << 10], None);
        loop {
            let read = file.read(&mut piece)?;
            if read == 0 {
                break;
            }
            ending.get_or_insert_with(|| ending_of(&piece[..read], upload.about.kind));
            hash.update(&piece[..read]);
            if let Some(long) = &mut long {
                long.update(&piece[..read]);
            }
        }
        Ok((hash.finalize().into(), long.map(|hash| hash.finalize().to_vec()), ending.unwrap_or("bin")))
    }

    /// Gives an upload's file its second name, in `scans/`, for good.
    pub(super) fn name(&self, upload: &Upload, name: &str) -> std::result::Result<(), Problem> {
        let said = |error: std::io::Error| disk(&error);
        match std::fs::hard_link(self.path(&upload.id, upload.about.kind), self.scans.join(name)) {
            // From an attempt that the store refused.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            linked => linked.map_err(said)?,
        }
        let named = File::open(&self.scans).map_err(said).and_then(|folder| self.synced(folder.sync_all()));
        if named.is_err() {
            self.unname(name);
        }
        named
    }

    /// Gives a file of an upload another name, for good.
    pub(super) fn rename(&self, from: &Path, to: &Path) -> std::result::Result<(), Problem> {
        let folder = std::fs::rename(from, to).and_then(|()| File::open(&self.folder)).map_err(|error| disk(&error))?;
        self.synced(folder.sync_all())
    }

    /// Takes back a second name to which there will be no row, while its upload still has the first. After a stop nobody knows whether there is one: the next
    /// start does.
    pub(super) fn unname(&self, name: &str) {
        if self.refuses_stopped().is_ok() {
            let _ = std::fs::remove_file(self.scans.join(name));
        }
    }
}

/// How files that begin like this are called; [`crate::rail::scan::Scan::open`] goes by what is in them, except for a stream.
fn ending_of(beginning: &[u8], kind: Kind) -> &'static str {
    match kind {
        Kind::Columns => "stream",
        Kind::Scan if tiff::is_tiff(beginning) => "tif",
        Kind::Scan if beginning.starts_with(b"\x89PNG") => "png",
        Kind::Scan if matches!(stream::Head::parse(beginning), Ok(Some(_))) => "stream",
        Kind::Scan => "bin",
    }
}
