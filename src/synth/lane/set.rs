//! A set on disk: pictures, their manifest (the format of every set that garita is measured on), the passages, and a contact sheet.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use image::RgbImage;
use serde::Serialize;

use super::dice::Dice;
use super::light::Conditions;
use super::raster::Scratch;
use super::scene::{PlateTruth, Scene};
use super::sensor;
use super::stage::{self, Approach};
use crate::error::{Error, Fault, Result};

/// What kind of scenes to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One vehicle near the middle.
    Single,
    /// Vehicles that approach over successive frames, with empty frames between them.
    Sequence,
    /// Five lanes in one wide picture, plates about 50 pixels wide at 3840x2160.
    Wide4k,
}

/// What to make and where.
#[derive(Debug, Clone)]
pub struct Options {
    /// Decides everything that is random.
    pub seed: u64,
    /// Pictures; for sequences, vehicles. At most [`Options::MAX_COUNT`].
    pub count: usize,
    /// The kind of scene.
    pub kind: Kind,
    /// Picture size in pixels, within [`Options::SIZES`].
    pub width: usize,
    /// See `width`.
    pub height: usize,
    /// `None` mixes all conditions.
    pub conditions: Option<Conditions>,
    /// The folder to write into; made where it is missing.
    pub out: PathBuf,
    /// Keep what the folder's manifest and passages already list, and add to it.
    pub append: bool,
    /// Where to write a contact sheet, if anywhere.
    pub sheet: Option<PathBuf>,
}

/// What was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Pictures written.
    pub pictures: usize,
    /// Plates in them.
    pub plates: usize,
    /// Vehicles that passed; 0 where there are no sequences.
    pub passages: usize,
    /// Bytes of all pictures.
    pub bytes: u64,
}

impl Options {
    /// The most pictures or vehicles of one run; a limit so that a slip of the finger does not fill a disk.
    pub const MAX_COUNT: usize = 100_000;
    /// Smallest and largest side of a picture, pixels.
    pub const SIZES: (usize, usize) = (320, 7680);

    fn check(&self) -> Result<()> {
        let (least, most) = Options::SIZES;
        if self.count == 0 || self.count > Options::MAX_COUNT {
            return Err(Error::new(Fault::Caller, format!("a count of {}: ask for 1 to {}", self.count, Options::MAX_COUNT)));
        }
        if !(least..=most).contains(&self.width) || !(least..=most).contains(&self.height) {
            return Err(Error::new(Fault::Caller, format!("a picture of {}x{}: each side is {least} to {most} pixels", self.width, self.height)));
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct Row<'a> {
    image: String,
    width: usize,
    height: usize,
    plates: Vec<PlateRow>,
    group: &'a str,
    licence: &'static str,
    source: &'a str,
    conditions: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    lane: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vehicle: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    captured_ms: Option<u64>,
}

#[derive(Serialize)]
struct PlateRow {
    #[serde(rename = "box")]
    rectangle: [f64; 4],
    corners: [[f64; 2]; 4],
    text: String,
    region: &'static str,
    lines: u8,
}

#[derive(Serialize)]
struct PassageRow {
    vehicle: String,
    text: String,
    region: &'static str,
    frames: Vec<String>,
}

/// Which frame of which sequence a picture is.
struct Moment<'a> {
    lane: &'a str,
    vehicle: Option<&'a str>,
    sequence: u64,
    captured_ms: u64,
}

/// The set as it is being written.
struct Writer<'a> {
    options: &'a Options,
    source: String,
    manifest: Vec<u8>,
    thumbnails: Vec<RgbImage>,
    scratch: Scratch,
    summary: Summary,
}

/// Makes the set. `progress(done, total)` is called after each picture (total is an estimate for sequences).
///
/// # Errors
/// `Caller` for options out of range, `Machine` where a file cannot be written.
pub fn generate(options: &Options, progress: &mut dyn FnMut(usize, usize)) -> Result<Summary> {
    options.check()?;
    let images = options.out.join("img");
    fs::create_dir_all(&images).map_err(|error| Error::io(&error).in_(images.display()))?;
    let mut writer = Writer {
        options,
        source: format!("garita synth lane --seed {}", options.seed),
        manifest: if options.append { fs::read(options.out.join("manifest.jsonl")).unwrap_or_default() } else { Vec::new() },
        thumbnails: Vec::new(),
        scratch: Scratch::default(),
        summary: Summary::default(),
    };
    match options.kind {
        Kind::Single | Kind::Wide4k => stills(&mut writer, progress)?,
        Kind::Sequence => sequences(&mut writer, progress)?,
    }
    write(&options.out.join("manifest.jsonl"), &writer.manifest)?;
    if let Some(path) = &options.sheet {
        let sheet = contact_sheet(&writer.thumbnails);
        sheet.save_with_format(path, image::ImageFormat::Png).map_err(|error| Error::new(Fault::Machine, error.to_string()).in_(path.display()))?;
    }
    Ok(writer.summary)
}

fn stills(writer: &mut Writer, progress: &mut dyn FnMut(usize, usize)) -> Result<()> {
    let options = writer.options;
    let size = (options.width, options.height);
    for index in 0..options.count {
        // A stream of its own for each picture: a longer set begins with the shorter one's pictures.
        let mut dice = Dice::new(options.seed, index as u64);
        let (scene, name) = match options.kind {
            Kind::Wide4k => (stage::wide(size, options.conditions, &mut dice), "wide"),
            _ => (stage::single(size, options.conditions, &mut dice), "single"),
        };
        let group = format!("synth-{}-{}-{index}", name, options.seed);
        writer.take(&scene, &format!("{name}-{index:04}.jpg"), &group, None, &mut dice)?;
        progress(index + 1, options.count);
    }
    Ok(())
}

