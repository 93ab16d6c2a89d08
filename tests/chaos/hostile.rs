//! R5-R7: hostile bytes through the real doors. Each gets a clear 4xx, none ends or stops the server, the originals lie in quarantine.

use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

use super::camera::{Connection, Reply, pictures, testdata};
use super::number;
use super::server::{Server, Site};

/// No single answer may take longer, milliseconds. One second is what the long form asks for, on a quiet machine; a test that others run beside only knows hangs.
fn hang() -> Duration {
    Duration::from_millis(number("GARITA_HANG_MS", 20_000))
}

/// A server, one connection to it, and what it took at worst.
pub(super) struct Victim {
    pub(super) server: Server,
    connection: Connection,
    next: u64,
    worst: Duration,
    at_first_kib: u64,
}

impl Victim {
    pub(super) fn new(site: &Site) -> Victim {
        let server = site.start();
        let connection = Connection::open(server.address).expect("connects");
        let mut victim = Victim { server, connection, next: 0, worst: Duration::ZERO, at_first_kib: 0 };
        pictures("single-").iter().for_each(|picture| assert_eq!(victim.post(picture).status, 201));
        victim.at_first_kib = victim.server.rss_kib();
        victim
    }

    fn post(&mut self, bytes: &[u8]) -> Reply {
        let key = (self.next + 1).to_string();
        self.send("/v1/lanes/lane-0/frames", &[("idempotency-key", &key)], bytes)
    }

    /// Posts anything anywhere; it must be answered in time.
    pub(super) fn send(&mut self, path: &str, headers: &[(&str, &str)], bytes: &[u8]) -> Reply {
        self.next += 1;
        let (begun, number) = (Instant::now(), self.next);
        let reply = self.connection.request("POST", path, headers, bytes);
        let reply = reply.unwrap_or_else(|error| panic!("request {number}, {path}, {} bytes: {error}", bytes.len()));
        self.worst = self.worst.max(begun.elapsed());
        assert!(begun.elapsed() < hang(), "request {number}, {path}, {} bytes took {:?}", bytes.len(), begun.elapsed());
        reply
    }

    /// A connection anew: who is refused before everything was read is hung up on.
    pub(super) fn connect(&mut self) {
        self.connection = Connection::open(self.server.address).expect("connects");
    }

    /// Posts what may or may not be a picture: 201, or a 4xx that says why. True where it was taken.
    fn try_on(&mut self, bytes: &[u8]) -> bool {
        let reply = self.post(bytes);
        match reply.status {
            201 => true,
            400..500 => {
                reply.assert_problem();
                false
            }
            status => panic!("{status}: {}", reply.text()),
        }
    }

    /// That it lives, and has not grown by more than `mib`.
    pub(super) fn survived(&mut self, site: &Site, mib: u64) {
        let grown = self.server.rss_kib().saturating_sub(self.at_first_kib) >> 10;
        println!("{} requests, the slowest answer after {:?}, memory grew by {grown} MiB", self.next, self.worst);
        assert!(self.server.runs() && !site.log().contains("panicked"), "{}", site.log());
        assert_eq!(self.server.get("/readyz").status, 200);
        assert_eq!(self.post(&pictures("single-")[0]).status, 201);
        assert!(grown < mib, "memory grew by {grown} MiB");
    }
}

