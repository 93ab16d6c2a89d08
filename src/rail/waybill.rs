//! What shippers declare: lines that come on their own, by reporting mark, and are laid over the train's list.
//!
//! The list of a tag reader knows who is in the train and in which order; a manifest knows what is said to be in each. A line names its car by
//! mark; lines without a car in the list change nothing, as nothing says where in the train they belong.

use super::consist::{Consist, ConsistCar, MAX_BYTES, MAX_CARS};
use crate::error::{Error, Fault, Result};

/// The lines of a manifest.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Manifest {
    /// One a car; `mark`, `loaded`, `commodity`, `weight_kg` and `containers` count.
    pub lines: Vec<ConsistCar>,
}

impl Manifest {
    /// Parses a manifest: the JSON of a consist, or one JSON object of a car a line.
    ///
    /// # Errors
    /// `Limit` over [`MAX_BYTES`] or [`MAX_CARS`], `Damaged` naming the line.
    pub fn parse(text: &[u8]) -> Result<Manifest> {
        let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
        // One object with `cars`, over however many lines; lines of cars have no such key.
        if serde_json::from_slice::<serde_json::Value>(text).is_ok_and(|json| json.get("cars").is_some()) {
            return checked(Consist::parse(text)?.cars);
        }
        if text.len() as u64 > MAX_BYTES {
            return Err(Error::new(Fault::Limit, format!("{} bytes, more than the limit of {MAX_BYTES}", text.len())));
        }
        let text = std::str::from_utf8(text).map_err(|error| Error::new(Fault::Damaged, format!("byte {} is no UTF-8", error.valid_up_to())))?;
        let mut lines = Vec::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            if lines.len() == MAX_CARS {
                return Err(Error::new(Fault::Limit, format!("line {}: more than {MAX_CARS} cars", number + 1)));
            }
            let damaged = |error: serde_json::Error| Error::new(Fault::Damaged, format!("line {}: not the JSON of a car: {error}", number + 1));
            lines.push(serde_json::from_str(line).map_err(damaged)?);
        }
        checked(lines)
    }

    /// Lays the lines over the cars of the same mark; the last line of a mark counts.
    pub fn lay_over(&self, consist: &mut Consist) {
        for car in &mut consist.cars {
            let Some(mark) = car.written_mark() else { continue };
            for line in self.lines.iter().filter(|line| line.written_mark().as_ref() == Some(&mark)) {
                car.loaded = line.loaded.or(car.loaded);
                car.commodity = line.commodity.clone().or(car.commodity.take());
                car.weight_kg = line.weight_kg.or(car.weight_kg);
                if !line.containers.is_empty() {
                    car.containers.clone_from(&line.containers);
                }
            }
        }
    }
}

fn checked(lines: Vec<ConsistCar>) -> Result<Manifest> {
    if lines.is_empty() {
        return Err(Error::new(Fault::Damaged, "no car in it"));
    }
    for (index, line) in lines.iter().enumerate() {
        let sane = line.weight_kg.is_none_or(|mass| (0.0..=1e6).contains(&mass)) && line.containers.len() <= 64;
        let plain = |text: &String| !text.chars().any(char::is_control);
        if !sane || line.written_mark().is_none_or(|mark| mark.len() > 64 || !plain(&mark)) || !line.containers.iter().all(plain) {
            return Err(Error::new(Fault::Damaged, format!("car {}: it names no \"mark\", or its weight or containers are impossible", index + 1)));
        }
    }
    Ok(Manifest { lines })
}
