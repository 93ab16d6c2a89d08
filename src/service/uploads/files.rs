//! The files of uploads: made, hashed, named.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::{About, Kind, Shared, Upload, disk};
use crate::custody::evidence::Sha;
use crate::rail::scan::{stream, tiff};
use crate::service::problem::Problem;

impl Shared {
    pub(super) fn path(&self, id: &str, kind: Kind) -> PathBuf {
        self.folder.join(format!("{id}.{}", kind.ending()))
    }

    /// Makes an upload's two files, for good.
    pub(super) fn begin(&self, id: &str, about: &About) -> std::result::Result<File, Problem> {
        let begun = (|| {
            let note = self.folder.join(format!("{id}.tmp"));
            std::fs::write(&note, serde_json::to_vec(about).expect("plain data"))?;
            File::open(&note)?.sync_all()?;
            let file = File::options().append(true).create_new(true).open(self.path(id, about.kind))?;
            std::fs::rename(&note, self.folder.join(format!("{id}.upload")))?;
            File::open(&self.folder)?.sync_all()?;
            Ok(file)
        })();
        begun.map_err(|error: std::io::Error| {
            for ending in ["tmp", "upload", about.kind.ending()] {
                let _ = std::fs::remove_file(self.folder.join(format!("{id}.{ending}")));
            }
            disk(&error)
        })
    }

    /// The SHA-256 of an upload's file, and how a file of its kind is called.
    pub(super) fn hash(&self, upload: &Upload) -> std::io::Result<(Sha, &'static str)> {
        let mut file = File::open(self.path(&upload.id, upload.about.kind))?;
        let (mut hash, mut piece, mut ending) = (Sha256::new(), vec![0; 256 << 10], None);
        loop {
            let read = file.read(&mut piece)?;
            if read == 0 {
                break;
            }
            ending.get_or_insert_with(|| ending_of(&piece[..read], upload.about.kind));
            hash.update(&piece[..read]);
        }
        Ok((hash.finalize().into(), ending.unwrap_or("bin")))
    }

    /// Gives an upload's file its second name, in `scans/`, for good.
    pub(super) fn name(&self, upload: &Upload, name: &str) -> std::io::Result<()> {
        match std::fs::hard_link(self.path(&upload.id, upload.about.kind), self.scans.join(name)) {
            // From an attempt that the store refused.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            linked => linked?,
        }
        File::open(&self.scans)?.sync_all()
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
