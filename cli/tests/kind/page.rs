//! What a browser would see at the host's ports 80 and 443.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned};

/// How long a page is waited for.
const LIMIT: Duration = Duration::from_secs(120);

/// What is answered over HTTPS for a host; an error when it is no success.
pub fn get(host: &str, path: &str) -> Result<String, String> {
    request(host, "GET", path, "")
}

/// Sends something to a host.
#[track_caller]
pub fn post(host: &str, path: &str, content: &str) {
    request(host, "POST", path, content).unwrap();
}

/// Waits until a host answers with a page that has this as its first line, which only the right pod sends.
#[track_caller]
pub fn wait(host: &str, path: &str, line: &str) {
    let begun = Instant::now();
    loop {
        let page = get(host, path);
        if page.as_ref().is_ok_and(|page| page.lines().next() == Some(line)) {
            return;
        }
        assert!(begun.elapsed() < LIMIT, "{host}{path} does not say `{line}`: {page:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The certificate that is served for a host, as its bytes.
#[track_caller]
pub fn certificate(host: &str) -> Vec<u8> {
    let mut stream = connect(host).unwrap();
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).unwrap();
    }
    stream.conn.peer_certificates().unwrap().first().unwrap().to_vec()
}

fn connect(host: &str) -> Result<StreamOwned<ClientConnection, TcpStream>, String> {
    let text = |error: std::io::Error| error.to_string();
    let address = SocketAddr::from(([127, 0, 0, 1], 443));
    let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5)).map_err(text)?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).map_err(text)?;
    let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
    let connection = ClientConnection::new(Arc::new(configuration()), name).map_err(|error| error.to_string())?;
    Ok(StreamOwned::new(connection, stream))
}

fn request(host: &str, method: &str, path: &str, content: &str) -> Result<String, String> {
    let text = |error: std::io::Error| error.to_string();
    let mut stream = connect(host)?;
    let length = content.len();
    write!(stream, "{method} {path} HTTP/1.0\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n{content}")
        .map_err(text)?;
    let mut answer = Vec::new();
    // Not every server says goodbye before it hangs up.
    match stream.read_to_end(&mut answer) {
        Err(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => return Err(text(error)),
        _ => {}
    }
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| format!("no answer: {answer}"))?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    if status.starts_with('2') { Ok(body.to_owned()) } else { Err(format!("{status}: {}", body.trim())) }
}

fn configuration() -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let schemes = provider.signature_verification_algorithms.supported_schemes();
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(schemes)))
        .with_no_client_auth()
}

/// Names such as `shop.localhost` get certificates of an authority that nobody else knows.
#[derive(Debug)]
struct Anybody(Vec<SignatureScheme>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.clone()
    }
}
