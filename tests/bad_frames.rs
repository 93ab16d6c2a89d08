//! Bad frames are "bad frame: why", never "no plate", never a panic, never a hang, and lose nothing else.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use garita::draw::Picture;
use garita::error::Fault;
use garita::lane::frame::{Luma, MAX_BYTES};
use image::{DynamicImage, ImageFormat, RgbImage};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use proptest::prelude::*;

/// A picture with some structure.
fn picture(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| image::Rgb([(x * 7 % 256) as u8, (y * 5 % 256) as u8, ((x * y) % 251) as u8]))
}

/// It as a file of `format`.
fn encoded(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let mut file = std::io::Cursor::new(Vec::new());
    DynamicImage::from(picture(width, height)).write_to(&mut file, format).expect("encodes");
    file.into_inner()
}

/// 320 x 240 of it as a JPEG; below quality 90 its colours have half the width and height, and a restart interval of 0 is none.
fn jpeg(progressive: bool, quality: u8, restart_interval: u16) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, quality);
    encoder.set_progressive(progressive);
    encoder.set_restart_interval(restart_interval);
    encoder.encode(picture(320, 240).as_raw(), 320, 240, ColorType::Rgb).expect("encodes");
    file
}

#[test]
fn sound_frames_decode_to_their_luma() {
    for format in [ImageFormat::Jpeg, ImageFormat::Png] {
        let file = encoded(97, 53, format);
        let mut luma = Luma::default();
        luma.decode(&file).expect("sound");
        let want: Vec<u8> = image::load_from_memory(&file)
            .expect("sound")
            .into_rgb8()
            .pixels()
            .map(|pixel| (0.299 * f32::from(pixel[0]) + 0.587 * f32::from(pixel[1]) + 0.114 * f32::from(pixel[2])).round() as u8)
            .collect();
        assert_eq!((luma.width, luma.height), (97, 53));
        let distance: u64 = luma.pixels.iter().zip(&want).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        assert!(distance < 2 * luma.pixels.len() as u64, "{format:?}: mean difference {}", distance as f64 / luma.pixels.len() as f64);
    }
}

#[test]
fn grey_and_sixteen_bit_pngs_decode() {
    let mut luma = Luma::default();
    for picture in [DynamicImage::new_luma8(9, 4), DynamicImage::new_luma_a8(9, 4), DynamicImage::new_luma16(9, 4), DynamicImage::new_rgba16(9, 4)] {
        let mut file = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut file, ImageFormat::Png).expect("encodes");
        luma.decode(file.get_ref()).expect("sound");
        assert_eq!((luma.width, luma.height, luma.pixels.len()), (9, 4, 36));
    }
}

#[test]
fn every_truncation_is_a_bad_frame() {
    let mut luma = Luma::default();
    for format in [ImageFormat::Jpeg, ImageFormat::Png] {
        let file = encoded(64, 48, format);
        for length in 0..file.len() {
            // A JPEG that has lost only the last byte of its end marker still has no end marker.
            let error = luma.decode(&file[..length]).expect_err("cut off");
            assert!(error.message.starts_with("bad frame: "), "{error}");
            assert!(matches!(error.fault, Fault::Damaged | Fault::Unsupported), "{format:?} cut at {length}: {error:?}");
        }
    }
}

/// Where the entropy-coded data of a baseline JPEG begin.
fn scan_start(jpeg: &[u8]) -> usize {
    let at = jpeg.windows(2).position(|pair| pair == [0xFF, 0xDA]).expect("a scan");
    at + 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]))
}

