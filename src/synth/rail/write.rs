//! A train to files: `NAME.tif`, `NAME.consist.json`, `NAME.json`.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read};
use std::path::Path;

use serde::Serialize;

use super::attenuation::Source;
use super::cars::Kind;
use super::train::{Options, Train, Truth};
use crate::error::{Error, Result};
use crate::rail::scan::{Column, Description, Fields, Geometry, ScanWriter, Source as Said, seal};

/// The consist of a train, as the tag reader and the waybills have it; what `NAME.consist.json` holds.
#[derive(Debug, Clone, Serialize)]
pub struct Consist {
    /// The train's name.
    pub train: String,
    /// In order from the head.
    pub cars: Vec<ConsistCar>,
}

/// One car of a [`Consist`].
#[derive(Debug, Clone, Serialize)]
pub struct ConsistCar {
    /// From 1.
    pub position: usize,
    /// Reporting mark.
    pub mark: String,
    /// Over pulling faces, dm.
    pub length_dm: u32,
    /// Axles.
    pub axles: usize,
    /// Units.
    pub platforms: usize,
    /// Declared as loaded; `None` where nobody says.
    pub loaded: Option<bool>,
    /// Declared goods.
    pub commodity: Option<String>,
    /// Declared mass of the goods, kg.
    pub weight_kg: Option<f64>,
}

/// Scans the train of `options` into `directory/name.tif` with its consist and truth beside it. `declared`: waybills say what is in the cars.
///
/// # Errors
/// What writing answers.
pub fn write(options: Options, directory: &Path, name: &str, config: &str, declared: bool) -> Result<Truth> {
    let train = Train::new(options.clone());
    let dark = train.dark();
    let beams = train.beams();
    let description = description(&options, name, declared_activity(&options));
    let detectors = options.portal.detectors;
    // Columns go to NAME.counts as they come; a train in memory would be a gigabyte for a linac.
    let path = |extension: &str| directory.join(format!("{name}.{extension}"));
    let io = |path: &Path, error: &std::io::Error| Error::io(error).in_(path.display());
    let create = |path: &Path| File::create(path).map(BufWriter::new).map_err(|e| io(path, &e));
    let mut writers = Vec::new();
    let parts: Vec<_> = (0..beams).map(|beam| (path(&format!("{beam}.counts")), path(&format!("{beam}.columns")))).collect();
    for (counts, columns) in &parts {
        writers.push(ScanWriter::new(create(counts)?, create(columns)?, detectors, 0)?);
    }
    let mut table = Vec::with_capacity(train.columns());
    let mut truth = train.scan(|column| -> Result<()> {
        let flags = u32::from(column.shut) | u32::from(column.step.stopped) << 1 | u32::from(column.step.reversed) << 2 | u32::from(column.repaired) << 3;
        let row = Column { t_s: column.step.t_s, v_m_s: column.step.v_m_s, ref_dose: column.ref_dose, flags };
        table.push(row);
        for (writer, counts) in writers.iter_mut().zip(column.counts) {
            writer.append(counts, row)?;
        }
        Ok(())
    })?;
    drop(writers);
    let mut streams = Vec::new();
    for (counts, _) in &parts {
        streams.push(BufReader::new(File::open(counts).map_err(|e| io(counts, &e))?));
    }
    let mut planes: Vec<&mut dyn Read> = streams.iter_mut().map(|s| s as &mut dyn Read).collect();
    let fields = Fields { dark, air: Vec::new(), dead: Vec::new() };
    let tif = path("tif");
    seal(create(&tif)?, &description, &table, &mut planes, &fields).map_err(|e| e.in_(tif.display()))?;
    for file in parts.iter().flat_map(|(a, b)| [a, b]) {
        std::fs::remove_file(file).map_err(|e| io(file, &e))?;
    }
    truth.scan = format!("{name}.tif");
    truth.config = config.to_owned();
    let consist = Consist {
        train: name.to_owned(),
        cars: truth
            .cars
            .iter()
            .map(|car| ConsistCar {
                position: car.position,
                mark: car.mark.clone(),
                length_dm: (car.length_m * 10.0).round() as u32,
                axles: car.axles,
                platforms: car.platforms,
                loaded: (declared && car.kind != Kind::Locomotive).then_some(!car.empty),
                commodity: (declared && !car.empty && car.kind != Kind::Locomotive).then(|| car.load.clone()),
                // Waybills are rounded, and some are wrong by a few per cent.
                weight_kg: (declared && !car.empty && car.kind != Kind::Locomotive).then(|| (car.cargo_kg / 500.0).round() * 500.0),
            })
            .collect(),
    };
    let json = |path: &Path, text: serde_json::Result<String>| -> Result<()> { std::fs::write(path, text.expect("plain data")).map_err(|e| io(path, &e)) };
    json(&path("consist.json"), serde_json::to_string_pretty(&consist))?;
    json(&path("json"), serde_json::to_string(&truth))?;
    Ok(truth)
}

fn declared_activity(options: &Options) -> Option<f64> {
    match options.source {
        // 1.6 Ci and 0.75 Ci give the quanta of `Source::quanta`.
        Source::Cs137 => Some(59.2),
        Source::Co60 => Some(27.8),
        Source::Linac | Source::Dual => None,
    }
    .map(|a| match options.quanta {
        Some(quanta) => a * quanta / options.source.quanta(options.driving.speed_m_s),
        None => a,
    })
}

fn description(options: &Options, name: &str, activity_gbq: Option<f64>) -> Description {
    let source = match options.source {
        Source::Cs137 => Said { nuclide: Some("Cs-137".into()), activity_gbq, ..Said::default() },
        Source::Co60 => Said { nuclide: Some("Co-60".into()), activity_gbq, ..Said::default() },
        Source::Linac => Said { mv: Some(6.0), ..Said::default() },
        Source::Dual => {
            let mut said = Said { mv: Some(6.0), ..Said::default() };
            said.other.insert("low_MV".into(), serde_json::json!(4.0));
            said
        }
    };
    let portal = &options.portal;
    Description {
        train: Some(name.to_owned()),
        source,
        pitch_mm: portal.pitch_m * 1000.0,
        column_mm: options.column_m * 1000.0,
        detectors: Some(portal.detectors),
        top_mm: portal.top_m * 1000.0,
        geometry: Geometry { source_to_centre_m: portal.source_to_centre_m, source_height_m: portal.source_z_m, ..Geometry::default() },
        ..Description::default()
    }
}
