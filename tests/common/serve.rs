//! The real `garita serve`, in a process of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A running server, killed when dropped.
pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
}

impl Process {
    /// Starts one with this site file, written into `folder`, and waits for its address. What it says on standard error goes on in `folder/log`.
    pub(crate) fn start(folder: &Path, site: &str) -> Process {
        std::fs::write(folder.join("site.toml"), site).expect("written");
        let mut child = Command::new(env!("CARGO_BIN_EXE_garita"))
            .args(["serve", "--site"])
            .arg(folder.join("site.toml"))
            .stdout(Stdio::piped())
            .stderr(std::fs::File::options().create(true).append(true).open(folder.join("log")).expect("a log"))
            .spawn()
            .expect("garita runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        let address = line.split("://").nth(1).and_then(|rest| rest.split('/').next()).and_then(|address| address.parse().ok());
        let address = address.unwrap_or_else(|| panic!("{line:?}: {}", std::fs::read_to_string(folder.join("log")).unwrap_or_default()));
        Process { child, address }
    }

    /// Kills it, as a power cut would: SIGKILL.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
