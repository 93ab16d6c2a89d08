//! Connections to others are encrypted, with TLS 1.3, and a new certificate is taken while it runs.

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use garita::custody::evidence::sha256;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tempfile::tempdir;

use super::server::{Answer, Server, own_password};

/// Writes a certificate for 127.0.0.1 and its key; answers the certificate.
fn certify(folder: &Path) -> CertificateDer<'static> {
    let rcgen::CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    // The key first: half a change must not be taken.
    std::fs::write(folder.join("key.pem"), signing_key.serialize_pem()).unwrap();
    std::fs::write(folder.join("certificate.pem"), cert.pem()).unwrap();
    cert.der().clone()
}

/// Sends a request over TLS to a server whom we know by `certificate`.
fn request(server: &Server, certificate: &CertificateDer<'static>, head: &[u8], body: &[u8]) -> std::io::Result<(Answer, Option<rustls::ProtocolVersion>)> {
    let mut stream = connect(server, certificate, None)?;
    stream.write_all(head)?;
    stream.write_all(body)?;
    let answer = Answer::read(&mut stream);
    Ok((answer, stream.conn.protocol_version()))
}

/// Whom a client is known by: its certificate, and its key.
type Identity = (CertificateDer<'static>, PrivateKeyDer<'static>);

/// A connection over TLS, with a client certificate or without.
fn connect(server: &Server, certificate: &CertificateDer<'static>, client: Option<&Identity>) -> std::io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
    let config = match client {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => config.with_client_auth_cert(vec![certificate.clone()], key.clone_key()).unwrap(),
    };
    let connection = ClientConnection::new(Arc::new(config), ServerName::try_from("127.0.0.1").unwrap()).unwrap();
    let tcp = TcpStream::connect(server.address)?;
    tcp.set_read_timeout(Some(super::server::PATIENCE))?;
    Ok(StreamOwned::new(connection, tcp))
}

/// An authority, and certificates that it signs for clients.
struct Authority {
    certificate: rcgen::Certificate,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

impl Authority {
    fn new() -> Authority {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
        let certificate = params.self_signed(&key).unwrap();
        Authority { certificate, issuer: rcgen::Issuer::new(params, key) }
    }

    fn client(&self) -> Identity {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.der().clone(), PrivateKeyDer::try_from(key.serialize_der()).unwrap())
    }
}

#[test]
fn a_device_is_known_by_its_certificate() {
    let folder = tempdir().unwrap();
    let certificate = certify(folder.path());
    let (ours, others) = (Authority::new(), Authority::new());
    let (camera, neighbour, stranger) = (ours.client(), ours.client(), others.client());
    std::fs::write(folder.path().join("devices.pem"), ours.certificate.pem()).unwrap();
    // As openssl prints it.
    let fingerprint = sha256(&camera.0).iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":");
    let device = format!("[[device]]\nid = \"pole-7\"\ncertificate_sha256 = \"{fingerprint}\"\nlanes = [\"north\"]\n");
    let server = Server::start(folder.path(), &format!("[tls]\ncertificate = \"certificate.pem\"\nkey = \"key.pem\"\nclient_ca = \"devices.pem\"\n{device}"));
    let mut client = server.client();
    client.fields.clear();
    let head = client.head("POST", "/v1/lanes/north/frames", 1);
    let ask = |client: Option<&Identity>, head: &[u8]| -> std::io::Result<Answer> {
        let mut stream = connect(&server, &certificate, client)?;
        stream.write_all(head)?;
        stream.write_all(b"x")?;
        Ok(Answer::read(&mut stream))
    };
    // It may post: what it posts is no picture.
    let answer = ask(Some(&camera), &head).unwrap();
    assert_eq!(answer.status, 415, "{}", answer.text());
    for client in [Some(&neighbour), None] {
        let answer = ask(client, &head).unwrap();
        assert_eq!(answer.status, 401, "{}", answer.text());
    }
    // It is a device, not a person, and its key counts before its certificate.
    assert_eq!(ask(Some(&camera), &client.head("GET", "/v1/people", 1)).unwrap().status, 403);
    client.fields = vec![("X-Api-Key".to_owned(), "another key".to_owned())];
    assert_eq!(ask(Some(&camera), &client.head("POST", "/v1/lanes/north/frames", 1)).unwrap().status, 401);
    // Whom nobody vouches for is not heard at all.
    let mut stream = connect(&server, &certificate, Some(&stranger)).unwrap();
    let mut said = Vec::new();
    let heard = stream.write_all(&head).and_then(|()| std::io::Read::read_to_end(&mut stream, &mut said));
    assert!(heard.is_err() && said.is_empty(), "{heard:?}: {:?}", String::from_utf8_lossy(&said));
    // People need none.
    let health = server.client().head("GET", "/healthz", 0);
    assert_eq!(request(&server, &certificate, &health, b"").unwrap().0.status, 200);
}