fn sequences(writer: &mut Writer, progress: &mut dyn FnMut(usize, usize)) -> Result<()> {
    /// Vehicles that pass one camera before the next lane begins.
    const PER_LANE: usize = 6;
    /// Frames a vehicle takes on average, with the empty ones after it.
    const FRAMES: usize = 12;
    /// 2026-01-01T00:00:00Z.
    const START_MS: u64 = 1_767_225_600_000;
    let options = writer.options;
    let mut passages = if options.append { fs::read(options.out.join("passages.jsonl")).unwrap_or_default() } else { Vec::new() };
    for lane_index in 0..options.count.div_ceil(PER_LANE) {
        let mut dice = Dice::new(options.seed, 1_000_000 + lane_index as u64);
        let approach = Approach::roll((options.width, options.height), options.conditions, &mut dice);
        let lane = format!("lane{lane_index:03}");
        let group = format!("synth-sequence-{}-{lane_index}", options.seed);
        let (mut sequence, mut clock) = (0u64, START_MS + lane_index as u64 * 60_000);
        for index in lane_index * PER_LANE..options.count.min((lane_index + 1) * PER_LANE) {
            let (placed, distances) = approach.passage(&mut dice);
            let vehicle = format!("v{index:04}");
            let empty = 2 + dice.below(4);
            let mut frames = Vec::new();
            for step in 0..distances.len() + empty {
                let here = distances.get(step).map(|&z| (&placed, z));
                let scene = approach.frame(here, &mut dice);
                let name = format!("{lane}-{sequence:05}.jpg");
                let moment = Moment { lane: &lane, vehicle: here.map(|_| vehicle.as_str()), sequence, captured_ms: clock };
                writer.take(&scene, &name, &group, Some(&moment), &mut dice)?;
                if here.is_some() {
                    frames.push(format!("img/{name}"));
                }
                sequence += 1;
                // About ten frames a second, with a camera's jitter.
                clock += 94 + dice.below(13) as u64;
                let total = options.count * FRAMES;
                progress(writer.summary.pictures.min(total), total);
            }
            if let Some(plate) = &placed.model.plate {
                let row = PassageRow { vehicle, text: plate.text(), region: plate.jurisdiction(), frames };
                push_line(&mut passages, &row)?;
                writer.summary.passages += 1;
            }
        }
    }
    write(&options.out.join("passages.jsonl"), &passages)
}

impl Writer<'_> {
    fn take(&mut self, scene: &Scene, name: &str, group: &str, moment: Option<&Moment>, dice: &mut Dice) -> Result<()> {
        let (picture, plates) = scene.shoot(&mut self.scratch, dice);
        let bytes = sensor::jpeg(&picture, scene.optics.quality)?;
        write(&self.options.out.join("img").join(name), &bytes)?;
        let row = Row {
            image: format!("img/{name}"),
            width: self.options.width,
            height: self.options.height,
            plates: plates.iter().map(plate_row).collect(),
            group,
            licence: "MIT",
            source: &self.source,
            conditions: scene.light.conditions.name(),
            lane: moment.map(|m| m.lane),
            vehicle: moment.and_then(|m| m.vehicle),
            sequence: moment.map(|m| m.sequence),
            captured_ms: moment.map(|m| m.captured_ms),
        };
        push_line(&mut self.manifest, &row)?;
        self.summary.pictures += 1;
        self.summary.plates += plates.len();
        self.summary.bytes += bytes.len() as u64;
        // A sheet of more pictures than this is too large to look at.
        if self.options.sheet.is_some() && self.thumbnails.len() < 120 {
            self.thumbnails.push(thumbnail(&picture));
        }
        Ok(())
    }
}

fn plate_row(truth: &PlateTruth) -> PlateRow {
    let tenth = |v: f32| (f64::from(v) * 10.0).round() / 10.0;
    let corners = truth.corners.map(|c| c.map(tenth));
    let low = |i: usize| corners.iter().fold(f64::MAX, |m, c| m.min(c[i]));
    let high = |i: usize| corners.iter().fold(f64::MIN, |m, c| m.max(c[i]));
    let size = |i: usize| ((high(i) - low(i)) * 10.0).round() / 10.0;
    PlateRow { rectangle: [low(0), low(1), size(0), size(1)], corners, text: truth.text.clone(), region: truth.jurisdiction, lines: truth.lines }
}

fn push_line(lines: &mut Vec<u8>, row: &impl Serialize) -> Result<()> {
    serde_json::to_writer(&mut *lines, row).map_err(|error| Error::new(Fault::Machine, error.to_string()))?;
    lines.push(b'\n');
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let put = || fs::File::create(path)?.write_all(bytes);
    put().map_err(|error| Error::io(&error).in_(path.display()))
}

/// The picture at 480 pixels' width.
fn thumbnail(picture: &RgbImage) -> RgbImage {
    let width = 480.min(picture.width());
    let height = (u64::from(picture.height()) * u64::from(width) / u64::from(picture.width())).max(1) as u32;
    image::imageops::thumbnail(picture, width, height)
}

/// Pictures in rows of four.
fn contact_sheet(thumbnails: &[RgbImage]) -> RgbImage {
    const COLUMNS: usize = 4;
    let (width, height) = thumbnails.first().map_or((1, 1), |t| (t.width() + 4, t.height() + 4));
    let rows = thumbnails.len().div_ceil(COLUMNS).max(1);
    let mut sheet = RgbImage::new(width * COLUMNS as u32, height * rows as u32);
    for (index, thumbnail) in thumbnails.iter().enumerate() {
        let (x, y) = ((index % COLUMNS) as i64 * i64::from(width), (index / COLUMNS) as i64 * i64::from(height));
        image::imageops::replace(&mut sheet, thumbnail, x, y);
    }
    sheet
}
