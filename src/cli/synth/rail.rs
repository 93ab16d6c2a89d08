//! `garita synth rail`: trains through a gamma portal.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use garita::error::{Error, Fault, Result};
use garita::synth::rail::anomalies::Anomaly;
use garita::synth::rail::attenuation::Source;
use garita::synth::rail::cars::Kind;
use garita::synth::rail::detector::Effects;
use garita::synth::rail::geometry::Portal;
use garita::synth::rail::loads::Load;
use garita::synth::rail::motion::Driving;
use garita::synth::rail::{Options, write};

/// Gamma scans of trains, with truth.
#[derive(Args)]
pub(crate) struct Rail {
    /// Decides everything that is drawn.
    #[arg(long)]
    seed: u64,
    /// Directory to write into; made if it is not there.
    #[arg(long)]
    out: PathBuf,
    /// Number of trains, of the seeds SEED, SEED+1, ...
    #[arg(long, default_value_t = 1)]
    trains: u64,
    /// Cars per train.
    #[arg(long, default_value_t = 6)]
    cars: usize,
    /// What the files' names begin with.
    #[arg(long, default_value = "S")]
    name: String,
    /// The source.
    #[arg(long, value_enum, default_value = "cs137")]
    source: Source,
    /// Quanta in an open pixel of 16 x 16 mm; the source's own at this speed if not given.
    #[arg(long)]
    quanta: Option<f64>,
    /// Usual speed, m/s.
    #[arg(long, default_value_t = 1.8)]
    speed: f64,
    /// Kinds of car to draw from (all in their usual mix if not given).
    #[arg(long, value_enum, value_delimiter = ',')]
    kinds: Vec<Kind>,
    /// Loads to draw from, for the kinds that carry them.
    #[arg(long, value_enum, value_delimiter = ',')]
    loads: Vec<Load>,
    /// Every car empty.
    #[arg(long)]
    empties: bool,
    /// Share of cars with an anomaly.
    #[arg(long, default_value_t = 0.0)]
    anomalies: f64,
    /// Anomalies to draw from.
    #[arg(long, value_enum, value_delimiter = ',')]
    anomaly_kinds: Vec<Anomaly>,
    /// Density of the anomalies over what is drawn: 0 for the null test.
    #[arg(long, default_value_t = 1.0)]
    density: f64,
    /// Also writes NAME-without.tif: the same train, the same day, without the anomalies and with other noise.
    #[arg(long)]
    pairs: bool,
    /// Also writes earlier/NAME-e.tif: an earlier visit of the same cars, without anomalies.
    #[arg(long)]
    earlier: bool,
    /// Consists say what is in the cars.
    #[arg(long)]
    declared: bool,
    /// Locomotives at the head.
    #[arg(long, default_value_t = 0)]
    locomotives: usize,
    /// Source shut until the locomotives have passed.
    #[arg(long)]
    shutter: bool,
    /// The train stops once in the beam.
    #[arg(long)]
    stop: bool,
    /// ... and rolls back a little.
    #[arg(long)]
    reverse: bool,
    /// A car of test objects at the end.
    #[arg(long)]
    test_car: bool,
    /// Transmission and Poisson only: no scatter, spread, drift, faults, read noise.
    #[arg(long)]
    ideal: bool,
    /// Detector pitch and travel per column, mm.
    #[arg(long, default_value_t = 16.0)]
    pitch: f64,
    /// Detectors.
    #[arg(long, default_value_t = 368)]
    detectors: usize,
    /// Source to the middle of the track, m.
    #[arg(long, default_value_t = 7.2)]
    source_distance: f64,
    /// Source over the rail, m.
    #[arg(long, default_value_t = 2.3)]
    source_height: f64,
    /// What detector 0 sees at the middle of the track, m over the rail.
    #[arg(long, default_value_t = 5.85)]
    top: f64,
}

/// Writes the trains and one line about each.
pub(crate) fn run(arguments: Rail) -> Result<ExitCode> {
    check(&arguments)?;
    for directory in [Some(arguments.out.clone()), arguments.earlier.then(|| arguments.out.join("earlier"))].into_iter().flatten() {
        std::fs::create_dir_all(&directory).map_err(|e| Error::io(&e).in_(directory.display()))?;
    }
    for seed in arguments.seed..arguments.seed + arguments.trains {
        let name = format!("{}-{seed}", arguments.name);
        let started = std::time::Instant::now();
        let options = options(&arguments, seed);
        let truth = write(options.clone(), &arguments.out, &name, &arguments.name, arguments.declared)?;
        if arguments.pairs {
            let without = Options { anomaly_share: 0.0, noise: 1, ..options.clone() };
            write(without, &arguments.out, &format!("{name}-without"), &arguments.name, arguments.declared)?;
        }
        if arguments.earlier {
            let earlier = Options { anomaly_share: 0.0, visit: 1, ..options };
            write(earlier, &arguments.out.join("earlier"), &format!("{name}-e"), &arguments.name, arguments.declared)?;
        }
        let anomalies = truth.cars.iter().filter(|c| c.anomaly.is_some()).count();
        println!("{name}: {} cars, {anomalies} with an anomaly, {:.1} s", truth.cars.len(), started.elapsed().as_secs_f64());
    }
    Ok(ExitCode::SUCCESS)
}

fn check(arguments: &Rail) -> Result<()> {
    let range = |name: &str, value: f64, low: f64, high: f64| {
        if (low..=high).contains(&value) { Ok(()) } else { Err(Error::new(Fault::Caller, format!("--{name} {value}: give {low} to {high}"))) }
    };
    range("cars", arguments.cars as f64, 1.0, 1000.0)?;
    range("speed", arguments.speed, 0.2, 30.0)?;
    range("pitch", arguments.pitch, 2.0, 50.0)?;
    range("detectors", arguments.detectors as f64, 16.0, 4096.0)?;
    range("anomalies", arguments.anomalies, 0.0, 1.0)?;
    range("density", arguments.density, 0.0, 10.0)?;
    range("source-distance", arguments.source_distance, 3.0, 30.0)?;
    range("source-height", arguments.source_height, 0.0, 8.0)?;
    range("top", arguments.top, 1.0, 10.0)?;
    range("quanta", arguments.quanta.unwrap_or(100.0), 1.0, 1e6)
}

fn options(arguments: &Rail, seed: u64) -> Options {
    let pitch_m = arguments.pitch / 1000.0;
    Options {
        seed,
        visit: 0,
        noise: 0,
        cars: arguments.cars,
        kinds: arguments.kinds.clone(),
        loads: arguments.loads.clone(),
        anomalies: arguments.anomaly_kinds.clone(),
        empties: arguments.empties,
        locomotives: arguments.locomotives,
        shutter: arguments.shutter,
        anomaly_share: arguments.anomalies,
        density: arguments.density,
        source: arguments.source,
        quanta: arguments.quanta,
        portal: Portal {
            source_to_centre_m: arguments.source_distance,
            source_z_m: arguments.source_height,
            top_m: arguments.top,
            pitch_m,
            detectors: arguments.detectors,
        },
        column_m: pitch_m,
        driving: Driving { speed_m_s: arguments.speed, jitter: 0.06, speed_error: 0.01, stop: arguments.stop || arguments.reverse, reverse: arguments.reverse },
        effects: arguments.ideal.then(Effects::none),
        test_car: arguments.test_car,
    }
}