#[test]
fn data_that_end_early_before_an_end_marker_are_a_bad_frame() {
    let file = encoded(640, 480, ImageFormat::Jpeg);
    let (start, end) = (scan_start(&file), file.len() - 2);
    let mut luma = Luma::default();
    for percent in [0, 10, 50, 90, 99] {
        let kept = start + (end - start) * percent / 100;
        let error = luma.decode(&[&file[..kept], &[0xFF, 0xD9]].concat()).expect_err("cut off, and ended");
        assert!(error.message.starts_with("bad frame: "), "{percent} %: {error}");
    }
    // Part of it lost on the way: the rest follows at once.
    let third = (end - start) / 3;
    luma.decode(&[&file[..start + third], &file[start + 2 * third..]].concat()).expect_err("a third is missing");
    // What follows the end is nobody's business.
    luma.decode(&[&file[..], &[0; 200]].concat()).expect("sound, with something after it");
}

/// 40: a row of blocks, so that a restart interval ends where a scan does.
#[test]
fn sound_progressive_files_decode_to_their_luma() {
    for (quality, restart_interval) in [(80, 0), (95, 0), (95, 40)] {
        let (mut progressive, mut baseline) = (Luma::default(), Luma::default());
        progressive.decode(&jpeg(true, quality, restart_interval)).unwrap_or_else(|error| panic!("quality {quality}, {restart_interval}: {error}"));
        baseline.decode(&jpeg(false, quality, 0)).expect("sound");
        assert_eq!((progressive.width, progressive.height), (320, 240));
        let distance: u64 = progressive.pixels.iter().zip(&baseline.pixels).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        assert!(distance < progressive.pixels.len() as u64, "quality {quality}, {restart_interval}: {distance}");
    }
}

#[test]
fn progressive_data_that_end_early_before_an_end_marker_are_a_bad_frame() {
    let file = jpeg(true, 95, 0);
    let (start, end) = (scan_start(&file), file.len() - 2);
    let mut luma = Luma::default();
    for percent in [0, 1, 10, 25, 50, 75, 90, 95, 99] {
        let kept = start + (end - start) * percent / 100;
        let error = luma.decode(&[&file[..kept], &[0xFF, 0xD9]].concat()).expect_err("cut off, and ended");
        assert!(error.fault == Fault::Damaged && error.message.starts_with("bad frame: "), "{percent} %: {error}");
    }
    // The last scan cut anywhere but in its last bytes: all scans have begun, and only its data tell.
    let last = file.windows(2).rposition(|pair| pair == [0xFF, 0xDA]).expect("scans") + 10;
    for kept in (last..end - 32).step_by(31) {
        luma.decode(&[&file[..kept], &[0xFF, 0xD9]].concat()).expect_err("the last scan is cut off");
    }
    luma.decode(&file).expect("sound");
}

#[test]
fn what_is_sound_but_of_a_rare_kind_is_unsupported() {
    let sound = encoded(16, 16, ImageFormat::Jpeg);
    let mut cmyk = Vec::new();
    Encoder::new(&mut cmyk, 90).encode(&[90; 16 * 16 * 4], 16, 16, ColorType::Cmyk).expect("encodes");
    // Adobe's APP14 with transform 0: three components are RGB.
    let rgb = [&sound[..2], &[0xFF, 0xEE, 0, 14], b"Adobe\0\x64\0\0\0\0\0", &sound[2..]].concat();
    let frame_header = sound.windows(2).position(|pair| pair == [0xFF, 0xC0]).expect("a baseline JPEG");
    let with = |at: usize, byte: u8| {
        let mut file = sound.clone();
        file[frame_header + at] = byte;
        file
    };
    for (file, want) in [(cmyk, "CMYK"), (rgb, "RGB"), (with(1, 0xC9), "arithmetic"), (with(4, 12), "12 bits")] {
        let error = Luma::default().decode(&file).expect_err("of a rare kind");
        assert!(error.fault == Fault::Unsupported && error.message.starts_with("bad frame: ") && error.message.contains(want), "{want}: {error:?}");
    }
}

#[test]
fn what_decoders_say_is_one_line() {
    // A frame header, and a quantisation table that is cut off.
    let file = [0xFF, 0xD8, 0xFF, 0xC0, 0, 11, 8, 0, 8, 0, 8, 1, 1, 0x11, 0, 0xFF, 0xDB, 0, 67, 0, 1, 0xFF, 0xD9];
    let error = Luma::default().decode(&file).expect_err("cut off");
    assert!(error.message.starts_with("bad frame: JPEG does not decode: ") && !error.message.contains('\n'), "{error:?}");
}

