//! Evidence: files named by the SHA-256 of what is in them, complete and synced before they bear the name.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// A SHA-256.
pub type Sha = [u8; 32];

/// The SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> Sha {
    Sha256::digest(bytes).into()
}

/// A digest in hexadecimal.
pub fn hex(digest: &Sha) -> String {
    use std::fmt::Write;
    digest.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Where the file with this digest lies: `evidence/ab/abcdef….jpg`.
pub fn path(folder: &Path, digest: &Sha) -> PathBuf {
    let name = hex(digest);
    folder.join(&name[..2]).join(format!("{name}.jpg"))
}

/// The evidence folder as its writer has it.
pub struct Evidence {
    folder: PathBuf,
    /// Folders with new names in them, not synced yet.
    unsynced: BTreeSet<PathBuf>,
}

impl Evidence {
    /// Evidence in `folder`.
    pub fn new(folder: &Path) -> Evidence {
        Evidence { folder: folder.to_owned(), unsynced: BTreeSet::new() }
    }

    /// Writes a file under its digest, unless it is there; durable after the next [`Evidence::sync`].
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&mut self, bytes: &[u8], digest: &Sha) -> std::io::Result<()> {
        let path = path(&self.folder, digest);
        if std::fs::metadata(&path).is_ok_and(|found| found.len() == bytes.len() as u64) {
            return Ok(());
        }
        let shelf = path.parent().expect("a path below the folder");
        if !shelf.exists() {
            std::fs::create_dir(shelf)?;
            self.unsynced.insert(self.folder.clone());
        }
        let unnamed = self.folder.join("unnamed.tmp");
        let written = (|| {
            let mut file = File::create(&unnamed)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            std::fs::rename(&unnamed, &path)
        })();
        if written.is_err() {
            let _ = std::fs::remove_file(&unnamed);
        }
        self.unsynced.insert(shelf.to_owned());
        written
    }

    /// Makes the new names durable.
    ///
    /// # Errors
    /// What the system says; nothing may be acknowledged after that.
    pub fn sync(&mut self) -> std::io::Result<()> {
        for folder in &self.unsynced {
            File::open(folder)?.sync_all()?;
        }
        self.unsynced.clear();
        Ok(())
    }
}
