//! From a camera's bytes to luma pixels, or a reason why not.
//!
//! A damaged frame must be "bad frame: why" and never "no plate". What that takes was measured (`tests/bad_frames.rs` keeps it true): the JPEG
//! decoder in its default mode accepts files cut at 25, 50 or 99 %, and in strict mode those whose data end too early before an end marker. So frames must
//! have the end marker *and* a baseline file is decoded, strictly, with 1 bits in its place: no Huffman code is all ones (the decoder refuses tables with
//! one), so data that end early do not decode, and of flipped bits in them it notices one of four instead of one of fifty. With nothing in its place it
//! would not decode sound pictures whose last row of blocks is less than the eight bytes that it looks ahead, such as flat ones. What passes unnoticed: a cut
//! in the very last block. What is left only a sender's digest finds.
//!
//! A progressive file does not decode without its end marker. It must have sent every coefficient down to its last bit, so whole scans that
//! are missing are noticed, and 1 bits are put behind the data of each scan but the first (the decoder wants a marker right there), for the same reason.
//! What passes unnoticed: part of the first scan lost where the others follow, and a scan cut where all that is missing is raw bits or the end of
//! its last symbol.
//!
//! A picture that says that it lies on its side or head (EXIF) is turned, as viewers do: boxes and crops are of what people see.
//!
//! Only luma is decoded: detector and reader take grey, and it spares the chroma's inverse transform and the colour conversion, 2 of 10
//! ms of a 1080p frame. Decoding at reduced size was measured elsewhere to save under a fifth of luma decoding (Huffman decoding is the
//! floor), and would cost a second decode for the crop at full resolution: it does not pay.

use std::borrow::Cow;

use image::metadata::Orientation;
use zune_core::bytestream::{ZByteIoError, ZByteReaderTrait, ZSeekFrom};
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;

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

/// Bytes of 1 bits behind the data of a baseline file: eight that the decoder looks ahead, eight for the longest symbol (27 bits) and the code behind it.
const AHEAD: usize = 16;

/// A byte of 1 bits in a scan: 0xFF alone would begin a marker.
const STUFFED_ONES: [u8; 2] = [0xFF, 0x00];

/// Bytes of 1 bits behind the data of a progressive scan. More than any run of raw bits between two Huffman codes is likely to be; a guess, unmeasured.
const ONES: usize = 1024;

/// What ends a JPEG file, and what begins a scan of it: the second bytes of their markers.
const END_OF_IMAGE: u8 = 0xD9;
const START_OF_SCAN: u8 = 0xDA;

