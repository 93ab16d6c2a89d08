//! From a camera's bytes to luma pixels, or a reason why not.
//!
//! A damaged frame must be "bad frame: why" and never "no plate". What that takes was measured (`tests/bad_frames.rs` keeps it true): the JPEG
//! decoder in its default mode accepts files cut at 25, 50 or 99 %, and in strict mode those whose data end too early before an end marker. So frames must
//! have the end marker *and* a baseline file is decoded, strictly, without it: then it notices data that end early, and of flipped bits in
//! them one of four instead of one of fifty. What is left only a sender's digest finds.
//!
//! A picture that says that it lies on its side or head (EXIF) is turned, as viewers do: boxes and crops are of what people see.
//!
//! Only luma is decoded: detector and reader take grey, and it spares the chroma's inverse transform and the colour conversion, 2 of 10
//! ms of a 1080p frame. Decoding at reduced size was measured elsewhere to save under a fifth of luma decoding (Huffman decoding is the
//! floor), and would cost a second decode for the crop at full resolution: it does not pay.

use image::metadata::Orientation;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use crate::bytes::Bytes;
use crate::error::{Error, Fault, Result};

/// The longest side of a frame, pixels.
pub const MAX_SIDE: usize = 16_384;

/// The most pixels of a frame: an 8K picture (33 MP) fits; checked against the header before anything is allocated.
pub const MAX_PIXELS: usize = 36_000_000;

/// The most bytes of an encoded frame.
pub const MAX_BYTES: u64 = 64 << 20;

/// The most scans of a progressive JPEG: encoders write about ten, and each costs a pass over the whole picture.
const MAX_SCANS: usize = 64;

/// The end marker must begin within this many last bytes; some cameras pad after it.
const END_MARKER_WITHIN: usize = 64;

/// One captured lane image, as the camera encoded it.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Index of the lane in its site.
    pub lane: usize,
    /// The camera's count of frames, rising; order is kept by it, not by time.
    pub sequence: u64,
    /// When it was captured, milliseconds since the Unix epoch by the camera's or the door's clock, which may jump.
    pub captured_ms: i64,
    /// When it came, milliseconds of a clock that never jumps and starts anywhere; gaps between frames are measured by it.
    pub clock_ms: i64,
    /// How many frames of this lane were passed over since the one before.
    pub skipped: u32,
    /// The JPEG or PNG file.
    pub encoded: Bytes,
}

/// Grey pixels of one frame; a worker owns one and decodes frame after frame into it.
#[derive(Debug, Default, Clone)]
pub struct Luma {
    /// Pixels a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `[y, x]`, 0 black to 255 white, `width * height` of them.
    pub pixels: Vec<u8>,
}

impl Luma {
    /// Decodes a JPEG or PNG file into this buffer, which grows to the largest frame seen and stays so.
    ///
    /// # Errors
    /// `Damaged` for a file that is cut off or does not decode, `Unsupported` for another format, `Limit` for one over
    /// [`MAX_SIDE`], [`MAX_PIXELS`] or [`MAX_BYTES`]. After an error the pixels are meaningless.
    pub fn decode(&mut self, encoded: &[u8]) -> Result<()> {
        if encoded.is_empty() {
            return Err(bad(Fault::Damaged, "is empty"));
        }
        if encoded.len() as u64 > MAX_BYTES {
            return Err(bad(Fault::Limit, format!("{} bytes encoded, more than the limit of {MAX_BYTES}", encoded.len())));
        }
        match encoded {
            [0xFF, 0xD8, ..] => self.decode_jpeg(encoded),
            [0x89, b'P', b'N', b'G', ..] => self.decode_png(encoded),
            _ => Err(bad(Fault::Unsupported, "is neither a JPEG nor a PNG file")),
        }
    }

