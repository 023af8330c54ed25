//! Nothing stays behind.

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use laconic_testbed::{ApiServer, Options};

/// The program that runs a server, ready, with its address and directory.
fn run_by_hand() -> (Child, String, PathBuf) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_testbed")).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.map(Result::unwrap).find(|line| line.starts_with("# https://")).expect("it does not start");
    let address = line.split(' ').nth(1).unwrap().trim_start_matches("https://").to_owned();
    let logs = PathBuf::from(line.rsplit(' ').next().unwrap());
    (child, address, logs.parent().unwrap().to_owned())
}

fn assert_gone(address: &str, directory: &Path) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while TcpStream::connect(address).is_ok() || directory.exists() {
        assert!(Instant::now() < deadline, "{address} or {} is still there", directory.display());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn nothing_stays_when_the_process_is_killed() {
    if laconic_testbed::off() {
        return;
    }
    let (mut child, address, directory) = run_by_hand();
    assert!(TcpStream::connect(&address).is_ok() && directory.exists());
    child.kill().unwrap();
    child.wait().unwrap();
    assert_gone(&address, &directory);
}

#[test]
fn nothing_stays_when_a_server_is_dropped() {
    if laconic_testbed::off() {
        return;
    }
    let server = ApiServer::start(Options::new()).unwrap();
    let address = server.url().trim_start_matches("https://").to_owned();
    let directory = server.logs().parent().unwrap().to_owned();
    drop(server);
    assert!(TcpStream::connect(&address).is_err());
    assert!(!directory.exists());
}