/// The frame header of a progressive JPEG with Huffman codes.
const PROGRESSIVE: u8 = 0xC2;

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
    /// `Damaged` for a file that is cut off or does not decode, `Unsupported` for another format or a JPEG of a rare kind, `Limit` for one over
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
        if header.is_some_and(|header| !matches!(header.marker, 0xC0..=PROGRESSIVE) || header.precision == 12) {
            let kinds = "lossless, arithmetic, hierarchical or of 12 bits";
            return Err(bad(Fault::Unsupported, format!("is a JPEG that garita does not read ({kinds}): send a baseline or progressive one of 8 bits")));
        }
        // A progressive file whose marker is far from the end was cut off after a small picture within it.
        let baseline = header.is_some_and(|header| header.marker != PROGRESSIVE);
        let end = encoded.windows(2).rposition(|pair| pair == [0xFF, END_OF_IMAGE]).filter(|end| baseline || encoded.len() - end <= END_MARKER_WITHIN);
        let Some(end) = end else {
            return Err(bad(Fault::Damaged, format!("JPEG ends at byte {} without an end marker: it was cut off; send it again", encoded.len())));
        };
        let header = header.ok_or_else(|| bad(Fault::Damaged, "JPEG has no frame header"))?;
        if header.luma != header.most {
            return Err(bad(Fault::Unsupported, "is a JPEG with more chroma than luma: send it in 4:2:0, 4:2:2 or 4:4:4"));
        }
        // 4:4:0. The decoder gives the luma of these rightly in colours only.
        let by_colours = header.most == (1, 2);
        let (strict, ones) = if baseline { (Cow::Borrowed(&encoded[..end]), AHEAD) } else { (Cow::Owned(strict_progressive(encoded)?), 0) };
        let options = DecoderOptions::default()
            .set_strict_mode(true)
            .set_max_width(MAX_SIDE)
            .set_max_height(MAX_SIDE)
            .jpeg_set_max_scans(MAX_SCANS)
            .jpeg_set_out_colorspace(if by_colours { ColorSpace::RGB } else { ColorSpace::Luma });
        let mut decoder = JpegDecoder::new_with_options(Input { bytes: &strict, at: 0, ones }, options);
        let damaged = |error: DecodeErrors| bad(Fault::Damaged, format!("JPEG does not decode: {}", said(&error)));
        decoder.decode_headers().map_err(|error| match header {
            JpegHeader { width, height, .. } if width > MAX_SIDE || height > MAX_SIDE => too_large(width, height),
            _ => damaged(error),
        })?;
        let info = decoder.info().ok_or_else(|| bad(Fault::Damaged, "JPEG has no frame header"))?;
        if !matches!(decoder.input_colorspace(), Some(ColorSpace::YCbCr | ColorSpace::Luma)) {
            let colours = if info.components == 4 { "CMYK" } else { "RGB" };
            return Err(bad(Fault::Unsupported, format!("is a JPEG in {colours}: send it in YCbCr, as cameras write it, in grey, or as PNG")));
        }
        self.resize(info.width as usize, info.height as usize)?;
        // Of the headers alone, as `Picture::decode` turns: not of what stands between scans.
        let lies = orientation(decoder.exif().map(Vec::as_slice));
        if by_colours {
            let mut samples = vec![0; 3 * self.pixels.len()];
            decoder.decode_into(&mut samples).map_err(damaged)?;
            self.take(&samples, 3);
        } else {
            decoder.decode_into(&mut self.pixels).map_err(damaged)?;
        }
        self.turn(lies);
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
        // Of what stands before the pixels, as `Picture::decode` turns.
        let lies = orientation(reader.info().exif_metadata.as_deref());
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
            self.take(&samples, color.samples());
        }
        reader.finish().map_err(damaged)?;
        self.turn(lies);
        Ok(())
    }

    /// The luma of pixels of `channels` samples each: red, green and blue, or grey, and what more there is.
    fn take(&mut self, samples: &[u8], channels: usize) {
        for (target, pixel) in self.pixels.iter_mut().zip(samples.chunks_exact(channels)) {
            *target = match *pixel {
                [red, green, blue, ..] => luma(red, green, blue),
                [grey, ..] => grey,
                [] => 0,
            };
        }
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

/// A file in memory, as the JPEG decoder reads it, and 1 bits behind it for its data, which it reads byte by byte at the end; never for a header. It takes
/// four bytes at a time, a hundred thousand times a frame; of [`ZCursor`](zune_core::bytestream::ZCursor) each is a call of `memmove`, because it looks how
/// many bytes there are, in all a tenth of the decoding. Here it is one load.
struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
    /// How many bytes of 1 bits, each two bytes of [`STUFFED_ONES`].
    ones: usize,
}

impl Input<'_> {
    #[inline(always)]
    fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Fills `buffer` from what is here, or leaves it.
    #[inline(always)]
    fn fill(&self, buffer: &mut [u8]) -> std::result::Result<(), ZByteIoError> {
        let rest = self.rest();
        let bytes = rest.get(..buffer.len()).ok_or(ZByteIoError::NotEnoughBytes(rest.len(), buffer.len()))?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }
}

impl ZByteReaderTrait for Input<'_> {
    #[inline(always)]
    fn read_exact_bytes(&mut self, buffer: &mut [u8]) -> std::result::Result<(), ZByteIoError> {
        self.fill(buffer)?;
        self.at += buffer.len();
        Ok(())
    }

    #[inline(always)]
    fn read_byte_no_error(&mut self) -> u8 {
        let byte = match self.bytes.get(self.at) {
            Some(&byte) => byte,
            None if self.is_eof().unwrap_or(true) => 0,
            None => STUFFED_ONES[(self.at - self.bytes.len()) % 2],
        };
        self.at += 1;
        byte
    }

    fn read_bytes(&mut self, buffer: &mut [u8]) -> std::result::Result<usize, ZByteIoError> {
        let length = self.peek_bytes(buffer)?;
        self.at += length;
        Ok(length)
    }

    fn peek_bytes(&mut self, buffer: &mut [u8]) -> std::result::Result<usize, ZByteIoError> {
        let length = buffer.len().min(self.rest().len());
        self.fill(&mut buffer[..length])?;
        Ok(length)
    }

    fn peek_exact_bytes(&mut self, buffer: &mut [u8]) -> std::result::Result<(), ZByteIoError> {
        self.fill(buffer)
    }

    #[inline(always)]
    fn z_seek(&mut self, to: ZSeekFrom) -> std::result::Result<u64, ZByteIoError> {
        let (from, by) = match to {
            ZSeekFrom::Start(at) => (0, at as i64),
            ZSeekFrom::End(by) => (self.bytes.len(), by),
            ZSeekFrom::Current(by) => (self.at, by),
        };
        self.at = from.checked_add_signed(by as isize).ok_or(ZByteIoError::SeekError("before the beginning"))?;
        Ok(self.at as u64)
    }

    #[inline(always)]
    fn is_eof(&mut self) -> std::result::Result<bool, ZByteIoError> {
        Ok(self.at >= self.bytes.len() + STUFFED_ONES.len() * self.ones)
    }

    fn z_position(&mut self) -> std::result::Result<u64, ZByteIoError> {
        Ok(self.at as u64)
    }

    fn read_remaining(&mut self, sink: &mut Vec<u8>) -> std::result::Result<usize, ZByteIoError> {
        let rest = self.rest();
        let length = rest.len();
        sink.extend_from_slice(rest);
        self.at += length;
        Ok(length)
    }
}

