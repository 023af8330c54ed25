//! Ports on loopback that stay ours.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::TestbedError;

/// Below the ports that operating systems hand out by themselves, so that no outgoing connection takes a port
/// between the moment it is found free and the moment a server listens on it, or while that server is stopped.
const FIRST: u32 = 20_000;
const COUNT: u32 = 10_000;

/// A free port on loopback. Other test beds keep off it as long as this value lives: they hold a lock on a file of
/// its number.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    _lock: File,
}

impl Port {
    pub(crate) fn reserve() -> Result<Self, TestbedError> {
        static TRIED: AtomicU32 = AtomicU32::new(0);
        let user = rustix::process::getuid().as_raw();
        let folder = std::env::temp_dir().join(format!("laconic-testbed-ports-{user}"));
        let io = |action: &str| TestbedError::io(format!("{action} in {}", folder.display()));
        std::fs::create_dir_all(&folder).map_err(io("reserving a port"))?;
        // Processes begin at different places, so that they seldom meet.
        let begin = std::process::id().wrapping_mul(97);
        for _ in 0..COUNT {
            let step = TRIED.fetch_add(1, Ordering::Relaxed);
            let number = u16::try_from(FIRST + begin.wrapping_add(step) % COUNT).unwrap_or(u16::MAX);
            let lock = File::create(folder.join(number.to_string())).map_err(io("reserving a port"))?;
            let free = lock.try_lock().is_ok() && TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok();
            if free {
                return Ok(Self { number, _lock: lock });
            }
        }
        Err(io("reserving a port")(std::io::ErrorKind::AddrInUse.into()))
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }
}