/// `file` with EXIF data that say how it lies, in front of all else; in a PNG that is `late`, behind the pixels.
fn lying(file: &[u8], orientation: u8, late: bool) -> Vec<u8> {
    // Big-endian, one entry: orientation (0x0112), SHORT.
    let exif = [b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".as_slice(), &[orientation, 0, 0, 0, 0, 0, 0]].concat();
    if file.starts_with(&[0xFF, 0xD8]) {
        // APP1.
        let exif = [b"Exif\0\0", exif.as_slice()].concat();
        return [&file[..2], &[0xFF, 0xE1], &(exif.len() as u16 + 2).to_be_bytes(), &exif, &file[2..]].concat();
    }
    let chunk = [b"eXIf", exif.as_slice()].concat();
    // Behind the header, or in front of the end.
    let at = if late { file.len() - 12 } else { 33 };
    [&file[..at], &(exif.len() as u32).to_be_bytes(), &chunk, &crc32fast::hash(&chunk).to_be_bytes(), &file[at..]].concat()
}

#[test]
fn a_picture_that_says_how_it_lies_is_turned() {
    let mut grey = std::io::Cursor::new(Vec::new());
    DynamicImage::from(picture(60, 40)).to_luma8().write_to(&mut grey, ImageFormat::Png).expect("encodes");
    for file in [encoded(60, 40, ImageFormat::Jpeg), encoded(60, 40, ImageFormat::Png), grey.into_inner()] {
        let mut upright = Luma::default();
        upright.decode(&file).expect("sound");
        for (orientation, sides) in [(3, (60, 40)), (6, (40, 60)), (8, (40, 60))] {
            let mut luma = Luma::default();
            luma.decode(&lying(&file, orientation, false)).expect("sound");
            assert_eq!((luma.width, luma.height), sides, "orientation {orientation}");
            let first = match orientation {
                3 => upright.pixels[60 * 40 - 1],
                6 => upright.pixels[60 * 39],
                _ => upright.pixels[59],
            };
            assert_eq!(luma.pixels[0], first, "orientation {orientation}");
        }
    }
}

/// A grey picture, all of one grey or, with a seed, noise: as a JPEG.
fn grey_jpeg((width, height): (u16, u16), noise: Option<u32>, set: impl FnOnce(&mut Encoder<&mut Vec<u8>>)) -> Vec<u8> {
    let value = |at: u32| noise.map_or(97, |seed| (at.wrapping_add(seed).wrapping_mul(2_654_435_761) >> 24) as u8);
    let pixels: Vec<u8> = (0..u32::from(width) * u32::from(height)).map(value).collect();
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, 90);
    set(&mut encoder);
    encoder.encode(&pixels, width, height, ColorType::Luma).expect("encodes");
    file
}

/// Rows of blocks of which the decoder has all data before it begins them.
#[test]
fn flat_pictures_are_sound() {
    let mut luma = Luma::default();
    for width in 1..=280 {
        for height in [8, 200] {
            luma.decode(&grey_jpeg((width, height), None, |_| {})).unwrap_or_else(|error| panic!("{width}x{height}: {error}"));
            assert!(luma.pixels.iter().all(|grey| grey.abs_diff(97) <= 2), "{width}x{height}");
        }
    }
}