#[test]
fn truncated_frames_are_refused_and_quarantined() {
    // Every one of them by hand: 1.
    let step = number("GARITA_TRUNCATION_STEP", 211) as usize;
    let site = Site::new(1, "");
    let mut victim = Victim::new(&site);
    let (mut refused, mut cut) = (0, Vec::new());
    let whole = pictures("");
    let files = small().into_iter().map(|file| (file, step)).chain(whole.into_iter().take(20).map(|file| {
        let step = file.len() / 4;
        (file, step)
    }));
    for (file, step) in files {
        // The last byte too: without it the end is not whole.
        for length in (0..file.len()).step_by(step).chain([file.len() - 2, file.len() - 1]) {
            assert!(!victim.try_on(&file[..length]), "cut at {length} of {}", file.len());
            refused += 1;
            cut.push(file[..length].to_vec());
        }
    }
    assert_eq!(victim.server.counts(), [8, 0, refused]);
    let kept = |original: &Vec<u8>| {
        let digest = garita::custody::evidence::sha256(original);
        let name = garita::custody::evidence::hex(&digest)[..12].to_owned();
        std::fs::read_dir(site.data.join("quarantine"))
            .expect("a quarantine")
            .filter_map(|file| Some(file.ok()?.path()))
            .any(|path| path.to_str().is_some_and(|path| path.contains(&name)) && std::fs::read(&path).is_ok_and(|bytes| &bytes == original))
    };
    // The originals, so far as they are small enough to be looked for here.
    for original in cut.iter().rev().take(40) {
        assert!(kept(original), "a refused frame of {} bytes is not in quarantine", original.len());
    }
    victim.survived(&site, 64);
}

/// Twenty small pictures, JPEG and PNG, small enough to be cut everywhere.
fn small() -> Vec<Vec<u8>> {
    let frame = image::load_from_memory(&pictures("single-")[0]).expect("a picture");
    (0..20u32)
        .map(|number| {
            let crop = frame.crop_imm(40 * number, 300, 48 + number, 32);
            let crop = if number % 2 == 0 { crop } else { image::DynamicImage::from(crop.into_luma8()) };
            let mut file = std::io::Cursor::new(Vec::new());
            crop.write_to(&mut file, if number < 12 { image::ImageFormat::Jpeg } else { image::ImageFormat::Png }).expect("encodes");
            file.into_inner()
        })
        .collect()
}

#[test]
fn mutated_frames_harm_nothing() {
    let (rounds, seed) = (number("GARITA_MUTATIONS", 600), number("GARITA_CHAOS_SEED", 20_261_124));
    println!("{rounds} mutations, seed {seed}: GARITA_MUTATIONS, GARITA_CHAOS_SEED");
    let mut dice = Pcg64::seed_from_u64(seed);
    let mut originals = pictures("");
    for folder in std::fs::read_dir(testdata().join("hostile")).expect("testdata") {
        for file in std::fs::read_dir(folder.expect("testdata").path()).expect("testdata") {
            originals.push(std::fs::read(file.expect("testdata").path()).expect("testdata"));
        }
    }
    let site = Site::new(1, "");
    let mut victim = Victim::new(&site);
    let mut taken = 0;
    for _ in 0..rounds {
        let mut bytes = originals[dice.random_range(0..originals.len())].clone();
        mutate(&mut bytes, &originals, &mut dice);
        taken += u64::from(victim.try_on(&bytes));
    }
    assert_eq!(victim.server.counts(), [8 + taken, 0, rounds - taken]);
    println!("{taken} of {rounds} were pictures still");
    victim.survived(&site, 160);
}

/// One to four changes: bits, bytes, pieces out, pieces twice, pieces of other files, lengths.
pub(super) fn mutate(bytes: &mut Vec<u8>, others: &[Vec<u8>], dice: &mut Pcg64) {
    for _ in 0..dice.random_range(1..=4) {
        if bytes.len() < 4 {
            bytes.extend([0xFF, 0xD8, 0xFF, 0xD9]);
        }
        // Most of what is interesting stands in front.
        let front = if dice.random_range(0..2) == 0 { bytes.len().min(1_000) } else { bytes.len() };
        let at = dice.random_range(0..front);
        let end = (at + dice.random_range(1..2_000)).min(bytes.len());
        match dice.random_range(0..6) {
            0 => bytes[at] ^= 1 << dice.random_range(0..8),
            1 => bytes[at] = [0x00, 0xFF, 0x7F, 0x80][dice.random_range(0..4)],
            2 => drop(bytes.drain(at..end)),
            3 => {
                let twice = bytes[at..end].to_vec();
                bytes.splice(at..at, twice);
            }
            4 => {
                let other = &others[dice.random_range(0..others.len())];
                let from = dice.random_range(0..=other.len());
                bytes.splice(at..end, other[from..(from + end - at).min(other.len())].iter().copied());
            }
            _ => {
                let word = dice.random::<u16>().to_be_bytes();
                bytes.iter_mut().skip(at).zip(word).for_each(|(byte, new)| *byte = new);
            }
        }
    }
}

