//! Checkpoints: how far the records went at some time, signed, to be kept where nobody who can change the store can change them.
//!
//! Who can write to the database can make a whole chain anew; and whoever cuts its end off leaves a chain that is right. Neither agrees with a checkpoint
//! that was taken away before. So checkpoints are *exported*: the service writes one into its log whenever records have come for a while (the log goes elsewhere on
//! a well-kept machine), `garita audit checkpoint` and `GET /v1/audit/checkpoint` print one, and `garita audit verify --checkpoint FILE` holds the store against
//! them.
//!
//! Signed is with Ed25519, by a key that is made at the first start (`audit.key` in the store unless the site file says `audit_key`, readable by the service alone). Kept with the
//! store it falls into the same hands: who takes the store, or a backup of it, can sign what they like in its name. So a site puts it on another disk, or where systemd's
//! credentials lie. Its public half stands in every checkpoint, and `garita audit key` prints it; note it down when the service is installed, and name it (`--key`): then no
//! checkpoint of another key counts.
//!
//! The same key signs the manifests of evidence packs ([`Signer::sign`]); none of these can be taken for a checkpoint, which begins with words that no manifest begins with.
//!
//! ```text
//! signature = Ed25519( "garita checkpoint 1" 0 · record · at_ms · digest )        numbers: eight bytes, big-endian
//! ```

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};

use super::NOTHING_BEFORE;
use crate::custody::evidence::{Sha, from_hex, hex};
use crate::error::{Error, Fault, Result};

/// How far the records went, signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// The newest record's number; 0 where there was none.
    pub record: i64,
    /// When, milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// That record's digest, hexadecimal.
    pub digest: String,
    /// Public key, hexadecimal.
    pub key: String,
    /// Signature, hexadecimal.
    pub signature: String,
}

impl Checkpoint {
    /// From a line that was exported, or a line of the service's log.
    ///
    /// # Errors
    /// `Damaged` for what is no checkpoint, or is not signed by the key that it names.
    pub fn parse(text: &str) -> Result<Checkpoint> {
        let damaged = |message: String| Error::new(Fault::Damaged, message);
        let checkpoint: Checkpoint = serde_json::from_str(text).map_err(|error| damaged(format!("is no checkpoint: {error}")))?;
        checkpoint.is_signed().then_some(checkpoint).ok_or_else(|| damaged("is not signed by the key that it names: somebody changed it".to_owned()))
    }

    /// Its digest.
    #[must_use]
    pub fn sha(&self) -> Option<Sha> {
        from_hex(&self.digest)
    }

    fn is_signed(&self) -> bool {
        let (Some(digest), Some(key), Some(signature)) = (self.sha(), from_hex(&self.key), bytes(&self.signature)) else { return false };
        UnparsedPublicKey::new(&ED25519, key).verify(&message(self.record, self.at_ms, &digest), &signature).is_ok()
    }
}

fn message(record: i64, at_ms: i64, digest: &Sha) -> Vec<u8> {
    [&b"garita checkpoint 1\0"[..], &record.to_be_bytes(), &at_ms.to_be_bytes(), digest].concat()
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    digits.len().is_multiple_of(2).then(|| digits.chunks(2).map(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok()).collect())?
}

/// What checkpoints are signed with.
pub struct Signer {
    pair: Ed25519KeyPair,
}

/// Where the key of the store in `folder` lies unless the site says otherwise.
#[must_use]
pub fn usual_key(folder: &Path) -> PathBuf {
    folder.join("audit.key")
}

impl Signer {
    /// The key at `path`, made if there is none.
    ///
    /// # Errors
    /// `Machine` where the file cannot be read or made, `Damaged` where it holds no key.
    pub fn open(path: &Path) -> Result<Signer> {
        let said = |error: std::io::Error| Error::io(&error).in_(path.display());
        let stored = match std::fs::read(path) {
            Ok(stored) => stored,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let made = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new());
                let made = made.map_err(|_| Error::new(Fault::Machine, "the system has no random numbers").in_(path.display()))?;
                let part = path.with_added_extension("part");
                let _ = std::fs::remove_file(&part);
                let mut file = std::fs::File::options().write(true).create_new(true).mode(0o600).open(&part).map_err(said)?;
                file.write_all(made.as_ref()).and_then(|()| file.sync_all()).map_err(said)?;
                std::fs::rename(&part, path).map_err(said)?;
                made.as_ref().to_vec()
            }
            Err(error) => return Err(said(error)),
        };
        let pair = Ed25519KeyPair::from_pkcs8(&stored);
        let pair =
            pair.map_err(|_| Error::new(Fault::Damaged, "holds no Ed25519 key: restore it from a backup, or take it away for a new one").in_(path.display()))?;
        Ok(Signer { pair })
    }

    /// The public key, hexadecimal.
    #[must_use]
    pub fn key(&self) -> String {
        self.pair.public_key().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The public key as others' tools read it: PEM (SubjectPublicKeyInfo, RFC 8410).
    #[must_use]
    pub fn pem(&self) -> String {
        // SEQUENCE { SEQUENCE { OID 1.3.101.112 }, BIT STRING of the key }
        const HEAD: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
        let key = base64::engine::general_purpose::STANDARD.encode([&HEAD, self.pair.public_key().as_ref()].concat());
        format!("-----BEGIN PUBLIC KEY-----\n{key}\n-----END PUBLIC KEY-----\n")
    }

    /// The signature of the manifest of an evidence pack: Ed25519 of its bytes.
    #[must_use]
    pub fn sign(&self, manifest: &[u8]) -> [u8; 64] {
        self.pair.sign(manifest).as_ref().try_into().expect("Ed25519 signatures have 64 bytes")
    }

    /// How far the records go now.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn checkpoint(&self, connection: &Connection, now_ms: i64) -> rusqlite::Result<Checkpoint> {
        let newest = connection
            .prepare_cached("SELECT id, digest FROM audit ORDER BY id DESC LIMIT 1")?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let (record, digest): (i64, Sha) = newest.unwrap_or((0, NOTHING_BEFORE));
        let signature = self.pair.sign(&message(record, now_ms, &digest));
        let signature = signature.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Checkpoint { record, at_ms: now_ms, digest: hex(&digest), key: self.key(), signature })
    }
}