/// How a picture says that it lies, in its EXIF data if it has any.
fn orientation(exif: Option<&[u8]>) -> Orientation {
    exif.and_then(Orientation::from_exif_chunk).unwrap_or(Orientation::NoTransforms)
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
    /// Bits a sample.
    precision: u8,
    width: usize,
    height: usize,
    /// How many blocks across and down the first component, luma, has in a unit of the picture.
    luma: (u8, u8),
    /// How many the component with the most has.
    most: (u8, u8),
}

/// The first frame header of a JPEG file; nothing where its segments do not lead to one.
fn jpeg_header(encoded: &[u8]) -> Option<JpegHeader> {
    let is_frame = |marker: u8| matches!(marker, 0xC0..=0xCF) && !matches!(marker, 0xC4 | 0xC8 | 0xCC);
    let Segment { marker, body, .. } = segments(encoded).find(|segment| is_frame(segment.marker))?;
    let [precision, height_high, height_low, width_high, width_low, _, ref components @ ..] = *body else { return None };
    let side = |high: u8, low: u8| usize::from(u16::from_be_bytes([high, low]));
    let blocks = || components.chunks_exact(3).map(|component| (component[1] >> 4, component[1] & 0x0F));
    let most = blocks().fold((0, 0), |most, blocks| (most.0.max(blocks.0), most.1.max(blocks.1)));
    let (width, height) = (side(width_high, width_low), side(height_high, height_low));
    Some(JpegHeader { marker, precision, width, height, luma: blocks().next().unwrap_or_default(), most })
}

/// One segment of a JPEG file.
struct Segment<'a> {
    /// Where its marker begins.
    at: usize,
    /// The second byte of its marker.
    marker: u8,
    /// What stands behind its length; nothing for the end marker, which has none.
    body: &'a [u8],
}

/// The segments of a JPEG file in their order, to its end marker or to the first that is cut off. What stands between them is passed over: fill,
/// and the data of scans, in which only 0 and restart markers follow 0xFF.
fn segments(encoded: &[u8]) -> impl Iterator<Item = Segment<'_>> {
    let mut from = 2;
    std::iter::from_fn(move || {
        let rest = encoded.get(from..)?;
        let at = from + rest.windows(2).position(|pair| pair[0] == 0xFF && !matches!(pair[1], 0x00 | 0x01 | 0xD0..=0xD8 | 0xFF))?;
        let marker = encoded[at + 1];
        if marker == END_OF_IMAGE {
            from = encoded.len();
            return Some(Segment { at, marker, body: &[] });
        }
        let length = u16::from_be_bytes([*encoded.get(at + 2)?, *encoded.get(at + 3)?]);
        // The length counts its own two bytes.
        let end = at + 2 + usize::from(length).max(2);
        let body = encoded.get(at + 4..end)?;
        from = end;
        Some(Segment { at, marker, body })
    })
}