#[test]
fn tls_and_nothing_older_and_a_new_certificate_is_taken() {
    let folder = tempdir().unwrap();
    let first = certify(folder.path());
    let server = Server::start(folder.path(), "[tls]\ncertificate = \"certificate.pem\"\nkey = \"key.pem\"\n");
    let client = server.client();
    let health = client.head("GET", "/healthz", 0);
    let (answer, version) = request(&server, &first, &health, b"").expect("TLS");
    assert_eq!((answer.status, version), (200, Some(rustls::ProtocolVersion::TLSv1_3)));

    // In plain words nothing is answered.
    let mut plain = TcpStream::connect(server.address).unwrap();
    plain.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    plain.write_all(&health).unwrap();
    let mut said = Vec::new();
    let _ = std::io::Read::read_to_end(&mut plain, &mut said);
    assert!(!said.starts_with(b"HTTP"), "{:?}", String::from_utf8_lossy(&said));

    // TLS 1.2, as a client that knows nothing newer begins: refused by an alert.
    let mut old = TcpStream::connect(server.address).unwrap();
    old.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    old.write_all(HELLO_OF_TLS_1_2).unwrap();
    said.clear();
    let _ = std::io::Read::read_to_end(&mut old, &mut said);
    assert_eq!(said.first(), Some(&21), "an alert: {said:?}");

    // Over TLS the cookie is for this host alone.
    let once = std::fs::read_to_string(server.data().join("first-password")).unwrap();
    let body = serde_json::json!({ "id": "admin", "password": once.trim() }).to_string();
    let (logged_in, _) = request(&server, &first, &client.head("POST", "/v1/session", body.len()), body.as_bytes()).expect("TLS");
    let cookie = logged_in.field("set-cookie").expect("a cookie");
    assert!(cookie.starts_with("__Host-garita=") && cookie.contains("; Secure"), "{cookie}");
    let _ = own_password("admin");

    // Half a change changes nothing; a whole one is taken within ten seconds.
    std::fs::write(folder.path().join("certificate.pem"), "no certificate").unwrap();
    std::thread::sleep(Duration::from_secs(11));
    assert_eq!(request(&server, &first, &health, b"").expect("the one so far").0.status, 200);
    let second = certify(folder.path());
    let begun = Instant::now();
    while request(&server, &second, &health, b"").is_err() {
        assert!(begun.elapsed() < super::server::PATIENCE, "{}", server.log());
        std::thread::sleep(Duration::from_millis(500));
    }
    assert!(request(&server, &first, &health, b"").is_err(), "the old one is gone");
}

/// A ClientHello of TLS 1.2 with one cipher suite (ECDHE-RSA-AES128-GCM-SHA256) and no extensions.
const HELLO_OF_TLS_1_2: &[u8] = &[
    0x16, 0x03, 0x01, 0x00, 0x2d, 0x01, 0x00, 0x00, 0x29, 0x03, 0x03, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24,
    25, 26, 27, 28, 29, 30, 31, 32, 0x00, 0x00, 0x02, 0xc0, 0x2f, 0x01, 0x00,
];
