//! `garita serve`: the service of a site.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args as ClapArgs;

use sd_notify::NotifyState;

use garita::error::Result;
use garita::service::News;
use garita::site::{LogFormat, LogLevel, Site};

/// Runs the service of a site: doors for cameras and portals, the store, the pages.
#[derive(ClapArgs)]
pub(crate) struct Args {
    /// The site file; without one, a demo site on the loopback address that replays the pictures and the train of the demo.
    #[arg(long, value_name = "FILE", env = "GARITA_SITE")]
    site: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let site = Site::load(args.site.as_deref(), garita::site::environment())?;
    log(&site);
    let scheme = if site.tls.is_some() { "https" } else { "http" };
    garita::service::serve(site, move |news| match news {
        News::Ready(address) => {
            tracing::info!(%address, "taking frames");
            tell_systemd(NotifyState::Ready);
            let _ = super::say(&format!("garita serves at {scheme}://{address}/ (lanes, hits, metrics); Ctrl-C ends it\n"));
        }
        News::Well => tell_systemd(NotifyState::Watchdog),
        News::Stopping => tell_systemd(NotifyState::Stopping),
    })?;
    Ok(ExitCode::SUCCESS)
}

fn tell_systemd(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "systemd could not be told how the service is");
    }
}

fn log(site: &Site) {
    let level = match site.log.level {
        LogLevel::Error => tracing::Level::ERROR,
        LogLevel::Warn => tracing::Level::WARN,
        LogLevel::Info => tracing::Level::INFO,
        LogLevel::Debug => tracing::Level::DEBUG,
        LogLevel::Trace => tracing::Level::TRACE,
    };
    let lines = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr);
    match site.log.format {
        LogFormat::Json => lines.json().init(),
        LogFormat::Text => lines.init(),
    }
}
