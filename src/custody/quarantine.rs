//! What could not be looked at, kept aside as it came: `quarantine/NAME.bin` with `NAME.why.txt`, the oldest giving way. For people to look at; nothing was
//! acknowledged on account of it, so a full disk only says so in the log.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

/// The most originals that are kept, so that a flood of tiny ones fills no folder.
const MOST: usize = 10_000;

/// The quarantine as its writer has it.
pub(super) struct Quarantine {
    folder: PathBuf,
    most_bytes: u64,
    /// Names without their endings, and bytes of the original; oldest first.
    kept: VecDeque<(String, u64)>,
    bytes: u64,
}

impl Quarantine {
    /// The quarantine in `folder`, of at most `most_bytes` bytes.
    pub(super) fn open(folder: &Path, most_bytes: u64) -> std::io::Result<Quarantine> {
        let mut found = Vec::new();
        for file in std::fs::read_dir(folder)? {
            let file = file?;
            if let Some(name) = file.file_name().to_str().and_then(|name| name.strip_suffix(".bin")) {
                let metadata = file.metadata()?;
                found.push((metadata.modified()?, name.to_owned(), metadata.len()));
            }
        }
        found.sort();
        let bytes = found.iter().map(|one| one.2).sum();
        Ok(Quarantine { folder: folder.to_owned(), most_bytes, kept: found.into_iter().map(|(_, name, length)| (name, length)).collect(), bytes })
    }

    /// Keeps `bytes` under `name`; the oldest give way.
    pub(super) fn keep(&mut self, name: String, bytes: &[u8], why: &str) {
        let length = bytes.len() as u64;
        let kept = self.make_room(length).and_then(|fits| {
            if fits {
                std::fs::write(self.folder.join(format!("{name}.why.txt")), format!("{why}\n"))?;
                std::fs::write(self.folder.join(format!("{name}.bin")), bytes)?;
                self.kept.push_back((name.clone(), length));
                self.bytes += length;
            }
            Ok(())
        });
        if let Err(error) = kept {
            tracing::warn!(name, %error, "a bad frame could not be put into quarantine");
        }
    }

    /// Deletes what was put in before `before_ms`, milliseconds since the Unix epoch: names begin with that time.
    pub(super) fn expire(&mut self, before_ms: i64) -> std::io::Result<()> {
        let is_old = |name: &str| name.split('-').next().and_then(|time| time.parse::<i64>().ok()).is_none_or(|time| time < before_ms);
        while self.kept.front().is_some_and(|(name, _)| is_old(name))
            && let Some((name, length)) = self.kept.pop_front()
        {
            self.bytes -= length;
            self.delete(&name)?;
        }
        Ok(())
    }

    fn delete(&self, name: &str) -> std::io::Result<()> {
        for ending in ["bin", "why.txt"] {
            match std::fs::remove_file(self.folder.join(format!("{name}.{ending}"))) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Makes room for `length` bytes; false where there is not that much.
    fn make_room(&mut self, length: u64) -> std::io::Result<bool> {
        if length > self.most_bytes {
            return Ok(false);
        }
        while (self.bytes + length > self.most_bytes || self.kept.len() >= MOST)
            && let Some((name, gone)) = self.kept.pop_front()
        {
            self.bytes -= gone;
            self.delete(&name)?;
        }
        Ok(true)
    }
}