/// 4:4:0 too, as JPEGs turned without loss have it.
#[test]
fn luma_is_the_same_however_chroma_is_sampled() {
    let wanted = DynamicImage::from(picture(150, 90)).to_luma8().into_raw();
    for sampling in [SamplingFactor::R_4_4_4, SamplingFactor::R_4_2_2, SamplingFactor::R_4_2_0, SamplingFactor::R_4_4_0] {
        for progressive in [false, true] {
            let mut file = Vec::new();
            let mut encoder = Encoder::new(&mut file, 95);
            encoder.set_sampling_factor(sampling);
            encoder.set_progressive(progressive);
            // Grey, so that nothing is lost with the chroma.
            let pixels: Vec<u8> = wanted.iter().flat_map(|&grey| [grey; 3]).collect();
            encoder.encode(&pixels, 150, 90, ColorType::Rgb).expect("encodes");
            let mut luma = Luma::default();
            luma.decode(&file).unwrap_or_else(|error| panic!("{sampling:?}: {error}"));
            let distance: u64 = luma.pixels.iter().zip(&wanted).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
            assert!(distance < 3 * wanted.len() as u64, "{sampling:?}, progressive {progressive}: mean difference {}", distance as f64 / wanted.len() as f64);
        }
    }
}

proptest! {
    /// Of a flat picture the loss of any byte is noticed, of noise that of more than a block (64 coefficients of 26 bits at most).
    #[test]
    fn whole_pictures_decode_and_cut_ones_do_not(
        sides in (8..260u16, 8..260u16),
        noise in prop::option::of(any::<u32>()),
        // The encoder does not do both.
        (optimised, restart_interval) in prop_oneof![Just((false, 0u16)), Just((true, 0)), (1..40u16).prop_map(|interval| (false, interval))],
        lost in 0.0..1.0f64,
    ) {
        let file = grey_jpeg(sides, noise, |encoder| {
            encoder.set_optimized_huffman_tables(optimised);
            encoder.set_restart_interval(restart_interval);
        });
        let mut luma = Luma::default();
        luma.decode(&file).expect("whole");
        prop_assert_eq!((luma.width, luma.height), (usize::from(sides.0), usize::from(sides.1)));
        let (start, end) = (scan_start(&file), file.len() - 2);
        let least = noise.map_or(1, |_| 64 * 26 / 8).min(end - start);
        let kept = end - least - ((end - start - least) as f64 * lost) as usize;
        let error = luma.decode(&[&file[..kept], &[0xFF, 0xD9]].concat()).expect_err("cut off, and ended");
        prop_assert!(error.fault == Fault::Damaged && error.message.starts_with("bad frame: "), "{} of {} kept: {}", kept - start, end - start, error);
        let progressive = grey_jpeg(sides, noise, |encoder| encoder.set_progressive(true));
        luma.decode(&progressive).expect("whole, progressive");
    }

    /// Boxes are found on the one and drawn on the other.
    #[test]
    fn luma_and_picture_have_the_same_sides(sides in (1..90u32, 1..90u32), orientation in 0..10u8, jpeg in any::<bool>(), late in any::<bool>()) {
        let file = lying(&encoded(sides.0, sides.1, if jpeg { ImageFormat::Jpeg } else { ImageFormat::Png }), orientation, late);
        let mut luma = Luma::default();
        luma.decode(&file).expect("sound");
        let picture = Picture::decode(&file).expect("sound");
        prop_assert_eq!((luma.width as u32, luma.height as u32), picture.pixels.dimensions());
    }
}

/// A JPEG and a PNG whose headers declare 20,000 x 20,000 pixels.
fn declaring_20000x20000() -> [Vec<u8>; 2] {
    let mut jpeg = encoded(16, 16, ImageFormat::Jpeg);
    let frame_header = jpeg.windows(2).position(|pair| pair == [0xFF, 0xC0]).expect("a baseline JPEG");
    jpeg[frame_header + 5..frame_header + 9].copy_from_slice(&[0x4E, 0x20, 0x4E, 0x20]);
    let mut png = encoded(16, 16, ImageFormat::Png);
    png[16..24].copy_from_slice(&[0, 0, 0x4E, 0x20, 0, 0, 0x4E, 0x20]);
    let crc = crc32fast::hash(&png[12..29]);
    png[29..33].copy_from_slice(&crc.to_be_bytes());
    [jpeg, png]
}

