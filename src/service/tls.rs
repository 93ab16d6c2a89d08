//! TLS 1.3, and nothing older. Certificate and key, and the authority of clients' certificates, are looked at every ten seconds; what is there is taken when all have been read and
//! belong together, else what was taken before stays, and the log says why.
//!
//! Where the site names such an authority, clients may show a certificate that hangs on it, and need not; one that does not hang on it ends the connection.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::error::{Error, Fault, Result};
use crate::site;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// What connections are encrypted with.
pub(super) struct Tls {
    files: site::Tls,
    config: ArcSwap<ServerConfig>,
    stamp: Mutex<Stamp>,
}

type Stamp = [Option<(u64, SystemTime)>; 3];

impl Tls {
    /// Reads certificate and key.
    pub(super) fn load(files: &site::Tls) -> Result<Tls> {
        let stamp = Mutex::new(stamp(files));
        Ok(Tls { files: files.clone(), config: ArcSwap::from_pointee(config(files)?), stamp })
    }

    /// For one connection.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.load_full())
    }

    /// Takes the files anew where they have changed.
    fn look(&self) {
        let found = stamp(&self.files);
        let mut stamp = self.stamp.lock().unwrap_or_else(PoisonError::into_inner);
        if found == *stamp {
            return;
        }
        *stamp = found;
        match config(&self.files) {
            Ok(config) => {
                self.config.store(Arc::new(config));
                tracing::info!(certificate = %self.files.certificate.display(), "certificate in force");
            }
            Err(error) => tracing::error!(%error, "the certificate so far stays in force"),
        }
    }
}

/// Looks at the files until `stopped`.
pub(super) async fn watch(tls: Arc<Tls>, mut stopped: watch::Receiver<bool>) {
    let mut every = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            _ = stopped.changed() => return,
        }
        let tls = Arc::clone(&tls);
        let _ = tokio::task::spawn_blocking(move || tls.look()).await;
    }
}

fn stamp(files: &site::Tls) -> Stamp {
    [Some(&files.certificate), Some(&files.key), files.client_ca.as_ref()].map(|file| {
        let metadata = std::fs::metadata(file?).ok()?;
        Some((metadata.len(), metadata.modified().ok()?))
    })
}

fn config(files: &site::Tls) -> Result<ServerConfig> {
    let wrong = |file: &Path, error: &dyn std::fmt::Display, what: &str| Error::new(Fault::Caller, format!("{error}; {what}")).in_(file.display());
    let certificates = CertificateDer::pem_file_iter(&files.certificate).and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>);
    let certificates = certificates.map_err(|error| wrong(&files.certificate, &error, "it must be certificates in PEM, the server's own first"))?;
    let key =
        PrivateKeyDer::from_pem_file(&files.key).map_err(|error| wrong(&files.key, &error, "it must be the certificate's key in PEM, without a password"))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let clients = match &files.client_ca {
        None => WebPkiClientVerifier::no_client_auth(),
        Some(path) => {
            let what = "it must be certificates of authorities in PEM";
            let certificates = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>);
            let mut roots = RootCertStore::empty();
            for certificate in certificates.map_err(|error| wrong(path, &error, what))? {
                roots.add(certificate).map_err(|error| wrong(path, &error, what))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).allow_unauthenticated().build();
            verifier.map_err(|error| wrong(path, &error, what))?
        }
    };
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13]).expect("ring speaks TLS 1.3");
    let mut config = builder
        .with_client_cert_verifier(clients)
        .with_single_cert(certificates, key)
        .map_err(|error| wrong(&files.certificate, &error, "it and its key must belong together"))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
