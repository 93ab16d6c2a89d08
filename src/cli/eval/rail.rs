//! `garita eval rail`: figures on scans with their truth files.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Args as ClapArgs;
use garita::bytes::Bytes;
use garita::error::{Error, Fault, Result};
use garita::eval::rail::{Answer, Figures, Truth};
use garita::rail::anomaly::Anomaly;
use garita::rail::consist::{self, Identity};
use garita::rail::inspect::{Earlier, mark_of};
use garita::rail::segment::step_mm;
use garita::rail::session::Session;
use garita::rail::thresholds::Thresholds;

use crate::cli::inspect::files::{EarlierScans, consist_of, folder};
use crate::cli::inspect::network;

/// Cutting, kinds, marks, empties and detections on scans with NAME.json beside NAME.tif.
#[derive(ClapArgs)]
pub(crate) struct Args {
    /// Folder of scans with their truth.
    dir: PathBuf,
    /// Compare with earlier scans of the same cars in this folder.
    #[arg(long, value_name = "DIR")]
    earlier: Option<PathBuf>,
    /// Thresholds made by `garita calibrate rail`.
    #[arg(long, value_name = "FILE")]
    calibration: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// Also write what was found of each car beside its truth, and every detector's score: one JSON object a line.
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let thresholds = match &args.calibration {
        Some(path) => Thresholds::parse(&Bytes::read(path, 64 << 20)?).map_err(|error| error.in_(path.display()))?.or(Thresholds::built_in()),
        None => Thresholds::built_in(),
    };
    let mut earlier = args.earlier.as_deref().map(EarlierScans::index).transpose()?;
    let mut network = network()?;
    let (mut answers, mut extra, mut cars, mut seconds) = (Vec::new(), 0, 0, 0.0);
    let mut lines = String::new();
    for path in folder(&args.dir)? {
        let truth = path.with_extension("json");
        if !truth.is_file() {
            continue;
        }
        let text = Bytes::read(&truth, 64 << 20)?;
        let truth: Truth =
            serde_json::from_slice(&text).map_err(|error| Error::new(Fault::Damaged, format!("not a truth file: {error}")).in_(truth.display()))?;
        let started = Instant::now();
        let (found, more) = answer(&path, truth, earlier.as_mut(), &thresholds, &mut network, args.answers.is_some().then_some(&mut lines))?;
        seconds += started.elapsed().as_secs_f64();
        cars += found.len();
        extra += more;
        answers.extend(found);
    }
    if answers.is_empty() {
        return Err(Error::new(Fault::Caller, "no scans with truth in it").in_(args.dir.display()));
    }
    if let Some(path) = &args.answers {
        std::fs::write(path, lines).map_err(|error| Error::io(&error).in_(path.display()))?;
    }
    let figures = Figures::of(&answers, extra);
    if args.json {
        println!("{}", serde_json::to_string(&figures).map_err(|error| Error::new(Fault::Machine, error.to_string()))?);
    } else {
        print!("{figures}");
        println!("{:.0} ms a car", 1000.0 * seconds / f64::from(cars.max(1) as u32));
    }
    Ok(ExitCode::SUCCESS)
}

/// What is found of each true car of a scan, and how many cars were found that are none.
fn answer(
    path: &Path,
    truth: Truth,
    mut earlier: Option<&mut EarlierScans>,
    thresholds: &Thresholds,
    network: &mut Option<Anomaly>,
    mut lines: Option<&mut String>,
) -> Result<(Vec<Answer>, usize)> {
    let scan = garita::rail::scan::Scan::open(path)?;
    let mut session = Session::begin(&scan)?;
    let cars = session.advance(&scan, scan.columns(), true)?;
    let list = consist_of(path)?;
    let identities = list.as_ref().map_or_else(|| vec![Identity::default(); cars.len()], |list| consist::align(&cars, list, true));
    let name = path.display().to_string();
    let mut way_mm = vec![0.0];
    (0..scan.columns()).for_each(|column| way_mm.push(way_mm[column] + step_mm(&scan, column)));
    let mut answers = Vec::new();
    let mut used = vec![false; cars.len()];
    for car in truth.cars {
        let middle_mm = (way_mm[car.columns[0].min(scan.columns())] + way_mm[car.columns[1].min(scan.columns())]) / 2.0;
        let mut answer =
            Answer { columns: None, kind: String::new(), mark: None, score: 0.0, empty_probability: 0.0, findings: Vec::new(), off_m: [0.0; 2], truth: car };
        if let Some(index) = cars
            .iter()
            .position(|found| (way_mm[found.columns.start]..way_mm[found.columns.start] + found.length_mm).contains(&middle_mm))
            .filter(|&index| !used[index])
        {
            used[index] = true;
            let segment = &cars[index];
            let (mark, confidence) = list.as_ref().map_or((None, 0.0), |list| mark_of(&identities[index], list));
            let entry = list.as_ref().and_then(|list| identities[index].entries.first().and_then(|&entry| list.cars.get(entry)));
            let before = earlier.as_mut().zip(mark.as_ref()).and_then(|(scans, mark)| scans.find(mark, &scan));
            let before = before.as_ref().map(|before| Earlier { scan: &before.scan, calibration: &before.calibration, segment: &before.segment });
            let examined = session.examine(&scan, segment, entry, before.as_ref(), thresholds, network.as_mut())?;
            let report = examined.report(&name, segment, mark, confidence);
            if let Some(lines) = &mut lines {
                let line = serde_json::json!({
                    "scan": name, "truth": answer.truth, "kind": report.kind, "compared_as": examined.shape.compared_as().name(), "unloaded": examined.unloaded,
                    "score": report.score, "empty_probability": report.empty_probability, "misfit_mm": examined.misfit_mm, "scores": examined.scores,
                    "findings": report.findings,
                });
                lines.push_str(&line.to_string());
                lines.push('\n');
            }
            answer.columns = Some(report.columns);
            answer.off_m = [0, 1].map(|end| (way_mm[report.columns[end]] - way_mm[answer.truth.columns[end].min(scan.columns())]).abs() / 1000.0);
            answer.kind = report.kind.to_owned();
            answer.mark = report.mark;
            answer.score = report.score;
            answer.empty_probability = report.empty_probability;
            answer.findings = report.findings.iter().map(|finding| (finding.bounds, finding.probability)).collect();
        }
        answers.push(answer);
    }
    Ok((answers, used.iter().filter(|&&used| !used).count()))
}