/// A PNG of these chunks.
fn png(chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut file = vec![0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A];
    for (name, data) in chunks {
        let body = [name.as_slice(), data].concat();
        file.extend((data.len() as u32).to_be_bytes());
        file.extend(&body);
        file.extend(crc32fast::hash(&body).to_be_bytes());
    }
    file
}

fn header(width: u32, height: u32) -> Vec<u8> {
    [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat()
}

/// Zlib data of `megabytes` of zeros: some thousandth of that.
fn zeros(megabytes: usize) -> Vec<u8> {
    // Stored by an encoder that is in the tree for pictures: a grey PNG's IDAT is plain zlib data.
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, 1 << 10, (megabytes << 10) as u32);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    let mut writer = encoder.write_header().expect("writes");
    writer.write_image_data(&vec![0; megabytes << 20]).expect("writes");
    writer.finish().expect("writes");
    let (mut at, mut data) = (8, Vec::new());
    while at + 8 <= file.len() {
        let length = u32::from_be_bytes(file[at..at + 4].try_into().expect("four bytes")) as usize;
        if &file[at + 4..at + 8] == b"IDAT" {
            data.extend(&file[at + 8..at + 8 + length]);
        }
        at += 12 + length;
    }
    data
}

#[test]
fn bombs_cost_little() {
    let much = zeros(64);
    let end = (b"IEND", Vec::new());
    let profile = [b"bomb\0\0".as_slice(), &much].concat();
    let bombs = [
        ("declares 60,000 x 60,000", png(&[(b"IHDR", header(60_000, 60_000)), (b"IDAT", much.clone()), end.clone()])),
        ("declares 16,000 x 16,000", png(&[(b"IHDR", header(16_000, 16_000)), (b"IDAT", much.clone()), end.clone()])),
        ("declares 2 x 2, has 64 MB", png(&[(b"IHDR", header(2, 2)), (b"IDAT", much.clone()), end.clone()])),
        ("a profile of 64 MB", png(&[(b"IHDR", header(2, 2)), (b"iCCP", profile.clone()), (b"IDAT", zeros(1)), end.clone()])),
        ("a text of 64 MB", png(&[(b"IHDR", header(2, 2)), (b"zTXt", profile), (b"IDAT", zeros(1)), end.clone()])),
        (
            "a hundred thousand chunks",
            png(&[vec![(b"IHDR", header(2, 2))], vec![(b"tEXt", b"a\0b".to_vec()); 100_000], vec![(b"IDAT", zeros(1)), end]].concat()),
        ),
        ("JPEG with 2,000 scans", scans(2_000)),
    ];
    let site = Site::new(1, "");
    let mut victim = Victim::new(&site);
    for (name, bomb) in bombs {
        let (before, begun) = (victim.server.rss_kib(), Instant::now());
        let taken = victim.try_on(&bomb);
        println!(
            "{name}, {} KB: {}, {:?}, {} KiB more",
            bomb.len() / 1_000,
            if taken { "taken" } else { "refused" },
            begun.elapsed(),
            victim.server.rss_kib() as i64 - before as i64
        );
    }
    victim.survived(&site, 200);
}

/// A JPEG whose one scan comes `times` times.
fn scans(times: usize) -> Vec<u8> {
    let jpeg = pictures("lane000-").swap_remove(1);
    let scan = jpeg.windows(2).position(|pair| pair == [0xFF, 0xDA]).expect("a scan");
    let (head, tail) = jpeg.split_at(scan);
    let one = [&tail[..tail.len().min(2_000)]].concat();
    [head, &one.repeat(times), &[0xFF, 0xD9]].concat()
}

