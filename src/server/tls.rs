//! TLS with rustls, for deployments without a TLS proxy: one certificate, which is reloaded when its files change.

use std::{
    fmt::Display,
    fs, io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
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

use crate::secret_file::{SecretFileError, read_secret_bytes};

/// How often the files are checked for changes.
const RELOAD_INTERVAL: Duration = Duration::from_mins(1);
/// The protocols that ALPN offers, in order of preference.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The files of a certificate.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate and its intermediates, in PEM.
    pub certificate: PathBuf,
    /// The private key, in PEM.
    pub key: PathBuf,
}

/// The error of an unusable certificate or private key.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate is unusable, or does not match the key.
    #[error("tls.certificate_file (VESTIBULE_TLS__CERTIFICATE_FILE): {}: {reason}", .path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// The private key is unusable.
    #[error("tls.key_file (VESTIBULE_TLS__KEY_FILE): {}: {reason}", .path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// The file of the private key cannot be read, or other users can access it.
    #[error("tls.key_file (VESTIBULE_TLS__KEY_FILE): {0}")]
    KeyFile(#[from] SecretFileError),
}

/// The certificate with which the server accepts TLS connections.
pub struct Tls {
    files: TlsFiles,
    state: Mutex<State>,
}

struct State {
    acceptor: TlsAcceptor,
    /// The digest of the files at the last attempt to load them, whether it succeeded or not. Empty if the files could
    /// not be read.
    attempted: Vec<u8>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

impl Tls {
    /// Loads the certificate and its key.
    ///
    /// # Errors
    /// Returns a [`TlsError`] if one of the files is unusable.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let contents = PemContents::read(&files)?;
        let state = State { acceptor: contents.acceptor(&files)?, attempted: contents.digest() };

        Ok(Self { files, state: Mutex::new(state) })
    }

    /// Reloads the files if they have changed. New connections use the new certificate. If the new files are unusable,
    /// the server keeps the old certificate and logs one warning.
    pub fn reload(&self) {
        // While an operator replaces the two files, they may not match. The next reload reads both.
        let (digest, acceptor) = match PemContents::read(&self.files) {
            Ok(contents) => {
                let digest = contents.digest();
                if self.state().attempted == digest {
                    return;
                }
                (digest, contents.acceptor(&self.files))
            }
            Err(error) => (Vec::new(), Err(error)),
        };

        let mut state = self.state();
        match acceptor {
            Ok(acceptor) => {
                state.acceptor = acceptor;
                tracing::info!("reloaded the TLS certificate");
            }
            Err(error) if state.attempted != digest => {
                tracing::warn!(%error, "cannot reload the TLS certificate; keeping the old one until the files are valid");
            }
            Err(_) => {}
        }
        state.attempted = digest;
    }

    /// Reloads the files every minute. Never returns.
    pub(super) async fn reload_periodically(self: Arc<Self>) {
        loop {
            tokio::time::sleep(RELOAD_INTERVAL).await;
            let tls = Arc::clone(&self);
            // If this panics, the panic is logged and the old certificate stays in use.
            drop(tokio::task::spawn_blocking(move || tls.reload()).await);
        }
    }

    /// Performs the TLS handshake of a connection.
    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let acceptor = self.state().acceptor.clone();
        acceptor.accept(stream).await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The contents of the two files.
struct PemContents {
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

impl PemContents {
    fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        let certificate = fs::read(&files.certificate).map_err(|error| files.certificate_error(&error))?;
        Ok(Self { certificate, key: read_secret_bytes(&files.key)? })
    }

    fn digest(&self) -> Vec<u8> {
        let mut context = Context::new(&SHA256);
        context.update(&self.certificate);
        context.update(&self.key);
        context.finish().as_ref().to_vec()
    }

    fn acceptor(&self, files: &TlsFiles) -> Result<TlsAcceptor, TlsError> {
        let chain = CertificateDer::pem_slice_iter(&self.certificate).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|error| files.certificate_error(&error))?;
        if chain.is_empty() {
            return Err(files.certificate_error(&"the file contains no PEM certificate"));
        }
        // The error of the library is dropped, because it repeats a line of the file.
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|_| files.key_error(&"the file contains no unencrypted PEM private key"))?;

        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key));
        let mut config = config.map_err(|error| files.certificate_error(&error))?;
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();

        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

impl TlsFiles {
    fn certificate_error(&self, reason: &dyn Display) -> TlsError {
        TlsError::Certificate { path: self.certificate.clone(), reason: reason.to_string() }
    }

    fn key_error(&self, reason: &dyn Display) -> TlsError {
        TlsError::Key { path: self.key.clone(), reason: reason.to_string() }
    }
}
