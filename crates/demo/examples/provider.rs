//! The provider by itself, for trying out by hand and for test programs in other languages.
//!
//! `cargo run -p obelus-demo --example provider -- --port 8081 --seconds 60`

use obelus_demo::{Options, Provider};
use std::error::Error;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

const USAGE: &str = "provider [--port N] [--admin-port N] [--seconds N] [--delta CHARACTERS] [--key KEY]";

fn main() -> Result<(), Box<dyn Error>> {
    let mut options = Options::default();
    let mut seconds = 600;
    let local = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} needs a value; usage: {USAGE}"))?;
        match name.as_str() {
            "--port" => options.address = local(value.parse()?),
            "--admin-port" => options.admin_address = Some(local(value.parse()?)),
            "--seconds" => seconds = value.parse()?,
            "--delta" => options.delta_chars = value.parse()?,
            "--key" => options.key = Some(value),
            _ => return Err(format!("{name} is unknown; usage: {USAGE}").into()),
        }
    }
    let provider = Provider::start(options)?;
    let mut out = io::stdout();
    writeln!(out, "provider {}", provider.url())?;
    if let Some(admin) = provider.admin_address() {
        writeln!(out, "admin http://{admin}")?;
    }
    out.flush()?;
    std::thread::sleep(Duration::from_secs(seconds));
    Ok(())
}
