//! The demo's train: the scans of `testdata/rail`, cut into cars, each with what was found in it.

use std::fmt::Write;
use std::io::Cursor;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::{DynamicImage, ImageFormat};

use garita::error::{Error, Fault, Result};
use garita::infer::Engine;
use garita::rail::anomaly::Anomaly;
use garita::rail::consist::{self, Identity};
use garita::rail::inspect::{CarReport, Examined, mark_of};
use garita::rail::scan::Scan;
use garita::rail::session::Session;
use garita::rail::thresholds::Thresholds;

use crate::cli::inspect::files::{consist_of, folder};

/// What the trains said: a table for the terminal, and a section of the page.
#[derive(Default)]
pub(super) struct Trains {
    pub(super) table: String,
    pub(super) section: String,
}

/// Looks at every scan in `folder`; nothing where there is no such folder.
pub(super) fn run(engine: &Engine, scans: &Path) -> Result<Trains> {
    let mut trains = Trains::default();
    if !scans.is_dir() {
        return Ok(trains);
    }
    let mut network = Anomaly::open(engine)?;
    let thresholds = Thresholds::built_in();
    let _ = writeln!(trains.table, "{:<16} {:>4} {:<12} {:<10} {:<9} {:>6}  findings", "scan", "car", "mark", "kind", "state", "score");
    for path in folder(scans)? {
        let scan = Scan::open(&path)?;
        let mut session = Session::begin(&scan)?;
        let cars = session.advance(&scan, scan.columns(), true)?;
        let list = consist_of(&path)?;
        let identities = list.as_ref().map_or_else(|| vec![Identity::default(); cars.len()], |list| consist::align(&cars, list, true));
        for (segment, identity) in cars.iter().zip(&identities) {
            let (mark, confidence) = list.as_ref().map_or((None, 0.0), |list| mark_of(identity, list));
            let entry = list.as_ref().and_then(|list| identity.entries.first().and_then(|&entry| list.cars.get(entry)));
            let examined = session.examine(&scan, segment, entry, None, &thresholds, Some(&mut network))?;
            let report = examined.report(&scan.name, segment, mark, confidence);
            trains.tell(&report, &examined)?;
        }
    }
    Ok(trains)
}

impl Trains {
    fn tell(&mut self, report: &CarReport, examined: &Examined) -> Result<()> {
        let mark = report.mark.as_deref().unwrap_or("?");
        // Said with the probability of what is said.
        let empty = report.empty_probability;
        let (state, sure) = if empty >= 0.5 { ("empty", empty) } else { ("not empty", 1.0 - empty) };
        let findings: Vec<String> = report
            .findings
            .iter()
            .map(|finding| {
                let probable = super::percent(finding.probability);
                format!("{} {probable} probable, {:.1} m along, {:+.0} kg", finding.kind, finding.box_mm[0] / 1000.0, finding.mass_kg)
            })
            .collect();
        let _ = writeln!(
            self.table,
            "{:<16} {:>4} {mark:<12} {:<10} {state:<9} {:>6.2}  {}",
            report.scan,
            report.position,
            report.kind,
            report.score,
            findings.join("; ")
        );
        let _ = write!(self.section, "<article{}>", if findings.is_empty() { "" } else { " class=\"hit\"" });
        for (name, picture) in garita::draw::rail::pictures(examined).into_iter().filter(|(name, _)| ["overlay", "thickness"].contains(name)) {
            let mut png = Cursor::new(Vec::new());
            let written = DynamicImage::from(picture).write_to(&mut png, ImageFormat::Png);
            written.map_err(|error| Error::new(Fault::Machine, format!("cannot encode a picture: {error}")))?;
            let _ = write!(self.section, "<img alt=\"Car {}, {name}\" src=\"data:image/png;base64,{}\">", report.position, STANDARD.encode(png.into_inner()));
        }
        let _ = write!(
            self.section,
            "<div><span class=\"plate\">{}</span> {}, {state} ({})<br><small>{}, car {}, {} of the cargo area not seen through</small><ul class=\"hits\">",
            super::page::escape(mark),
            report.kind,
            super::page::escape(&super::percent(sure)),
            super::page::escape(&report.scan),
            report.position,
            super::page::escape(&super::percent(report.penetration_limited))
        );
        findings.iter().for_each(|finding| {
            let _ = write!(self.section, "<li>{}</li>", super::page::escape(finding));
        });
        self.section.push_str("</ul></div></article>");
        Ok(())
    }
}
