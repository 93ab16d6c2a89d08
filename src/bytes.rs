//! Bytes, owned or mapped from a file, shared without copying. The only file with `unsafe` in it.
//!
//! The mapping contract, honestly: a mapped file that somebody else *truncates* while it is mapped ends the process with SIGBUS, and
//! one that somebody else rewrites changes under the reader. garita maps files that it wrote itself and sealed, or that the caller
//! of a command named; files that are still being written are read with [`Bytes::read`].
#![allow(unsafe_code)]

use std::fs::File;
use std::io::Read;
use std::ops::{Deref, Range};
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Fault, Result};

/// A shared, immutable run of bytes; cloning and slicing cost a reference count.
#[derive(Clone)]
pub struct Bytes {
    store: Arc<Store>,
    range: Range<usize>,
}

enum Store {
    Owned(Vec<u8>),
    /// Bytes that begin at a multiple of eight; the last word may reach beyond them.
    Words(Vec<u64>),
    Mapped(memmap2::Mmap),
    /// As they came from the network.
    Received(bytes::Bytes),
}

impl Store {
    fn all(&self) -> &[u8] {
        match self {
            Store::Owned(bytes) => bytes,
            Store::Words(words) => bytemuck::cast_slice(words),
            Store::Mapped(map) => map,
            Store::Received(bytes) => bytes,
        }
    }
}

impl Bytes {
    /// Maps the regular file at `path`. Directories, pipes, sockets and devices are refused before they are opened, so that none of them can hang the caller.
    ///
    /// # Errors
    /// `Caller` for what is not a readable regular file, `Damaged` for an empty one, `Machine` where mapping fails.
    pub fn map(path: &Path) -> Result<Bytes> {
        let file = open_regular(path)?;
        // SAFETY: the file is opened read-only and the mapping is private to this value; see the contract at the head of this file.
        let map = unsafe { memmap2::Mmap::map(&file) }.map_err(|error| Error::io(&error).in_(path.display()))?;
        let range = 0..map.len();
        Ok(Bytes { store: Arc::new(Store::Mapped(map)), range })
    }

    /// Reads the regular file at `path` into memory, refusing more than `limit` bytes before allocating.
    ///
    /// # Errors
    /// As [`Bytes::map`], and `Limit` for a file longer than `limit`.
    pub fn read(path: &Path, limit: u64) -> Result<Bytes> {
        let file = open_regular(path)?;
        let length = file.metadata().map_err(|error| Error::io(&error).in_(path.display()))?.len();
        if length > limit {
            return Err(Error::new(Fault::Limit, format!("{length} bytes, more than the limit of {limit}")).in_(path.display()));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
        file.take(limit).read_to_end(&mut bytes).map_err(|error| Error::io(&error).in_(path.display()))?;
        Ok(Bytes::from(bytes))
    }

    /// These bytes, beginning at a multiple of eight, so that numbers can be read in place; copied only where they do not (mappings do).
    #[must_use]
    pub fn aligned(self) -> Bytes {
        if self.as_ptr().addr().is_multiple_of(8) {
            return self;
        }
        let mut words = vec![0u64; self.len().div_ceil(8)];
        bytemuck::cast_slice_mut(&mut words)[..self.len()].copy_from_slice(&self);
        let range = 0..self.len();
        Bytes { store: Arc::new(Store::Words(words)), range }
    }

    /// The part `range` of these bytes, sharing them.
    ///
    /// # Panics
    /// Where `range` reaches beyond the end, like slicing does.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Bytes {
        assert!(range.start <= range.end && range.end <= self.len(), "slice {range:?} of {} bytes", self.len());
        Bytes { store: Arc::clone(&self.store), range: self.range.start + range.start..self.range.start + range.end }
    }
}

/// Opens a regular, non-empty file; what is not one is refused by its metadata, without opening it.
fn open_regular(path: &Path) -> Result<File> {
    let refuse = |fault, message: &str| Err(Error::new(fault, message).in_(path.display()));
    let metadata = std::fs::metadata(path).map_err(|error| Error::io(&error).in_(path.display()))?;
    if metadata.is_dir() {
        return refuse(Fault::Caller, "is a directory, not a file");
    }
    if !metadata.is_file() {
        return refuse(Fault::Caller, "is not a regular file (a pipe, socket or device)");
    }
    if metadata.len() == 0 {
        return refuse(Fault::Damaged, "is empty");
    }
    File::open(path).map_err(|error| Error::io(&error).in_(path.display()))
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Bytes {
        let range = 0..bytes.len();
        Bytes { store: Arc::new(Store::Owned(bytes)), range }
    }
}

impl From<bytes::Bytes> for Bytes {
    fn from(bytes: bytes::Bytes) -> Bytes {
        let range = 0..bytes.len();
        Bytes { store: Arc::new(Store::Received(bytes)), range }
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.store.all()[self.range.clone()]
    }
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let how = if matches!(*self.store, Store::Mapped(_)) { "mapped" } else { "owned" };
        write!(formatter, "Bytes({} {how})", self.len())
    }
}