    fn decode_jpeg(&mut self, encoded: &[u8]) -> Result<()> {
        let header = jpeg_header(encoded);
        // A progressive file does not decode without its end marker, and whose marker is far from the end was cut off after a small picture within it.
        let baseline = header.is_some_and(|header| matches!(header.marker, 0xC0 | 0xC1));
        let end = encoded.windows(2).rposition(|pair| pair == [0xFF, 0xD9]).filter(|end| baseline || encoded.len() - end <= END_MARKER_WITHIN);
        let Some(end) = end else {
            return Err(bad(Fault::Damaged, format!("JPEG ends at byte {} without an end marker: it was cut off; send it again", encoded.len())));
        };
        let encoded = if baseline { &encoded[..end] } else { encoded };
        let options = DecoderOptions::default()
            .set_strict_mode(true)
            .set_max_width(MAX_SIDE)
            .set_max_height(MAX_SIDE)
            .jpeg_set_max_scans(MAX_SCANS)
            .jpeg_set_out_colorspace(ColorSpace::Luma);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(encoded), options);
        let damaged = |error: zune_jpeg::errors::DecodeErrors| bad(Fault::Damaged, format!("JPEG does not decode: {error}"));
        decoder.decode_headers().map_err(|error| match header {
            Some(JpegHeader { width, height, .. }) if width > MAX_SIDE || height > MAX_SIDE => too_large(width, height),
            _ => damaged(error),
        })?;
        let info = decoder.info().ok_or_else(|| bad(Fault::Damaged, "JPEG has no frame header"))?;
        self.resize(info.width as usize, info.height as usize)?;
        decoder.decode_into(&mut self.pixels).map_err(damaged)?;
        if let Some(turned) = decoder.exif().and_then(|exif| Orientation::from_exif_chunk(exif)) {
            self.turn(turned);
        }
        Ok(())
    }

    /// Turns and mirrors the pixels as `orientation` asks; allocates where it asks for anything.
    fn turn(&mut self, orientation: Orientation) {
        if orientation == Orientation::NoTransforms {
            return;
        }
        let pixels = image::GrayImage::from_raw(self.width as u32, self.height as u32, std::mem::take(&mut self.pixels)).expect("as many as its sides say");
        let mut picture = image::DynamicImage::from(pixels);
        picture.apply_orientation(orientation);
        (self.width, self.height) = (picture.width() as usize, picture.height() as usize);
        self.pixels = picture.into_luma8().into_raw();
    }

    fn decode_png(&mut self, encoded: &[u8]) -> Result<()> {
        let damaged = |error: png::DecodingError| bad(Fault::Damaged, format!("PNG does not decode: {error}"));
        // Text and colour profiles are where small files hide large allocations; luma needs neither.
        let mut decoder = png::Decoder::new_with_limits(std::io::Cursor::new(encoded), png::Limits { bytes: 4 * MAX_PIXELS });
        decoder.set_ignore_text_chunk(true);
        decoder.set_ignore_iccp_chunk(true);
        decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::STRIP_16);
        let mut reader = decoder.read_info().map_err(damaged)?;
        let (width, height) = reader.info().size();
        self.resize(width as usize, height as usize)?;
        let (color, _) = reader.output_color_type();
        if color == png::ColorType::Grayscale && !reader.info().interlaced {
            let mut rows = self.pixels.chunks_exact_mut(self.width);
            while let (Some(row), Some(target)) = (reader.next_row().map_err(damaged)?, rows.next()) {
                target.copy_from_slice(row.data());
            }
        } else {
            let size = reader.output_buffer_size().ok_or_else(|| too_large(width as usize, height as usize))?;
            let mut samples = vec![0; size];
            reader.next_frame(&mut samples).map_err(damaged)?;
            let channels = color.samples();
            for (target, pixel) in self.pixels.iter_mut().zip(samples.chunks_exact(channels)) {
                *target = match *pixel {
                    [red, green, blue, ..] => luma(red, green, blue),
                    [grey, ..] => grey,
                    [] => 0,
                };
            }
        }
        reader.finish().map_err(damaged)
    }

    fn resize(&mut self, width: usize, height: usize) -> Result<()> {
        if width == 0 || height == 0 {
            return Err(bad(Fault::Damaged, format!("declares {width}x{height} pixels")));
        }
        if width > MAX_SIDE || height > MAX_SIDE || width * height > MAX_PIXELS {
            return Err(too_large(width, height));
        }
        (self.width, self.height) = (width, height);
        self.pixels.resize(width * height, 0);
        Ok(())
    }
}

/// ITU-R BT.601 luma, as JPEG's own Y: 0.299 R + 0.587 G + 0.114 B, in 1/256.
fn luma(red: u8, green: u8, blue: u8) -> u8 {
    ((77 * u32::from(red) + 150 * u32::from(green) + 29 * u32::from(blue) + 128) >> 8) as u8
}

/// The first frame header (SOF) of a JPEG file.
#[derive(Clone, Copy)]
struct JpegHeader {
    /// Which of the SOF markers: 0xC0 and 0xC1 are sequential with Huffman codes.
    marker: u8,
    width: usize,
    height: usize,
}

/// The first frame header of a JPEG file; nothing where its segments do not lead to one.
fn jpeg_header(encoded: &[u8]) -> Option<JpegHeader> {
    let mut at = 2;
    loop {
        let [0xFF, marker] = *encoded.get(at..at + 2)? else { return None };
        // Any number of 0xFF may stand before a marker.
        if marker == 0xFF {
            at += 1;
            continue;
        }
        let length = usize::from(u16::from_be_bytes(encoded.get(at + 2..at + 4)?.try_into().ok()?));
        if matches!(marker, 0xC0..=0xCF) && !matches!(marker, 0xC4 | 0xC8 | 0xCC) {
            let size = encoded.get(at + 5..at + 9)?;
            let side = |high: u8, low: u8| usize::from(u16::from_be_bytes([high, low]));
            return Some(JpegHeader { marker, width: side(size[2], size[3]), height: side(size[0], size[1]) });
        }
        at += 2 + length;
    }
}

fn too_large(width: usize, height: usize) -> Error {
    bad(Fault::Limit, format!("declares {width}x{height} pixels, more than the limit ({MAX_SIDE} a side, {MAX_PIXELS} in all)"))
}

fn bad(fault: Fault, message: impl Into<String>) -> Error {
    Error::new(fault, format!("bad frame: {}", message.into()))
}
