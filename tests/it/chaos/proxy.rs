//! A real reverse proxy in front of several instances: haproxy.

use std::{
    env,
    ffi::OsString,
    fmt::Write as _,
    fs::{self, File},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    time::sleep,
};

use crate::support::process::unused_port;

/// How long the proxy may take to notice that an instance has started or stopped.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Returns the haproxy program, if the suite has found it.
#[expect(clippy::disallowed_methods, reason = "a switch of the tests, not a setting")]
pub(super) fn program() -> Option<OsString> {
    env::var_os("TEST_HAPROXY")
}

/// Returns a configuration like an operator's: health checks and persistent connections. It retries only failed
/// connections, so no request is sent twice, and a request that an instance drops is lost.
fn configuration(address: SocketAddr, instances: &[SocketAddr]) -> String {
    let mut text = format!(
        "global
  maxconn 1000
  stats socket unix@haproxy.socket
defaults
  mode http
  timeout connect 1s
  timeout client 30s
  timeout server 30s
  option redispatch 1
  retries 3
  retry-on conn-failure
frontend clients
  bind {address}
  default_backend instances
backend instances
  balance roundrobin
  http-reuse safe
  option httpchk
  http-check send meth GET uri /health/ready ver HTTP/1.1 hdr host vestibule
  http-check expect status 200
  default-server inter 200ms fall 2 rise 2 check
"
    );
    for (number, instance) in instances.iter().enumerate() {
        writeln!(text, "  server instance{number} {instance}").unwrap();
    }
    text
}

/// A running proxy.
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    folder: TempDir,
    child: Child,
}

impl Proxy {
    pub(super) fn start(instances: &[SocketAddr]) -> Self {
        let (folder, address) = (TempDir::new().unwrap(), ([127, 0, 0, 1], unused_port()).into());
        fs::write(folder.path().join("haproxy.cfg"), configuration(address, instances)).unwrap();
        let mut command = Command::new(program().unwrap());
        command.args(["-db", "-f", "haproxy.cfg"]).current_dir(folder.path()).stdin(Stdio::null());
        let log = File::create(folder.path().join("haproxy.log")).unwrap();
        let child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        Self { address, folder, child }
    }

    /// Returns a column of the proxy's statistics for each instance, followed by the total.
    async fn statistics(&self, column: &str) -> Vec<String> {
        let Ok(mut socket) = UnixStream::connect(self.folder.path().join("haproxy.socket")).await else {
            return Vec::new();
        };
        socket.write_all(b"show stat\n").await.unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).await.unwrap();
        let mut lines = text.lines().map(|line| line.trim_start_matches("# ").split(',').collect::<Vec<_>>());
        let place = lines.next().unwrap().iter().position(|name| *name == column).unwrap();
        lines.filter(|line| line[0] == "instances").map(|line| line[place].to_owned()).collect()
    }

    /// Returns a counter for all instances.
    pub(super) async fn count(&self, column: &str) -> u64 {
        self.statistics(column).await.last().unwrap().parse().unwrap()
    }

    /// Waits until the proxy sends requests to this many instances.
    pub(super) async fn wait_for_instances(&self, instances: usize) {
        let begun = Instant::now();
        loop {
            let rows = self.statistics("status").await;
            // The last row is the total. There are no rows until the proxy runs.
            let each = rows.split_last().map_or(&[][..], |(_, each)| each);
            if each.iter().filter(|status| *status == "UP").count() == instances {
                return;
            }
            let log = || fs::read_to_string(self.folder.path().join("haproxy.log")).unwrap();
            assert!(begun.elapsed() < TIMEOUT, "the proxy does not see {instances} instances: {}", log());
            sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
