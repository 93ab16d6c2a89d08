//! Where webhooks go, and where not: into no network of the site's own unless the site file says so.
//!
//! Whoever may configure a webhook, or answers for its name in the DNS, could otherwise have the service speak to what only it can reach: the machine itself, a cloud's metadata,
//! the site's other machines. A name is resolved anew for each connection, every address looked at, and the connection made to one that was: what
//! the name means a moment later has no say. No proxy is used and no redirection followed.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, LazyLock};

use axum::http::Uri;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};

use crate::error::{Error, Fault, Result};
use crate::site::Network;

/// Networks that no public host is in (IANA's special-purpose registries), and those whose addresses carry others'.
static PRIVATE: LazyLock<Vec<Network>> = LazyLock::new(|| {
    let networks = "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 192.168.0.0/16
                    198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/3
                    ::/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 2001::/23 2001:db8::/32 2002::/16 3fff::/20 5f00::/16 fc00::/6";
    networks.split_whitespace().map(|network| network.parse().expect("a network")).collect()
});

/// Whether an address may be spoken to: a public one, or one in `allowed`.
#[must_use]
pub fn is_allowed(address: IpAddr, allowed: &[Network]) -> bool {
    // An IPv4 address in IPv6's clothes.
    let address = address.to_canonical();
    !PRIVATE.iter().any(|network| network.contains(address)) || allowed.iter().any(|network| network.contains(address))
}

/// Where a webhook goes.
#[derive(Debug, Clone)]
pub struct Target {
    host: String,
    port: u16,
    /// As `Host` says it.
    pub authority: String,
    /// Path and query.
    pub path: String,
    tls: bool,
    allowed: Vec<Network>,
}

impl Target {
    /// The target of an `http://` or `https://` address; what `allowed` names may be private.
    ///
    /// # Errors
    /// `Caller` for what is no such address.
    pub fn new(url: &str, allowed: &[Network]) -> Result<Target> {
        let wrong = |message: String| Error::new(Fault::Caller, message).in_(url);
        let uri: Uri = url.parse().map_err(|error| wrong(format!("is no address: {error}")))?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong("begins neither with https:// nor with http://".to_owned())),
        };
        let authority = uri.authority().ok_or_else(|| wrong("names no host".to_owned()))?;
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        if host.is_empty() || authority.as_str().contains('@') {
            return Err(wrong("needs a host, and neither a user nor a password in it".to_owned()));
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Target {
            port: authority.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            authority: authority.to_string(),
            host,
            path,
            tls,
            allowed: allowed.to_vec(),
        })
    }

    /// A connection to an address of it that may be spoken to.
    ///
    /// # Errors
    /// `Caller` where none of its addresses may be, `Machine` where it has none or does not answer.
    pub async fn connect(&self, tls: &TlsConnector) -> Result<Box<dyn Stream>> {
        let found = tokio::net::lookup_host((self.host.as_str(), self.port)).await;
        let found: Vec<SocketAddr> = found.map_err(|error| Error::new(Fault::Machine, format!("the name has no address: {error}")))?.collect();
        let allowed: Vec<SocketAddr> = found.iter().copied().filter(|address| is_allowed(address.ip(), &self.allowed)).collect();
        let Some(first) = found.first() else { return Err(Error::new(Fault::Machine, "the name has no address")) };
        if allowed.is_empty() {
            let message = format!("{} is in a network of the site's own or of nobody: add it to `networks` of the [[webhook]] if it is meant", first.ip());
            return Err(Error::new(Fault::Caller, message));
        }
        let connection = TcpStream::connect(allowed.as_slice()).await.map_err(|error| Error::new(Fault::Machine, format!("no connection: {error}")))?;
        let _ = connection.set_nodelay(true);
        if !self.tls {
            return Ok(Box::new(connection));
        }
        let name = ServerName::try_from(self.host.clone()).map_err(|_| Error::new(Fault::Caller, "is no name that a certificate can be for"))?;
        let secured = tls.connect(name, connection).await.map_err(|error| Error::new(Fault::Machine, format!("TLS: {error}")))?;
        Ok(Box::new(secured))
    }
}

/// A connection, secured or not.
pub trait Stream: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin {}

impl<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin> Stream for S {}

/// How certificates are judged: by the authority in this PEM file alone, else by the system's.
///
/// # Errors
/// `Caller` for a file that holds none, `Machine` where TLS cannot be set up.
pub fn tls(ca: Option<&Path>) -> Result<TlsConnector> {
    let mut roots = tokio_rustls::rustls::RootCertStore::empty();
    match ca {
        None => {
            for certificate in rustls_native_certs::load_native_certs().certs {
                let _ = roots.add(certificate);
            }
        }
        Some(path) => {
            let wrong = |error: &dyn std::fmt::Display| {
                Error::new(Fault::Caller, format!("{error}; it must be certificates of authorities in PEM")).in_(path.display())
            };
            for certificate in CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))? {
                roots.add(certificate.map_err(|error| wrong(&error))?).map_err(|error| wrong(&error))?;
            }
        }
    }
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let versions = tokio_rustls::rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let versions = versions.map_err(|error| Error::new(Fault::Machine, error.to_string()).in_("TLS"))?;
    Ok(TlsConnector::from(Arc::new(versions.with_root_certificates(roots).with_no_client_auth())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn what_is_the_site_s_own_is_refused_in_every_disguise() {
        let private = [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "192.0.2.1",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::7f00:1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "fe80::1",
            "fec0::1",
            "fd00::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
        ];
        for text in private {
            assert!(!is_allowed(address(text), &[]), "{text}");
        }
        for text in ["1.1.1.1", "172.32.0.1", "172.15.255.255", "100.128.0.1", "198.20.0.1", "2606:4700::1111", "::ffff:1.1.1.1"] {
            assert!(is_allowed(address(text), &[]), "{text}");
        }
    }

    #[test]
    fn what_is_named_is_allowed_and_nothing_beside_it() {
        let allowed: Vec<Network> = ["10.1.0.0/16", "fd00:1::/32", "127.0.0.1/32"].iter().map(|text| text.parse().expect("a network")).collect();
        for (text, expected) in [("10.1.2.3", true), ("10.2.0.1", false), ("127.0.0.1", true), ("127.0.0.2", false), ("fd00:1::5", true), ("fd00:2::5", false)]
        {
            assert_eq!(is_allowed(address(text), &allowed), expected, "{text}");
        }
    }

    #[test]
    fn addresses_are_what_they_say() {
        let target = Target::new("https://[2606:4700::1111]:8443/a?b=c", &[]).expect("sound");
        assert_eq!((target.host.as_str(), target.port, target.path.as_str(), target.tls), ("2606:4700::1111", 8443, "/a?b=c", true));
        for wrong in ["ftp://a/", "a.example", "http://", "http://user:word@a.example/", "https:///x"] {
            assert!(Target::new(wrong, &[]).is_err(), "{wrong}");
        }
    }
}
