//! `garita calibrate`: what is normal at this site.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args as ClapArgs, Subcommand};
use garita::error::{Error, Fault, Result};
use garita::infer::Engine;
use garita::rail::anomaly::Anomaly;
use garita::rail::consist::{self, Identity};
use garita::rail::inspect::{Earlier, mark_of};
use garita::rail::scan::Scan;
use garita::rail::session::{Session, source_name};
use garita::rail::thresholds::{LEAST_CARS, NormalCar, Thresholds};

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
    let mut site: Option<(String, f32)> = None;
    let mut normal = Vec::new();
    let known = Thresholds::built_in();
    // Thresholds of the network too: without it there is nothing to calibrate.
    let mut network = Anomaly::open(&Engine::load()?)?;
    for path in scan_files(&args.scans, false)? {
        let cut = Scan::open_or_recover(&path).and_then(|(scan, cut_short)| {
            let mut session = Session::begin(&scan)?;
            let cars = session.advance(&scan, scan.columns(), true)?;
            Ok((scan, cut_short, session, cars, consist_of(&path)?))
        });
        let (scan, cut_short, mut session, cars, list) = match cut {
            Ok(cut) => cut,
            Err(error) => {
                eprintln!("garita: left out: {error}");
                continue;
            }
        };
        if let Some(error) = cut_short {
            eprintln!("garita: {error}");
        }
        let name = path.display().to_string();
        let identities = list.as_ref().map_or_else(|| vec![Identity::default(); cars.len()], |list| consist::align(&cars, list, true));
        let source = source_name(&scan);
        // Half a car is no normal car.
        for (segment, identity) in cars.iter().zip(&identities).filter(|(segment, _)| !segment.cut_off) {
            let mark = list.as_ref().and_then(|list| mark_of(identity, list).0);
            let before = earlier.as_mut().zip(mark).and_then(|(scans, mark)| scans.find(&mark, &scan));
            let before = before.as_ref().map(|before| Earlier { scan: &before.scan, calibration: &before.calibration, segment: &before.segment });
            let car = match session.examine(&scan, segment, None, before.as_ref(), &known, Some(&mut network)) {
                Ok(car) => car,
                Err(error) => {
                    eprintln!("garita: left out: {}", error.in_(&name));
                    continue;
                }
            };
            let (first, _) = site.get_or_insert_with(|| (source.clone(), car.image.air_quanta));
            if *first != source {
                let message = format!("source {source}, the scans before it have {first}: make thresholds for each source");
                return Err(Error::new(Fault::Caller, message).in_(name));
            }
            let highest = car.scores.iter().map(|&(detector, score, _)| (detector, score)).collect();
            normal.push(NormalCar { kind: car.shape.compared_as(), empty: car.unloaded, highest });
        }
    }
    let (source, air_quanta) = site.ok_or_else(|| Error::new(Fault::Caller, "no cars in these scans"))?;
    let thresholds = Thresholds::of(source, air_quanta, &normal);
    let text = serde_json::to_string(&thresholds).map_err(|error| Error::new(Fault::Machine, error.to_string()))?;
    eprintln!("garita: thresholds from {} cars, {}", thresholds.cars, thresholds.source);
    if thresholds.cars < LEAST_CARS {
        eprintln!("garita: {LEAST_CARS} normal cars and more are needed: these thresholds say little about one false alarm in a hundred");
    }
    match &args.out {
        Some(path) => std::fs::write(path, text).map_err(|error| Error::io(&error).in_(path.display()))?,
        None => println!("{text}"),
    }
    Ok(ExitCode::SUCCESS)
}