#[test]
fn absurd_sizes_are_refused_by_their_header() {
    for file in declaring_20000x20000() {
        let error = Luma::default().decode(&file).expect_err("20,000 x 20,000");
        assert_eq!(error.fault, Fault::Limit, "{error}");
        assert!(error.message.contains("20000x20000"), "{error}");
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..2_000), magic in 0..3usize) {
        let start: &[u8] = [&[][..], &[0xFF, 0xD8, 0xFF, 0xE0], &[0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A]][magic];
        let _ = Luma::default().decode(&[start, &bytes].concat());
    }

    #[test]
    fn no_flipped_bits_panic(flips in prop::collection::vec((0..10_000usize, 0..8u8), 1..12), jpeg in any::<bool>()) {
        let mut file = encoded(40, 30, if jpeg { ImageFormat::Jpeg } else { ImageFormat::Png });
        for (at, bit) in flips {
            let at = at % file.len();
            file[at] ^= 1 << bit;
        }
        let _ = Luma::default().decode(&file);
    }
}

/// One bit of the Huffman tables of a JPEG, the second of a PNG's header, turned over.
fn bit_flipped(format: ImageFormat) -> Vec<u8> {
    let mut file = encoded(320, 240, format);
    let at = match format {
        ImageFormat::Jpeg => 4 + file.windows(2).position(|pair| pair == [0xFF, 0xC4]).expect("a Huffman table"),
        _ => 17,
    };
    file[at] ^= 1 << 4;
    file
}

/// Hostile paths of every kind in a fresh folder, and sound pictures between them: path, and what the error must say (nothing: it is read).
fn hostile(folder: &Path) -> Vec<(PathBuf, &'static str)> {
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        std::fs::File::create(&path).and_then(|mut file| file.write_all(bytes)).expect("writes");
        path
    };
    let directory = |name: &str| {
        std::fs::create_dir(folder.join(name)).expect("creates");
        folder.join(name)
    };
    let jpeg = encoded(320, 240, ImageFormat::Jpeg);
    let [huge_jpeg, huge_png] = declaring_20000x20000();
    let fifo = folder.join("pipe.jpg");
    assert!(Command::new("mkfifo").arg(&fifo).status().expect("mkfifo").success());
    let locked = write("no-permission.jpg", &jpeg);
    std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o0)).expect("changes its mode");
    let too_long = write("too-long.jpg", b"");
    std::fs::File::options().write(true).open(&too_long).and_then(|file| file.set_len(MAX_BYTES + 1)).expect("a file of nothing");
    vec![
        (write("empty.jpg", b""), "bad frame: is empty"),
        (too_long, "bad frame: 67108865 bytes, more than the limit of 67108864"),
        (write("sound.jpg", &jpeg), ""),
        (write("truncated.jpg", &jpeg[..jpeg.len() / 2]), "bad frame: JPEG ends at byte"),
        (write("truncated.png", &encoded(320, 240, ImageFormat::Png)[..200]), "bad frame: PNG does not decode"),
        (write("bit-flipped.jpg", &bit_flipped(ImageFormat::Jpeg)), "bad frame: JPEG does not decode"),
        (write("bit-flipped.png", &bit_flipped(ImageFormat::Png)), "bad frame: PNG does not decode"),
        (write("1x1.png", &encoded(1, 1, ImageFormat::Png)), ""),
        (write("1x1.jpg", &encoded(1, 1, ImageFormat::Jpeg)), ""),
        (write("20000x20000.jpg", &huge_jpeg), "bad frame: declares 20000x20000 pixels, more than the limit"),
        (write("20000x20000.png", &huge_png), "bad frame: declares 20000x20000 pixels, more than the limit"),
        (write("wrong-extension.jpg", &encoded(320, 240, ImageFormat::Png)), ""),
        (directory("directory.jpg"), "is a folder with no .jpg, .jpeg or .png"),
        (fifo, "is not a regular file"),
        (locked, "Permission denied"),
        (write("text.jpg", b"not a picture at all"), "bad frame: is neither a JPEG nor a PNG"),
        (folder.join("missing.jpg"), "No such file"),
        (folder.join("nothing-*.jpg"), "matches no file"),
        (write("last.jpg", &jpeg), ""),
    ]
}

