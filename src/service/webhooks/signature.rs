//! Standard Webhooks 1.0 signatures: `v1,` and the base64 of HMAC-SHA256 over `ID.TIMESTAMP.BODY`, one for each secret that is in use.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::error::{Error, Fault, Result};

/// What secrets begin with.
const PREFIX: &str = "whsec_";
/// Bytes of a secret, as the standard has it.
const LENGTH: std::ops::RangeInclusive<usize> = 24..=64;

/// The secrets of a webhook: one, or two while receivers change from one to the other. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secrets(Vec<Vec<u8>>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Secrets({} …)", self.0.len())
    }
}

impl Secrets {
    /// From a file's text: one secret a line, `whsec_` and base64; one or two.
    ///
    /// # Errors
    /// `Caller` for anything else, without saying what stands there.
    pub fn parse(text: &str) -> Result<Secrets> {
        let wrong =
            |message: String| Error::new(Fault::Caller, format!("{message}; a secret is one line: printf 'whsec_%s\\n' \"$(openssl rand -base64 32)\""));
        let mut secrets = Vec::new();
        for (number, line) in text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty()) {
            let number = number + 1;
            let encoded = line.strip_prefix(PREFIX).ok_or_else(|| wrong(format!("line {number} does not begin with {PREFIX}")))?;
            let secret = STANDARD.decode(encoded).map_err(|_| wrong(format!("line {number} is no base64 after {PREFIX}")))?;
            if !LENGTH.contains(&secret.len()) {
                return Err(wrong(format!("line {number} holds {} bytes, not {} to {}", secret.len(), LENGTH.start(), LENGTH.end())));
            }
            secrets.push(secret);
        }
        match secrets.len() {
            1 | 2 => Ok(Secrets(secrets)),
            count => Err(wrong(format!("{count} secrets: there is one, or two while receivers change from one to the other"))),
        }
    }

    /// The value of `webhook-signature`: a signature by each secret, with a space between.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp_s: i64, body: &[u8]) -> String {
        let sign = |secret: &Vec<u8>| {
            let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
            mac.update(format!("{id}.{timestamp_s}.").as_bytes());
            mac.update(body);
            format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
        };
        self.0.iter().map(sign).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the standard's text and of its reference libraries' tests.
    #[test]
    fn it_signs_as_the_reference_does() {
        let secrets = Secrets::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").expect("sound");
        let signature = secrets.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn two_secrets_sign_while_one_takes_the_other_s_place() {
        let secret = |byte: u8| format!("whsec_{}", STANDARD.encode([byte; 32]));
        let of = |text: &str| Secrets::parse(text).expect("sound").sign("id", 1, b"{}");
        assert_eq!(of(&format!("{}\n\n{}\n", secret(1), secret(2))), format!("{} {}", of(&secret(1)), of(&secret(2))));
        let short = format!("whsec_{}", STANDARD.encode([1; 23]));
        for wrong in ["", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!", &short, &[secret(1), secret(2), secret(3)].join("\n")] {
            let error = Secrets::parse(wrong).expect_err("refused");
            assert!(wrong.is_empty() || !error.message.contains(wrong), "a secret is shown: {error}");
        }
    }
}
