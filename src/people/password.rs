//! Passwords: kept as argon2id hashes, at least twelve characters long, and nothing else is asked of them (NIST SP 800-63B, 3.1.1: length, no rules of composition).

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use rand::RngExt;

use crate::error::{Error, Fault, Result};

/// Characters that a password has at least.
pub const SHORTEST: usize = 12;
/// Bytes that a password has at most: whoever sends a megabyte wants the processor, not in.
pub const LONGEST: usize = 1024;

/// 19 MiB, two passes, one lane: the first choice of OWASP's password storage cheat sheet; some 20 ms of one core.
const COST: (u32, u32, u32) = (19 * 1024, 2, 1);

fn argon2() -> Argon2<'static> {
    let (memory, passes, lanes) = COST;
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(memory, passes, lanes, None).expect("sound parameters"))
}

/// The hash of a password, as PHC writes it.
///
/// # Errors
/// `Machine` where argon2 has no memory.
pub fn hash(password: &str) -> Result<String> {
    // Salted by the system's random numbers.
    let hash: PasswordHash = argon2().hash_password(password.as_bytes()).map_err(|error| Error::new(Fault::Machine, format!("argon2: {error}")))?;
    Ok(hash.to_string())
}

/// Whether `password` is the one of `hash`. Without a hash it takes as long and is wrong: how long an answer takes does not tell who works here.
#[must_use]
pub fn verify(password: &str, hash: Option<&str>) -> bool {
    // Of a password that nobody knows.
    const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let Ok(parsed) = PasswordHash::new(hash.unwrap_or(NOBODYS)) else { return false };
    argon2().verify_password(password.as_bytes(), &parsed).is_ok() && hash.is_some()
}

/// Why a password will not do.
#[must_use]
pub fn refused(password: &str, id: &str) -> Option<String> {
    if password.chars().count() < SHORTEST {
        return Some(format!("has fewer than {SHORTEST} characters: take a sentence"));
    }
    if password.len() > LONGEST {
        return Some(format!("has more than {LONGEST} bytes"));
    }
    let mut letters: Vec<char> = password.chars().collect();
    letters.sort_unstable();
    letters.dedup();
    (letters.len() < 5 || password.to_lowercase() == id).then(|| "is too easy to guess: take a sentence".to_owned())
}

/// A new password that is good once: 20 characters that are not mistaken for each other, in fours; 98 bits.
#[must_use]
pub fn once() -> String {
    const LETTERS: &[u8; 30] = b"abcdefghjkmnpqrstuvwxyz2345679";
    let mut generator = rand::rng();
    let letter = |_| LETTERS[generator.random_range(0..LETTERS.len())] as char;
    let letters: Vec<char> = (0..20).map(letter).collect();
    letters.chunks(4).map(|four| four.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_argon2id_and_knows_its_password() {
        let hash = hash("correct horse battery").expect("hashes");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(verify("correct horse battery", Some(&hash)) && !verify("correct horse batterz", Some(&hash)));
        assert!(!verify("", None) && !verify("x", Some("no hash")));
        assert_ne!(super::hash("correct horse battery").expect("hashes"), hash, "salted");
    }

    #[test]
    fn what_is_easy_to_guess_is_refused() {
        for bad in ["short", "aaaaaaaaaaaaaaaa", "abababababab", &"x".repeat(LONGEST + 1)] {
            assert!(refused(bad, "jdoe").is_some(), "{bad}");
        }
        assert_eq!(refused("una frase larga", "jdoe"), None);
        let (a, b) = (once(), once());
        assert!(a != b && a.len() == 24 && refused(&a, "jdoe").is_none(), "{a}");
    }
}
