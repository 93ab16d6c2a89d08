//! What a camera streams (MJPEG): the first line as its Content-Type, the rest as parts of whatever boundary that names.
#![no_main]

use garita::service::multipart::{Parts, boundary_of};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let (kind, body) = data.split_at(data.iter().position(|&byte| byte == b'\n').unwrap_or(data.len()));
    let Some(boundary) = boundary_of(&String::from_utf8_lossy(kind)) else { return };
    let Ok(mut parts) = Parts::new(&boundary, 1 << 12) else { return };
    for chunk in body.chunks(61) {
        parts.push(chunk);
        while let Ok(Some(part)) = parts.next_part() {
            assert!(part.body.len() <= 1 << 12);
            let _ = (part.header("x-timestamp"), part.disposition("name"), part.disposition("filename"));
        }
    }
});
