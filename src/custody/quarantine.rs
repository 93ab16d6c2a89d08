//! What could not be looked at, kept aside as it came: `quarantine/NAME.bin` with `NAME.why.txt`, the oldest giving way. For people to look at; nothing was
//! acknowledged on account of it, so a full disk only says so in the log.

use std::path::Path;

/// Keeps `bytes` under `name`, and deletes the oldest files until all together have at most `most` bytes.
pub(super) fn keep(folder: &Path, name: &str, bytes: &[u8], why: &str, most: u64) {
    let kept = std::fs::write(folder.join(format!("{name}.bin")), bytes)
        .and_then(|()| std::fs::write(folder.join(format!("{name}.why.txt")), format!("{why}\n")))
        .and_then(|()| make_room(folder, most));
    if let Err(error) = kept {
        tracing::warn!(name, %error, "a bad frame could not be put into quarantine");
    }
}

fn make_room(folder: &Path, most: u64) -> std::io::Result<()> {
    let mut files = Vec::new();
    for file in std::fs::read_dir(folder)? {
        let file = file?;
        let metadata = file.metadata()?;
        files.push((metadata.modified()?, metadata.len(), file.path()));
    }
    let mut total: u64 = files.iter().map(|file| file.1).sum();
    files.sort();
    for (_, length, path) in files {
        if total <= most {
            break;
        }
        std::fs::remove_file(path)?;
        total -= length;
    }
    Ok(())
}