/// A progressive JPEG as it is decoded: with 1 bits behind the data of each scan but the first.
///
/// # Errors
/// `Damaged` where its scans leave out a bit of a coefficient, `Limit` for more than [`MAX_SCANS`] of them.
fn strict_progressive(encoded: &[u8]) -> Result<Vec<u8>> {
    /// Of a coefficient of which nothing came.
    const NOTHING: u8 = 0xFF;
    // By component: its identifier, and the lowest bit that came of each coefficient.
    let mut components: Vec<(u8, [u8; 64])> = Vec::new();
    let ones = STUFFED_ONES.repeat(ONES);
    let mut strict = Vec::with_capacity(encoded.len() + MAX_SCANS * ones.len());
    let (mut copied, mut scans, mut in_scan) = (0, 0, false);
    for Segment { at, marker, body } in segments(encoded) {
        if in_scan && scans > 1 {
            strict.extend_from_slice(&encoded[copied..at]);
            strict.extend_from_slice(&ones);
            copied = at;
        }
        in_scan = marker == START_OF_SCAN;
        if marker == PROGRESSIVE && components.is_empty() {
            // Precision, height, width and their number; then three bytes each.
            components = body.get(6..).unwrap_or_default().chunks_exact(3).map(|component| (component[0], [NOTHING; 64])).collect();
        }
        if !in_scan {
            continue;
        }
        scans += 1;
        if scans > MAX_SCANS {
            return Err(bad(Fault::Limit, format!("JPEG has more than {MAX_SCANS} scans")));
        }
        // The number of components, two bytes each, the first and the last coefficient, and the lowest bit before and after. The decoder refuses what is not so.
        let selectors = 1 + 2 * body.first().map_or(0, |&count| usize::from(count));
        let (Some(selected), Some(&[first, last, bits])) = (body.get(1..selectors), body.get(selectors..)) else { continue };
        for (_, lowest) in components.iter_mut().filter(|(id, _)| selected.iter().step_by(2).any(|one| one == id)) {
            for low in lowest.get_mut(usize::from(first)..=usize::from(last)).into_iter().flatten() {
                // A refinement of what did not come leaves it missing.
                if bits >> 4 == 0 || *low == bits >> 4 {
                    *low = bits & 0x0F;
                }
            }
        }
    }
    if components.iter().any(|(_, lowest)| lowest.iter().any(|&low| low != 0)) {
        return Err(bad(Fault::Damaged, "JPEG is progressive, and its data end early: scans are missing; send it again"));
    }
    strict.extend_from_slice(&encoded[copied..]);
    Ok(strict)
}

/// What the decoder says, without the quotes that it puts around some of its sentences.
fn said(error: &DecodeErrors) -> String {
    match error {
        // 1 bits where a code should be, as they stand behind the data.
        DecodeErrors::Format(text) if text.starts_with("Bad Huffman Code 0xFFFF") => "its data end early or are damaged".to_owned(),
        DecodeErrors::Format(text) => text.clone(),
        DecodeErrors::FormatStatic(text) => (*text).to_owned(),
        other => other.to_string(),
    }
}

fn too_large(width: usize, height: usize) -> Error {
    bad(Fault::Limit, format!("declares {width}x{height} pixels, more than the limit ({MAX_SIDE} a side, {MAX_PIXELS} in all)"))
}

/// On one line: decoders end some of their sentences with a line break.
fn bad(fault: Fault, message: impl AsRef<str>) -> Error {
    let words: Vec<&str> = message.as_ref().split_whitespace().collect();
    Error::new(fault, format!("bad frame: {}", words.join(" ")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An 8 x 8 progressive JPEG of one component with these scans, without data: first and last coefficient, and the lowest bit before and after.
    fn file(scans: &[[u8; 3]]) -> Vec<u8> {
        let mut file = vec![0xFF, 0xD8, 0xFF, 0xC2, 0, 11, 8, 0, 8, 0, 8, 1, 1, 0x11, 0];
        for scan in scans {
            file.extend([0xFF, 0xDA, 0, 8, 1, 1, 0]);
            file.extend(scan);
        }
        file.extend([0xFF, 0xD9]);
        file
    }

    #[test]
    fn every_scan_must_have_come() {
        let scans = [[0u8, 0, 0x01], [1, 5, 0x02], [6, 63, 0x02], [1, 63, 0x21], [0, 0, 0x10], [1, 63, 0x10]];
        let strict = strict_progressive(&file(&scans)).expect("complete");
        assert_eq!(strict.len(), file(&scans).len() + 5 * 2 * ONES, "1 bits behind each scan but the first");
        for missing in 0..scans.len() {
            let others: Vec<_> = scans.iter().enumerate().filter(|(number, _)| *number != missing).map(|(_, scan)| *scan).collect();
            let error = strict_progressive(&file(&others)).expect_err("a scan is missing");
            assert!(error.fault == Fault::Damaged && error.message.contains("its data end early"), "without scan {missing}: {error}");
        }
        let many = vec![[0u8; 3]; MAX_SCANS + 1];
        assert_eq!(strict_progressive(&file(&many)).expect_err("too many").fault, Fault::Limit);
    }

    /// Bytes that are markers, lengths and scan headers more often than others.
    fn telling() -> impl Strategy<Value = Vec<u8>> {
        let of_headers = prop::sample::select(vec![0xFFu8, 0xC2, 0xDA, 0xD9, 0x00, 0x01, 0x08, 0x3F]);
        prop::collection::vec(prop_oneof![3 => of_headers, 1 => any::<u8>()], 0..400)
    }

    proptest! {
        #[test]
        fn no_segments_panic(bytes in telling()) {
            let frame = file(&[]);
            let starts: [&[u8]; 3] = [&[], &[0xFF, 0xD8], &frame[..15]];
            for start in starts {
                let bytes = [start, &bytes].concat();
                let _ = jpeg_header(&bytes);
                let _ = strict_progressive(&bytes);
            }
        }
    }
}
