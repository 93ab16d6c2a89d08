//! The demo's page: one HTML file that needs nothing else, with each passage's evidence.

use std::fmt::Write;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::imageops::{self, FilterType};

use garita::draw::{self, Picture};
use garita::error::{Error, Result};
use garita::lane::hit::Hit;
use garita::lane::passage::Passage;
use garita::posterior::{ALPHABET, Position};

use super::{Told, percent};

/// Width of the pictures on the page, pixels.
const PICTURE_WIDTH: u32 = 720;
/// Alternatives of a character that the page shows, from this probability on.
const SHOWN: f32 = 0.02;

const STYLE: &str = "
:root { color-scheme: light dark; --line: #8886; --hit: #c05890 }
body { font: 15px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 96rem; padding: 1rem 1.5rem }
h1 { font-size: 1.4rem; margin: .2rem 0 }
.passages { display: grid; grid-template-columns: repeat(auto-fill, minmax(24rem, 1fr)); gap: 1.2rem }
article { border: 1px solid var(--line); border-radius: 6px; overflow: hidden }
article.hit { border: 3px solid var(--hit) }
article > div { padding: .6rem .8rem }
img { width: 100%; display: block }
.plate { font: 600 1.7rem/1 ui-monospace, monospace; letter-spacing: .06em }
.characters { display: flex; flex-wrap: wrap; gap: .25rem; margin: .5rem 0; font: .8rem ui-monospace, monospace }
.characters span { border: 1px solid var(--line); border-radius: 3px; padding: .1rem .3rem; text-align: center; white-space: pre }
.hits { color: var(--hit); font-weight: 600; margin: .4rem 0 0; padding: 0; list-style: none }
small { opacity: .75 }";

/// Writes the page.
pub(super) fn write(path: &Path, lanes: &[&str], told: &Told, cars: &str) -> Result<()> {
    let mut page = String::new();
    let hits = told.passages.iter().filter(|(_, hits)| !hits.is_empty()).count();
    let _ = write!(
        page,
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>garita demo</title>\
         <style>{STYLE}</style><h1>garita demo: {} passages, {hits} with a hit</h1>\
         <p>Rendered scenes, read by the shipped networks. Under each plate: what each position could be instead, in whole percent; ∅: no character there. \
         Confidence is the calibrated probability that the whole text is right (O and Q counting as 0, I as 1). Nothing here acts on a hit: an operator does.</p><div class=\"passages\">",
        told.passages.len()
    );
    for (passage, hits) in &told.passages {
        article(&mut page, lanes[passage.lane], passage, hits)?;
    }
    page.push_str("</div>");
    if !cars.is_empty() {
        let _ = write!(
            page,
            "<h1>Rail: one train through the portal</h1><p>Rendered scans. Above: grey as officers know it, with what was found outlined; below: thickness in steel, \
             0 to 100 mm, hatched where nothing came through.</p><div class=\"passages\">{cars}</div>"
        );
    }
    page.push_str("</html>\n");
    crate::cli::make_folder_of(path)?;
    std::fs::write(path, page).map_err(|error| Error::io(&error).in_(path.display()))
}

fn article(page: &mut String, lane: &str, passage: &Passage, hits: &[Hit]) -> Result<()> {
    let mut picture = draw::annotated(&passage.evidence.encoded, &[(passage.best, !hits.is_empty())])?;
    shrink(&mut picture);
    let jurisdiction = passage.jurisdiction.map_or("jurisdiction unknown".to_owned(), |one| format!("{} {}", one.code.as_str(), percent(one.confidence)));
    let _ = write!(
        page,
        "<article{}><img alt=\"Evidence frame of {text}\" src=\"data:image/jpeg;base64,{}\"><div><span class=\"plate\">{text}</span> {} sure, {}<div class=\"characters\">",
        if hits.is_empty() { "" } else { " class=\"hit\"" },
        STANDARD.encode(picture.to_jpeg()?),
        escape(&percent(passage.confidence)),
        escape(&jurisdiction),
        text = passage.text,
    );
    for position in passage.posterior.positions() {
        let _ = write!(page, "<span>{}</span>", alternatives(position));
    }
    let _ = write!(page, "</div><small>{}, {} reads, evidence is frame {}</small><ul class=\"hits\">", escape(lane), passage.reads, passage.evidence.sequence);
    for hit in hits {
        let _ = write!(page, "<li>{}</li>", escape(&hit_text(hit)));
    }
    page.push_str("</ul></div></article>");
    Ok(())
}

fn alternatives(position: &Position) -> String {
    let mut sorted: Vec<(char, f32)> = ALPHABET.iter().map(|&character| char::from(character)).zip(position.characters).collect();
    sorted.sort_by(|a, b| b.1.total_cmp(&a.1));
    sorted.truncate(3);
    sorted.push(('∅', position.absent));
    let shown = sorted.iter().enumerate().filter(|(rank, (_, probability))| *rank == 0 || *probability >= SHOWN);
    shown.map(|(_, (character, probability))| format!("{character} {:.0}", 100.0 * probability)).collect::<Vec<_>>().join("\n")
}

/// One hit in a line: `EXACT ABC123 US-CA on stolen (priority 10): reason`.
pub(super) fn hit_text(hit: &Hit) -> String {
    let class = format!("{:?}", hit.class).to_uppercase();
    format!(
        "{class} {} {} on {} (priority {}, {} probable): {}",
        hit.entry.text,
        hit.entry.jurisdiction,
        hit.entry.list,
        hit.entry.priority,
        percent(hit.probability),
        hit.entry.reason
    )
}

fn shrink(picture: &mut Picture) {
    let (width, height) = picture.pixels.dimensions();
    if width > PICTURE_WIDTH {
        picture.pixels = imageops::resize(&picture.pixels, PICTURE_WIDTH, (height * PICTURE_WIDTH).div_ceil(width), FilterType::Triangle);
    }
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
