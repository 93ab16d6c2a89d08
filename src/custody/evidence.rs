//! Evidence: files named by the SHA-256 of what is in them, complete and synced before they bear the name.
//!
//! Before a file gets its name, or its last row is deleted, its digest is written into the list `evidence/unsettled` and synced. Whatever is interrupted then, the
//! list says which files to look at: those that no row names are deleted. So neither a crash leaves a file behind that nobody knows of, nor does a start have to look at
//! all files.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension};
use sha2::{Digest, Sha256};

use super::journal;

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

/// The digest that [`hex`] writes so.
pub fn from_hex(text: &str) -> Option<Sha> {
    let mut digest = [0; 32];
    let plain = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks(2)).filter(|_| plain) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    plain.then_some(digest)
}

/// Where the file with this digest lies: `evidence/ab/abcdef….jpg`.
pub fn path(folder: &Path, digest: &Sha) -> PathBuf {
    let name = hex(digest);
    folder.join(&name[..2]).join(format!("{name}.jpg"))
}

/// The digests in the list of `folder`; none where there is no list.
///
/// # Errors
/// What the system says.
pub fn unsettled(folder: &Path) -> std::io::Result<Vec<Sha>> {
    match std::fs::read(folder.join(LIST)) {
        // A line that was cut off is of a file that was never made.
        Ok(lines) => Ok(String::from_utf8_lossy(&lines).lines().filter_map(from_hex).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The list's name in its folder.
pub const LIST: &str = "unsettled";
/// What a file is called until it is complete.
pub const UNNAMED: &str = "unnamed.tmp";

/// The evidence folder as its writer has it.
pub struct Evidence {
    folder: PathBuf,
    list: File,
    unsettled: Vec<Sha>,
    /// Folders with new names in them, not synced yet.
    unsynced: BTreeSet<PathBuf>,
}

impl Evidence {
    /// Evidence in `folder`, whose 256 shelves are made if need be.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(folder: &Path) -> std::io::Result<Evidence> {
        for shelf in 0..=255u8 {
            match std::fs::create_dir(folder.join(format!("{shelf:02x}"))) {
                Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        let list = File::options().create(true).append(true).open(folder.join(LIST))?;
        File::open(folder)?.sync_all()?;
        match std::fs::remove_file(folder.join(UNNAMED)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        Ok(Evidence { folder: folder.to_owned(), list, unsettled: unsettled(folder)?, unsynced: BTreeSet::new() })
    }

    /// Says durably that the files of these digests are about to be made, or to lose their last row.
    ///
    /// # Errors
    /// What the system says; nothing may be acknowledged after that.
    pub fn announce(&mut self, digests: &[Sha]) -> std::io::Result<()> {
        if digests.is_empty() {
            return Ok(());
        }
        self.unsettled.extend_from_slice(digests);
        // Begins with a new line: what a full disk cut off before stays a line of its own.
        let lines: String = digests.iter().map(|digest| format!("\n{}\n", hex(digest))).collect();
        self.list.write_all(lines.as_bytes())?;
        self.list.sync_data()
    }

    /// Writes a file that was announced, unless it is there; its name is durable after the next [`Evidence::sync`].
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&mut self, bytes: &[u8], digest: &Sha) -> std::io::Result<()> {
        let path = path(&self.folder, digest);
        self.unsynced.insert(path.parent().expect("a path below the folder").to_owned());
        if std::fs::metadata(&path).is_ok_and(|found| found.len() == bytes.len() as u64) {
            return Ok(());
        }
        let unnamed = self.folder.join(UNNAMED);
        let written = (|| {
            let mut file = File::create(&unnamed)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            journal::forget(&file, 0..bytes.len() as u64);
            std::fs::rename(&unnamed, &path)
        })();
        if written.is_err() {
            let _ = std::fs::remove_file(&unnamed);
        }
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

    /// True where files wait for [`Evidence::settle`].
    pub fn is_unsettled(&self) -> bool {
        !self.unsettled.is_empty()
    }

    /// After a commit: deletes what was announced and no row names, and empties the list.
    ///
    /// # Errors
    /// What the system or SQLite says; the list then stays for the next time.
    pub fn settle(&mut self, connection: &Connection) -> rusqlite::Result<std::io::Result<()>> {
        let mut shelves = BTreeSet::new();
        for digest in &self.unsettled {
            if is_named(connection, digest)? {
                continue;
            }
            let path = path(&self.folder, digest);
            match std::fs::remove_file(&path) {
                Ok(()) => shelves.insert(path.parent().expect("a path below the folder").to_owned()),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
                Err(error) => return Ok(Err(error)),
            };
        }
        let emptied = shelves.iter().try_for_each(|shelf| File::open(shelf)?.sync_all()).and_then(|()| self.list.set_len(0));
        if emptied.is_ok() {
            self.unsettled.clear();
        }
        Ok(emptied)
    }
}

/// Whether a row names the file of this digest.
pub fn is_named(connection: &Connection, digest: &Sha) -> rusqlite::Result<bool> {
    let question = "SELECT 1 FROM evidence WHERE digest = ?1 UNION ALL SELECT 1 FROM edge_read WHERE digest = ?1 LIMIT 1";
    connection.prepare_cached(question)?.query_row([digest], |_| Ok(())).optional().map(|found| found.is_some())
}