#[test]
fn the_largest_frames_are_taken_or_refused() {
    let site = Site::new(1, "");
    let mut victim = Victim::new(&site);
    let reply = victim.post(&vec![0xFF; (16 << 20) - 1]);
    assert_eq!(reply.status, 415, "{}", reply.text());
    // Declared too long, and too long without saying so.
    for chunked in [false, true] {
        let mut connection = Connection::open(victim.server.address).expect("connects");
        let head = if chunked { "transfer-encoding: chunked".to_owned() } else { format!("content-length: {}", 17 << 20) };
        let sent = connection.send(format!("POST /v1/lanes/lane-0/frames HTTP/1.1\r\nhost: garita\r\n{head}\r\n\r\n").as_bytes());
        assert!(sent.is_ok());
        let piece = vec![0x55; 1 << 20];
        for _ in 0..17 {
            let framed = if chunked { [b"100000\r\n".as_slice(), &piece, b"\r\n"].concat() } else { piece.clone() };
            // It may hang up before everything is sent.
            if connection.send(&framed).is_err() {
                break;
            }
        }
        if let Ok(reply) = connection.reply() {
            reply.assert_problem();
            assert_eq!(reply.status, 413, "{}", reply.text());
        }
    }
    assert_eq!(victim.server.counts()[2], 3, "each was counted");
    victim.survived(&site, 128);
}

#[test]
fn garbage_http_is_answered_or_hung_up_on() {
    let site = Site::new(1, "[limits]\nbody_timeout_s = 2\nfree_bytes = \"24 MiB\"");
    let mut victim = Victim::new(&site);
    let long = "a".repeat(200_000);
    let garbage: Vec<Vec<u8>> = vec![
        b"\0\0\0\0\0\0\0\0\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(),
        b"GET\r\n\r\n".to_vec(),
        b"GET / HTTP/9.9\r\n\r\n".to_vec(),
        b"BREW /pot HTTP/1.1\r\nhost: x\r\n\r\n".to_vec(),
        format!("GET /{long} HTTP/1.1\r\nhost: x\r\n\r\n").into_bytes(),
        format!("GET / HTTP/1.1\r\nhost: x\r\nx: {long}\r\n\r\n").into_bytes(),
        format!("GET / HTTP/1.1\r\nhost: x\r\n{}\r\n", "a: b\r\n".repeat(2_000)).into_bytes(),
        b"POST /v1/lanes/lane-0/frames HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n".to_vec(),
        b"POST /v1/lanes/lane-0/frames HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999999999\r\n\r\n".to_vec(),
        b"POST /v1/lanes/lane-0/frames HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd".to_vec(),
        b"POST /v1/lanes/lane-0/frames HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".to_vec(),
        b"POST /v1/lanes/lane-0/frames HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n".to_vec(),
        b"POST /v1/lanes/lane-0/frames HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff1\r\n".to_vec(),
    ];
    for bytes in &garbage {
        let mut connection = Connection::open(victim.server.address).expect("connects");
        let _ = connection.send(bytes);
        // A 4xx (or 5xx for what it does not know), or the end; never silence.
        if let Ok(reply) = connection.reply() {
            assert!((400..=505).contains(&reply.status), "{:?}: {}", String::from_utf8_lossy(&bytes[..bytes.len().min(60)]), reply.status);
        }
    }
    victim.connection = Connection::open(victim.server.address).expect("connects");
    victim.survived(&site, 64);
}

