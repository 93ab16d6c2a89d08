//! The second factor: six digits that an app makes of a shared secret and the time, every 30 seconds anew (RFC 6238 with SHA-1, which is what all apps speak).

use rand::RngExt;
use ring::hmac;

/// Seconds that a code is shown for.
const STEP_S: i64 = 30;
/// How many steps a person's clock may be off, either way.
const OFF: i64 = 1;
const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A new secret: 160 bits, base32.
#[must_use]
pub fn secret() -> String {
    let bytes: [u8; 20] = rand::rng().random();
    // 20 bytes are 32 digits of five bits.
    (0..32)
        .map(|digit| DIGITS[(0..5).fold(0, |value, bit| value << 1 | usize::from(bytes[(5 * digit + bit) / 8] >> (7 - (5 * digit + bit) % 8) & 1))] as char)
        .collect()
}

/// What an app takes in, as a link or a QR code.
#[must_use]
pub fn link(secret: &str, site: &str, person: &str) -> String {
    let escaped: String = site.bytes().map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect();
    format!("otpauth://totp/{escaped}:{person}?secret={secret}&issuer={escaped}")
}

/// The step whose code this is, if it is one of about now and of a step after `last`: no code is taken twice.
#[must_use]
pub fn step_of(secret: &str, code: &str, last: i64, now_ms: i64) -> Option<i64> {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &bytes(secret)?);
    let now = now_ms.div_euclid(1_000 * STEP_S);
    let code = code.trim();
    // All are compared, so that the time it takes tells nothing.
    (now - OFF..=now + OFF).filter(|&step| step > last).fold(None, |found, step| if same(&code_of(&key, step), code) { Some(step) } else { found })
}

fn code_of(key: &hmac::Key, step: i64) -> String {
    let tag = hmac::sign(key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let at = usize::from(tag[tag.len() - 1] & 15);
    let number = u32::from_be_bytes([tag[at], tag[at + 1], tag[at + 2], tag[at + 3]]) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |differs, (a, b)| std::hint::black_box(differs | (a ^ b))) == 0
}

fn bytes(secret: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0u32, 0);
    for digit in secret.bytes() {
        held = held << 5 | DIGITS.iter().position(|known| *known == digit)? as u32;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
            held &= (1 << bits) - 1;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B: the last six of its eight digits, secret "12345678901234567890".
    #[test]
    fn codes_are_those_of_the_rfc() {
        let secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
        assert_eq!(bytes(secret).expect("base32"), b"12345678901234567890");
        for (second, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(step_of(secret, code, 0, second * 1_000), Some(second / STEP_S), "{second}");
            assert_eq!(step_of(secret, code, second / STEP_S, second * 1_000), None, "twice");
            assert_eq!(step_of(secret, code, 0, (second + 31 + STEP_S) * 1_000), None, "late");
        }
        assert_eq!(step_of(secret, "287083", 0, 59_000), None);
    }

    #[test]
    fn a_secret_is_160_bits_and_comes_back() {
        let (a, b) = (secret(), secret());
        assert!(a != b && a.len() == 32 && bytes(&a).is_some_and(|bytes| bytes.len() == 20));
        assert!(link(&a, "Bridge 1", "jdoe").starts_with("otpauth://totp/Bridge%201:jdoe?secret="));
    }
}
