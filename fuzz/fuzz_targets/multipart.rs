//! Any bytes, in any steps, are parts or an error; what is held stays within its limit.
#![no_main]

use garita::service::multipart::Parts;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [step, data @ ..] = data else { return };
    let Ok(mut parts) = Parts::new("--shot", 1 << 12) else { return };
    for chunk in data.chunks(usize::from(*step).max(1)) {
        parts.push(chunk);
        loop {
            match parts.next_part() {
                Ok(Some(part)) => assert!(part.body.len() <= 1 << 12),
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
});
