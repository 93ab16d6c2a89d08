//! `garita calibrate`: what is normal at this site.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args as ClapArgs, Subcommand};
use garita::error::{Error, Fault, Result};
use garita::rail::consist::{self, Identity};
use garita::rail::inspect::{Earlier, mark_of};
use garita::rail::scan::Scan;
use garita::rail::session::{Session, source_name};
use garita::rail::thresholds::Thresholds;

use super::inspect::files::{EarlierScans, consist_of, scan_files};

/// Makes thresholds from what is known to be normal.
#[derive(Subcommand)]
pub(crate) enum Kind {
    Rail(Rail),
}

/// Thresholds for `garita inspect --calibration`, from scans of normal cars of a site: 300 cars or more.
#[derive(ClapArgs)]
pub(crate) struct Rail {
    /// Scans, or folders of them, in which nothing is hidden.
    #[arg(required = true, value_name = "SCAN")]
    scans: Vec<PathBuf>,
    /// Earlier scans of the same cars, for the comparison's own thresholds.
    #[arg(long, value_name = "DIR")]
    earlier: Option<PathBuf>,
    /// Where the thresholds go; standard output if not given.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(kind: &Kind) -> Result<ExitCode> {
    let Kind::Rail(args) = kind;
    let mut earlier = args.earlier.as_deref().map(EarlierScans::index).transpose()?;
    let mut made: Option<Thresholds> = None;
    let known = Thresholds::built_in();
    for path in scan_files(&args.scans, false)? {
        let (scan, cut_short) = Scan::open_or_recover(&path)?;
        if let Some(error) = cut_short {
            eprintln!("garita: {error}");
        }
        let name = path.display().to_string();
        let mut session = Session::begin(&scan)?;
        let cars = session.advance(&scan, scan.columns(), true)?;
        let list = consist_of(&path)?;
        let identities = list.as_ref().map_or_else(|| vec![Identity::default(); cars.len()], |list| consist::align(&cars, list, true));
        let source = source_name(&scan);
        for (segment, identity) in cars.iter().zip(&identities) {
            let mark = list.as_ref().and_then(|list| mark_of(identity, list).0);
            let before = earlier.as_mut().zip(mark).and_then(|(scans, mark)| scans.find(&mark, &name));
            let before = before.as_ref().map(|before| Earlier { scan: &before.scan, calibration: &before.calibration, segment: &before.segment });
            let car = session.examine(&scan, segment, None, before.as_ref(), &known)?;
            let thresholds = made.get_or_insert_with(|| Thresholds::empty(source.clone(), car.image.air_quanta));
            if thresholds.source != source {
                let message = format!("source {source}, the scans before it have {}: make thresholds for each source", thresholds.source);
                return Err(Error::new(Fault::Caller, message).in_(name));
            }
            let highest: Vec<(&'static str, f64)> = car.scores.iter().map(|&(detector, score, _)| (detector, score)).collect();
            thresholds.add(car.shape.kind, car.unloaded, &highest);
        }
    }
    let mut thresholds = made.ok_or_else(|| Error::new(Fault::Caller, "no cars in these scans"))?;
    thresholds.settle();
    let text = serde_json::to_string(&thresholds).map_err(|error| Error::new(Fault::Machine, error.to_string()))?;
    eprintln!("garita: thresholds from {} cars, {}", thresholds.cars, thresholds.source);
    match &args.out {
        Some(path) => std::fs::write(path, text).map_err(|error| Error::io(&error).in_(path.display()))?,
        None => println!("{text}"),
    }
    Ok(ExitCode::SUCCESS)
}