#[test]
fn wrong_requests_say_what_is_wrong() {
    let site = Site::new(1, "");
    let mut victim = Victim::new(&site);
    let picture = pictures("single-").swap_remove(0);
    let frames = "/v1/lanes/lane-0/frames";
    let form = |part: &str| [format!("--B\r\n{part}\r\n\r\n").as_bytes(), &picture, b"\r\n--B--\r\n"].concat();
    let upload = form("content-disposition: form-data; name=\"upload\"; filename=\"a.jpg\"");
    let elsewhere = form("content-disposition: form-data; name=\"other\"");
    let image = form("content-disposition: form-data; name=\"image\"; filename=\"a.jpg\"");
    let long = &format!("sha-512=:{}==:", "A".repeat(86))[..];
    let multipart = ("content-type", "multipart/form-data; boundary=B");
    let shouted = ("content-type", "Multipart/Form-Data; Boundary=B");
    type Case<'case> = (u16, &'case str, &'case str, Vec<(&'case str, &'case str)>, &'case [u8]);
    let cases: Vec<Case<'_>> = vec![
        (404, "POST", "/v1/lanes/nowhere/frames", vec![], &picture),
        (404, "POST", "/v1/nothing", vec![], &picture),
        (405, "GET", frames, vec![], b""),
        (405, "DELETE", frames, vec![], b""),
        (400, "POST", frames, vec![("garita-captured-at", "yesterday")], &picture),
        (400, "POST", frames, vec![("garita-sequence", "-1")], &picture),
        // One more than the store can count.
        (400, "POST", frames, vec![("garita-sequence", "9223372036854775808")], &picture),
        (201, "POST", frames, vec![("garita-sequence", "9223372036854775807")], &picture),
        (201, "POST", frames, vec![("garita-captured-at", "-9223372036854775808")], &picture),
        (201, "POST", frames, vec![("garita-captured-at", "9223372036854775807")], &picture),
        (400, "POST", frames, vec![("idempotency-key", "")], &picture),
        (400, "POST", frames, vec![("content-digest", "sha-256=:AAAA:")], &picture),
        (400, "POST", frames, vec![("content-digest", "nonsense")], &picture),
        (400, "POST", frames, vec![("content-digest", "md5=:1B2M2Y8AsgTpgAmY7PhCfg==:")], &picture),
        (422, "POST", frames, vec![("content-digest", long)], &picture),
        (422, "POST", frames, vec![("repr-digest", "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:")], &picture),
        (422, "POST", frames, vec![("repr-digest", long)], &picture),
        (422, "POST", frames, vec![multipart, ("repr-digest", long)], &upload),
        (422, "POST", frames, vec![("content-digest", "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:")], &picture),
        (422, "POST", frames, vec![], b""),
        (415, "POST", frames, vec![("content-type", "text/html")], b"<html>no picture</html>"),
        (415, "POST", frames, vec![("content-type", "application/json")], b"{}"),
        (400, "POST", frames, vec![multipart], b"no form at all"),
        (400, "POST", frames, vec![multipart], &elsewhere),
        (400, "POST", frames, vec![("content-type", "multipart/form-data")], &upload),
        (422, "POST", frames, vec![multipart, ("content-digest", "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:")], &upload),
        (201, "POST", frames, vec![multipart], &upload),
        (201, "POST", frames, vec![multipart], &image),
        (201, "POST", frames, vec![shouted], &image),
        (400, "POST", "/v1/plate-reader/", vec![multipart], &upload),
        (400, "POST", "/v1/plate-reader/", vec![("content-type", "application/json")], b"{}"),
    ];
    let (mut accepted, mut rejected) = (8, 0);
    for (status, method, path, headers, body) in cases {
        let mut connection = Connection::open(victim.server.address).expect("connects");
        let reply = connection.request(method, path, &headers, body).expect("an answer");
        assert_eq!(reply.status, status, "{method} {path} {headers:?}: {}", reply.text());
        if status != 201 {
            reply.assert_problem();
        }
        let wanted = reply.header("want-content-digest");
        assert_eq!(wanted.is_some(), status == 400 && headers.iter().any(|(name, _)| *name == "content-digest"), "{headers:?}: {wanted:?}");
        rejected += u64::from(path == frames && method == "POST" && status != 201);
        accepted += u64::from(status == 201);
    }
    assert_eq!(victim.server.counts(), [accepted, 0, rejected]);
    victim.survived(&site, 64);
}
