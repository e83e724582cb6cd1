//! TLS by rustls, for those who have no proxy for it: one certificate, read again when its files change.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_lc_rs::digest::{Context, SHA256};
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs::default_provider,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    },
    server::TlsStream,
};
use zeroize::Zeroizing;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_mins(1);
/// What is spoken inside, the better first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Where certificate and key are.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate and those that lead from it to a root, in PEM.
    pub certificate: PathBuf,
    /// Its private key, in PEM.
    pub key: PathBuf,
}

/// Why certificate and key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate, or the two together.
    #[error("tls.certificate_file (VESTIBULE_TLS__CERTIFICATE_FILE): {}: {reason}", .path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The key.
    #[error("tls.key_file (VESTIBULE_TLS__KEY_FILE): {}: {reason}", .path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// What the service proves itself with.
pub struct Tls {
    files: TlsFiles,
    current: Mutex<Current>,
}

struct Current {
    acceptor: TlsAcceptor,
    /// The digest of the files that were tried last, usable or not.
    tried: Vec<u8>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads certificate and key.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn open(files: TlsFiles) -> Result<Self, TlsError> {
        let texts = Texts::read(&files)?;
        let current = Mutex::new(Current { acceptor: texts.acceptor(&files)?, tried: texts.digest() });
        if is_public(&files.key) {
            tracing::warn!(file = %files.key.display(), "other users can read the private key of tls.key_file");
        }
        Ok(Self { files, current })
    }

    /// Reads the files again. Those that are new and usable count from the next connection on; with others the service
    /// goes on as it is, and the log says so once.
    pub fn refresh(&self) {
        // Between the writing of one file and the other they do not match; the next look finds both.
        let outcome = Texts::read(&self.files).map(|texts| {
            let digest = texts.digest();
            let known = self.current.lock().unwrap_or_else(PoisonError::into_inner).tried == digest;
            (!known).then(|| (texts.acceptor(&self.files), digest))
        });
        let (acceptor, tried) = match outcome {
            Ok(None) => return,
            Ok(Some(found)) => found,
            Err(error) => (Err(error), Vec::new()),
        };
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match acceptor {
            Ok(acceptor) => {
                current.acceptor = acceptor;
                tracing::info!("the certificate was read anew");
            }
            Err(error) if current.tried != tried => tracing::warn!(%error, "went on with the old certificate"),
            Err(_) => {}
        }
        current.tried = tried;
    }

    /// Reads the files again and again.
    pub(super) async fn keep_current(self: Arc<Self>) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let tls = Arc::clone(&self);
            // A panic there is in the log; the certificate stays.
            drop(tokio::task::spawn_blocking(move || tls.refresh()).await);
        }
    }

    /// Shakes hands.
    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let acceptor = self.current.lock().unwrap_or_else(PoisonError::into_inner).acceptor.clone();
        acceptor.accept(stream).await
    }
}

/// What the two files hold.
struct Texts {
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

impl Texts {
    fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        let certificate = fs::read(&files.certificate).map_err(|error| files.bad_certificate(&error))?;
        let key = fs::read(&files.key).map_err(|error| files.bad_key(&error))?;
        Ok(Self { certificate, key: Zeroizing::new(key) })
    }

    fn digest(&self) -> Vec<u8> {
        let mut context = Context::new(&SHA256);
        context.update(&self.certificate);
        context.update(&self.key);
        context.finish().as_ref().to_vec()
    }

    fn acceptor(&self, files: &TlsFiles) -> Result<TlsAcceptor, TlsError> {
        let chain = CertificateDer::pem_slice_iter(&self.certificate).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|error| files.bad_certificate(&error))?;
        if chain.is_empty() {
            return Err(files.bad_certificate(&"holds no certificate in PEM"));
        }
        // The library's own error repeats a line of the file.
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|_| files.bad_key(&"holds no private key in PEM, or an encrypted one"))?;
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key));
        let mut config = config.map_err(|error| files.bad_certificate(&error))?;
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

impl TlsFiles {
    fn bad_certificate(&self, reason: &dyn std::fmt::Display) -> TlsError {
        TlsError::Certificate { path: self.certificate.clone(), reason: reason.to_string() }
    }

    fn bad_key(&self, reason: &dyn std::fmt::Display) -> TlsError {
        TlsError::Key { path: self.key.clone(), reason: reason.to_string() }
    }
}

/// Whether anybody on this host can read the file. A group may: certificates are often shared that way.
fn is_public(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|data| data.permissions().mode() & 0o007 != 0)
}