/// `garita`, as a user whom file permissions bind: the superuser may read anything, so it becomes nobody.
fn garita(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_garita"));
    if rustix::process::getuid().is_root() {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).expect("changes its mode");
        command.uid(65_534).gid(65_534);
    }
    command
}

#[test]
fn bad_files_are_lines_and_the_run_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = hostile(folder.path());
    let output = garita(folder.path()).arg("read").arg("--json").args(files.iter().map(|(path, _)| path)).output().expect("runs");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = lines(&output);
    assert_eq!(lines.len(), files.len());
    for (line, (path, want)) in lines.iter().zip(&files) {
        assert_eq!(line["image"], path.display().to_string());
        match line["error"].as_str() {
            // "bad frame" is said of what is in a file, and of nothing else.
            Some(error) => assert!(
                !want.is_empty() && error.contains(want) && error.starts_with("bad frame: ") == want.starts_with("bad frame: "),
                "{}: {error}",
                path.display()
            ),
            None => assert!(want.is_empty() && line["width"].is_u64(), "{}: no error", path.display()),
        }
    }
}

#[test]
fn what_a_drawing_cannot_be_written_over_is_read_all_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let picture = folder.path().join("sound.png");
    std::fs::write(&picture, encoded(320, 240, ImageFormat::Png)).expect("writes");
    let drawings = folder.path().join("drawings");
    let name = picture.display().to_string().replace('/', "+");
    std::fs::create_dir_all(drawings.join(format!("{name}.plates.jpg"))).expect("a folder where the drawing would go");
    let output = Command::new(env!("CARGO_BIN_EXE_garita")).args(["read", "--json", "--draw"]).arg(&drawings).arg(&picture).output().expect("runs");
    let line: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one line");
    assert_eq!((output.status.code(), &line["width"]), (Some(1), &320.into()), "{line}");
    assert!(line["error"].as_str().expect("an error").contains(".plates.jpg cannot be written"), "{line}");
}

/// The lines of `garita read --json`.
fn lines(output: &std::process::Output) -> Vec<serde_json::Value> {
    output.stdout.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).map(|line| serde_json::from_slice(line).expect("JSON")).collect()
}

#[test]
fn every_picture_has_its_own_name_and_drawing() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("a")).expect("a folder");
    let names = [OsStr::new("a/b.png"), OsStr::new("a_b.png"), OsStr::from_bytes(b"\xff\xfea.png"), OsStr::from_bytes(b"\xfe\xffa.png")];
    for name in names {
        std::fs::write(folder.path().join(name), encoded(64, 48, ImageFormat::Png)).expect("writes");
    }
    let output =
        Command::new(env!("CARGO_BIN_EXE_garita")).current_dir(&folder).args(["read", "--json", "--draw", "drawings"]).args(names).output().expect("runs");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let images: Vec<_> = lines(&output).iter().map(|line| line["image"].as_str().expect("a text").to_owned()).collect();
    assert_eq!(images, ["a/b.png", "a_b.png", r"\xff\xfea.png", r"\xfe\xffa.png"]);
    let mut drawings: Vec<_> = std::fs::read_dir(folder.path().join("drawings")).expect("drawings").map(|file| file.expect("a file").file_name()).collect();
    drawings.sort();
    assert_eq!(drawings, ["%FE%FFa.png.plates.jpg", "%FF%FEa.png.plates.jpg", "a+b.png.plates.jpg", "a_b.png.plates.jpg"]);
}

