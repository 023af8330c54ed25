//! A server of the test bed by hand, until Ctrl-C.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use laconic_testbed::{ApiServer, Options};
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "\
Runs a Kubernetes API server on loopback until Ctrl-C.

usage: testbed [--kubeconfig FILE] [--controller-manager] [--kubelet] [-- FLAG...]

  --kubeconfig FILE     write the administrator's kubeconfig there (else: print where it is)
  --controller-manager  run kube-controller-manager too
  --kubelet             play scheduler and kubelet: pods become ready
  FLAG...               more flags of kube-apiserver
";

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("testbed: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let mut options = Options::new();
    let mut kubelet = false;
    let mut wanted: Option<PathBuf> = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--controller-manager" => options = options.with_controller_manager(true),
            "--kubelet" => kubelet = true,
            "--kubeconfig" => wanted = Some(arguments.next().ok_or("--kubeconfig needs a file")?.into()),
            "--" => {
                for flag in arguments.by_ref() {
                    options = options.flag(flag);
                }
            }
            "--help" | "-h" => {
                print!("{USAGE}");
                return Ok(ExitCode::SUCCESS);
            }
            other => {
                eprint!("unknown argument {other}\n\n{USAGE}");
                return Ok(ExitCode::from(2));
            }
        }
    }
    // Heard from now on: a server that is being started ends too.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let server = ApiServer::start(options)?;
    if kubelet {
        server.kubelet();
    }
    let mut kubeconfig = server.kubeconfig("admin");
    if let Some(wanted) = wanted {
        std::fs::copy(&kubeconfig, &wanted)?;
        kubeconfig = wanted;
    }
    println!("export KUBECONFIG={}", kubeconfig.display());
    println!("# {} runs until Ctrl-C; its logs are in {}", server.url(), server.logs().display());
    std::io::stdout().flush()?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(ExitCode::SUCCESS)
}
