//! The real `garita serve`, in a folder of its own: started, killed, stopped, asked.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::camera::{self, Reply};

/// A site in a temporary folder, with lanes `lane-0`, `lane-1`, ….
pub(crate) struct Site {
    folder: tempfile::TempDir,
    /// Where its data lies.
    pub(crate) data: PathBuf,
    lanes: usize,
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    /// The server's own process: not that of `strace` or `unshare` around it.
    pub(crate) pid: u32,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// From its start until it took frames.
    pub(crate) ready_after: Duration,
}

/// The plate of testdata's first vehicle, on the site's list.
pub(crate) const SOUGHT: &str = "XPX802H";

impl Site {
    /// With `lanes` lanes and a list of the plates in `testdata/lane`, and `more` lines of TOML in front of the tables.
    pub(crate) fn new(lanes: usize, more: &str) -> Site {
        let folder = tempfile::tempdir().expect("a folder");
        let mut text = format!("name = \"chaos\"\ndata_dir = \"data\"\nlisten = \"127.0.0.1:0\"\n{more}\n");
        (0..lanes).for_each(|lane| write!(text, "[[lane]]\nid = \"lane-{lane}\"\ngap_ms = 1000\n").expect("fits"));
        text += "[login]\nrequired = \"no\"\n[[list]]\nname = \"sought\"\nfile = \"sought.csv\"\nreload_s = 1\n[log]\nformat = \"text\"\nlevel = \"warn\"\n";
        // Small disks are part of the tests; the machine's own may be nearly full.
        if !more.contains("[limits]") {
            text += "[limits]\nfree_bytes = \"24 MiB\"\n";
        }
        std::fs::write(folder.path().join("site.toml"), text).expect("writes");
        let site = Site { data: folder.path().join("data"), folder, lanes };
        site.write_list(&format!("plate,list,priority,reason\n{SOUGHT},wanted,0,chaos\n"));
        site
    }

    /// The ids of its lanes.
    pub(crate) fn lanes(&self) -> Vec<String> {
        (0..self.lanes).map(|lane| format!("lane-{lane}")).collect()
    }

    /// A path in its folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces its list as a careful sender does: written beside, then renamed.
    pub(crate) fn write_list(&self, text: &str) {
        std::fs::write(self.path("sought.csv.part"), text).expect("writes");
        std::fs::rename(self.path("sought.csv.part"), self.path("sought.csv")).expect("renames");
    }

    /// What the servers wrote on standard error, most recent last.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Starts the server and waits until it takes frames.
    pub(crate) fn start(&self) -> Server {
        self.start_under(Command::new(env!("CARGO_BIN_EXE_garita")))
    }

    /// Starts the server and kills it after a while, ready or not.
    pub(crate) fn start_and_kill(&self, after: Duration) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_garita"));
        command.args(["serve", "--site"]).arg(self.path("site.toml")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("starts");
        std::thread::sleep(after);
        let _ = child.kill();
        let _ = child.wait();
    }

    /// As [`Site::start`], with a command that ends in the server's executable: `strace … garita`.
    pub(crate) fn start_under(&self, mut command: Command) -> Server {
        let log = std::fs::File::options().create(true).append(true).open(self.path("log")).expect("opens");
        command.args(["serve", "--site"]).arg(self.path("site.toml")).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        Server::started(&mut command, || self.log())
    }
}

/// The process among `pid` and its descendants that is the server.
fn served_by(pid: u32) -> u32 {
    let is_server = |pid: u32| std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == Path::new(env!("CARGO_BIN_EXE_garita")));
    let mut pids = vec![pid];
    while let Some(pid) = pids.pop() {
        if is_server(pid) {
            return pid;
        }
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        pids.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
    }
    pid
}

impl Server {
    /// Starts `command`, whose standard output is piped, and waits until it takes frames; `log` is what it has said where it does not.
    pub(crate) fn started(command: &mut Command, log: impl Fn() -> String) -> Server {
        let begun = Instant::now();
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("reads");
        let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next()).and_then(|address| address.parse().ok());
        let Some(address) = address else {
            let _ = child.kill();
            panic!("no address in {line:?}; the log ends: {}", last_lines(&log()));
        };
        let pid = served_by(child.id());
        Server { child, pid, address, ready_after: begun.elapsed() }
    }

    /// kill -9, now.
    pub(crate) fn kill(mut self) {
        let _ = signal(self.pid, "KILL");
        let _ = self.child.wait();
    }

    /// SIGTERM; answers how long it took to end, and whether it said that all went well.
    pub(crate) fn stop(mut self) -> (Duration, bool) {
        let begun = Instant::now();
        signal(self.pid, "TERM");
        let deadline = begun + Duration::from_secs(60);
        loop {
            if let Some(status) = self.child.try_wait().expect("our child") {
                return (begun.elapsed(), status.success());
            }
            assert!(Instant::now() < deadline, "the server did not stop within a minute");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Whether it still runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().expect("our child").is_none()
    }

    /// Resident memory, KiB.
    pub(crate) fn rss_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(0)
    }

    /// Asks for a page.
    pub(crate) fn get(&self, path: &str) -> Reply {
        camera::Connection::open(self.address).and_then(|mut connection| connection.request("GET", path, &[], &[])).expect("the server answers")
    }

    /// `/v1/status`.
    pub(crate) fn status(&self) -> serde_json::Value {
        self.get("/v1/status").json()
    }

    /// What it has counted over all lanes: accepted, shed, rejected.
    pub(crate) fn counts(&self) -> [u64; 3] {
        let status = self.status();
        let lanes = status["lanes"].as_array().expect("lanes");
        ["accepted", "shed", "rejected"].map(|name| lanes.iter().map(|lane| lane[name].as_u64().expect("a count")).sum())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            signal(self.pid, "KILL");
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Sends a signal; whether there was somebody to get it.
pub(crate) fn signal(pid: u32, name: &str) -> bool {
    Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// The end of a log, for messages.
pub(crate) fn last_lines(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}
