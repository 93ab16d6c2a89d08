//! Thickness of a whole scan as a TIFF of 32-bit floats, written block by block.

use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use garita::error::{Error, Result};
use garita::rail::calibrate::Calibration;
use garita::rail::pixels::thickness;
use garita::rail::scan::{Scan, write};

/// Columns at a time: 512 of 850 detectors are 3.5 MB twice.
const BLOCK: usize = 512;

/// Writes thickness (page 1) and its standard error (page 2), time-major like the scan.
pub(crate) fn write_thickness(path: &Path, scan: &Scan, calibration: &Calibration) -> Result<()> {
    let failed = |error: std::io::Error| Error::io(&error).in_(path.display());
    // A name of its own until it is whole: what lies at `path` may be mapped, by this process or another.
    let unnamed = path.with_extension("tif.part");
    let mut file = BufWriter::new(File::create(&unnamed).map_err(failed)?);
    let (detectors, columns) = (scan.detectors(), scan.columns());
    let layout = write::FloatPages::new(detectors, columns, &["steel-equivalent thickness, mm", "standard error, mm"]);
    file.write_all(layout.header()).map_err(failed)?;
    for start in (0..columns).step_by(BLOCK) {
        let block = start..(start + BLOCK).min(columns);
        let (mm, sigma) = thickness(scan, calibration, block.clone())?;
        for (page, values) in [mm, sigma].iter().enumerate() {
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            file.seek(SeekFrom::Start(layout.offset(page, block.start))).map_err(failed)?;
            file.write_all(&bytes).map_err(failed)?;
        }
    }
    file.flush().map_err(failed)?;
    drop(file);
    std::fs::rename(&unnamed, path).map_err(failed)
}