/// What cannot be looked into is a line; links to folders are followed, each folder once; a glob's folders are as those given by name.
#[test]
fn no_file_of_a_folder_or_glob_is_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    for name in ["globbed/locked", "globbed/open", "mix/own", "real"] {
        std::fs::create_dir_all(at(name)).expect("a folder");
    }
    for name in ["globbed/open/a.png", "mix/own/a.png", "real/b.png"] {
        std::fs::write(at(name), encoded(64, 48, ImageFormat::Png)).expect("writes");
    }
    std::fs::write(at("mix/own/note.txt"), "not a picture").expect("writes");
    for (link, to) in [("mix/cam1", "../real"), ("mix/cam2", "../real"), ("mix/gone", "../nowhere"), ("mix/loop", "."), ("mix/own/up", "..")] {
        symlink(to, at(link)).expect("a link");
    }
    let raw = |name: &[u8]| folder.path().join(OsStr::from_bytes(name));
    std::fs::create_dir_all(raw(b"raw/\xfe")).expect("a folder");
    for name in [b"raw/a.png".as_slice(), b"raw/b\xff.png", b"raw/\xfe/c.png"] {
        std::fs::write(raw(name), encoded(64, 48, ImageFormat::Png)).expect("writes");
    }
    let mode = |mode: u32| std::fs::set_permissions(at("globbed/locked"), std::fs::Permissions::from_mode(mode)).expect("changes its mode");
    mode(0o0);
    let globs =
        [at("globbed/*/*.png"), at("mix"), at("mi[x]"), at("raw/*.png"), at("raw/?/c.png"), raw(b"raw/\xfe/[c].png"), at("raw/**/*.png"), at("m*x/**/b*")];
    let output = garita(folder.path()).args(["read", "--json"]).args(globs).output().expect("runs");
    mode(0o755);
    let said: Vec<(String, String)> =
        lines(&output).iter().map(|line| (line["image"].as_str().expect("a text").to_owned(), line["error"].as_str().unwrap_or_default().to_owned())).collect();
    let mix = [("mix/cam1/b.png", ""), ("mix/gone", "No such file or directory"), ("mix/own/a.png", "")];
    let (a, b, c) = (("raw/a.png", ""), (r"raw/b\xff.png", ""), (r"raw/\xfe/c.png", ""));
    let want: Vec<(String, String)> = [("globbed/locked", "Permission denied"), ("globbed/open/a.png", "")]
        .into_iter()
        .chain(mix)
        .chain(mix)
        // By each glob in its turn: bytes that are not UTF-8 are matched, and links below `**` are followed once.
        .chain([a, b, c, c, a, b, c, mix[0]])
        .map(|(name, error)| (at(name).display().to_string(), error.to_owned()))
        .collect();
    assert_eq!((output.status.code(), said), (Some(1), want), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn names_do_not_steer_the_terminal() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("\u{1b}[31m\n.png"), "no picture").expect("writes");
    let output = Command::new(env!("CARGO_BIN_EXE_garita")).current_dir(&folder).args(["read", "."]).output().expect("runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.starts_with(r"./\x1b[31m\x0a.png: bad frame") && said.lines().count() == 1 && !said.contains('\u{1b}'), "{said:?}");
}

/// What nobody reads any more is not looked at.
#[test]
fn a_reader_that_has_seen_enough_ends_the_run() {
    const PICTURES: usize = 300;
    let folder = tempfile::tempdir().expect("a folder");
    let (picture, drawings) = (folder.path().join("sound.png"), folder.path().join("drawings"));
    std::fs::write(&picture, encoded(64, 48, ImageFormat::Png)).expect("writes");
    std::fs::create_dir(folder.path().join("links")).expect("a folder");
    for number in 0..PICTURES {
        symlink(&picture, folder.path().join(format!("links/{number:03}.png"))).expect("a link");
    }
    let mut child = Command::new(env!("CARGO_BIN_EXE_garita"))
        .args(["read", "--threads", "1", "--draw"])
        .args([&drawings, &folder.path().join("links")])
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut first = String::new();
    BufReader::new(child.stdout.take().expect("its output")).read_line(&mut first).expect("a line");
    assert_eq!((child.wait().expect("ends").code(), first.contains("000.png: ")), (Some(0), true), "{first}");
    let drawn = std::fs::read_dir(drawings).expect("drawings").count();
    assert!(drawn < PICTURES / 2, "{drawn} of {PICTURES} pictures were looked at");
}

#[test]
fn threads_have_a_limit_and_are_never_more_than_pictures() {
    for (command, threads) in [("read", "0"), ("read", "100000"), ("demo", "257"), ("read", "many")] {
        let mut garita = Command::new(env!("CARGO_BIN_EXE_garita"));
        garita.args([command, "--threads", threads]);
        let output = if command == "read" { garita.arg("x.png").output() } else { garita.output() }.expect("runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("--threads") && (threads == "many" || said.contains("1..=256")), "{said}");
    }
    let picture = tempfile::Builder::new().suffix(".png").tempfile().expect("a file");
    std::fs::write(picture.path(), encoded(320, 240, ImageFormat::Png)).expect("writes");
    let mut child =
        Command::new(env!("CARGO_BIN_EXE_garita")).args(["read", "--threads", "256"]).arg(picture.path()).stdout(Stdio::null()).spawn().expect("starts");
    let mut most = 0;
    while child.try_wait().expect("runs").is_none() {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let threads = status.lines().find_map(|line| line.strip_prefix("Threads:")?.trim().parse::<usize>().ok());
        most = most.max(threads.unwrap_or_default());
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    assert!(child.wait().expect("ends").success() && most > 0 && most < 16, "{most} threads");
}

#[test]
fn entries_that_are_not_sought_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let (picture, list) = (folder.path().join("sound.png"), folder.path().join("list.csv"));
    std::fs::write(&picture, encoded(320, 240, ImageFormat::Png)).expect("writes");
    let good: String = (0..200).map(|number| format!("AB{number:04}C,US-TX,stolen,5,reported\n")).collect();
    std::fs::write(&list, format!("plate,jurisdiction,list,priority,reason\n{good}076CHZ,ZZ-99,stolen,5,reported\n")).expect("writes");
    let output = Command::new(env!("CARGO_BIN_EXE_garita")).arg("read").arg(&picture).arg("--watchlist").arg(&list).output().expect("runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("NOT sought: line 202") && said.contains("ZZ-99"), "{said}");
}

#[test]
fn a_missing_library_is_one_clear_sentence() {
    let picture = tempfile::Builder::new().suffix(".jpg").tempfile().expect("a file");
    std::fs::write(picture.path(), encoded(32, 32, ImageFormat::Jpeg)).expect("writes");
    let output =
        Command::new(env!("CARGO_BIN_EXE_garita")).arg("read").arg(picture.path()).env("ORT_DYLIB_PATH", "/nowhere/libonnxruntime.so").output().expect("runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(said.lines().count() == 1 && said.contains("ORT_DYLIB_PATH") && said.contains("cargo xtask runtime"), "{said}");
}

#[test]
fn a_library_without_its_functions_is_one_clear_sentence() {
    let folder = tempfile::tempdir().expect("a folder");
    let (source, library, picture) = (folder.path().join("fake.c"), folder.path().join("libfake.so"), folder.path().join("sound.png"));
    let code = r#"
        static const void *api(unsigned version) { return 0; }
        static const char *version(void) { return "1.99.0"; }
        static const struct { const void *(*api)(unsigned); const char *(*version)(void); } base = { api, version };
        const void *OrtGetApiBase(void) { return &base; }"#;
    std::fs::write(&source, code).expect("writes");
    std::fs::write(&picture, encoded(32, 32, ImageFormat::Png)).expect("writes");
    // What links this test too.
    assert!(Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).status().expect("a C compiler").success());
    let output = Command::new(env!("CARGO_BIN_EXE_garita")).arg("read").arg(&picture).env("ORT_DYLIB_PATH", &library).output().expect("runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.lines().count() == 1 && said.contains("libfake.so") && said.contains("lacks functions") && said.contains("ORT_DYLIB_PATH"), "{said}");
}
