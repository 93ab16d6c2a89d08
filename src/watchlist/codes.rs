//! What codes must look like: subdivisions of the countries at this border (ISO 3166-2), container numbers (ISO 6346, with check digit)
//! and railcar reporting marks (AAR: up to four letters, up to six digits).

/// The ISO 3166-2 subdivisions of the countries whose plates come by daily; empty for every other country, whose subdivisions are not checked.
pub(crate) fn subdivisions(country: &str) -> &'static [&'static str] {
    match country {
        "US" => &UNITED_STATES,
        "MX" => &MEXICO,
        "CA" => &CANADA,
        _ => &[],
    }
}

// The states, the District of Columbia and the territories.
const UNITED_STATES: [&str; 56] = [
    "AL", "AK", "AZ", "AR", "CA", "CO", "CT", "DE", "FL", "GA", "HI", "ID", "IL", "IN", "IA", "KS", "KY", "LA", "ME", "MD", "MA", "MI", "MN", "MS", "MO", "MT",
    "NE", "NV", "NH", "NJ", "NM", "NY", "NC", "ND", "OH", "OK", "OR", "PA", "RI", "SC", "SD", "TN", "TX", "UT", "VT", "VA", "WA", "WV", "WI", "WY", "DC", "AS",
    "GU", "MP", "PR", "VI",
];

const MEXICO: [&str; 32] = [
    "AGU", "BCN", "BCS", "CAM", "CHH", "CHP", "CMX", "COA", "COL", "DUR", "GRO", "GUA", "HID", "JAL", "MEX", "MIC", "MOR", "NAY", "NLE", "OAX", "PUE", "QUE",
    "ROO", "SIN", "SLP", "SON", "TAB", "TAM", "TLA", "VER", "YUC", "ZAC",
];

const CANADA: [&str; 13] = ["AB", "BC", "MB", "NB", "NL", "NS", "NT", "NU", "ON", "PE", "QC", "SK", "YT"];

/// Checks a normalised container number: three owner's letters, U, J or Z, six digits and the check digit that they give.
///
/// # Errors
/// What is wrong, as a sentence without its subject.
pub(crate) fn container(text: &str) -> Result<(), String> {
    let bytes = text.as_bytes();
    if bytes.len() != 11 || !bytes[..4].iter().all(u8::is_ascii_uppercase) || !bytes[4..].iter().all(u8::is_ascii_digit) {
        return Err(format!("{text:?} is no container number: ISO 6346 wants four letters and seven digits (the last one is the check digit)"));
    }
    if !matches!(bytes[3], b'U' | b'J' | b'Z') {
        return Err(format!("the fourth letter of container {text:?} is {}, not U, J or Z", bytes[3] as char));
    }
    let expected = check_digit(&bytes[..10]);
    let stated = bytes[10] - b'0';
    if expected == stated { Ok(()) } else { Err(format!("the check digit of container {text:?} is {stated}, and should be {expected}")) }
}

/// The check digit of the first ten characters of a container number, ISO 6346 annex A.
pub(crate) fn check_digit(ten: &[u8]) -> u8 {
    let mut sum = 0;
    for (at, character) in ten.iter().enumerate() {
        let value = match character {
            b'0'..=b'9' => u32::from(character - b'0'),
            // Letters count from 10 and skip the multiples of 11.
            letter => {
                let place = u32::from(letter.saturating_sub(b'A')) + 10;
                place + (place - 1) / 10
            }
        };
        sum += value << at;
    }
    (sum % 11 % 10) as u8
}

/// A normalised reporting mark without the leading zeros of its number: `UTLX001234` is `UTLX1234`.
///
/// # Errors
/// What is wrong, as a sentence without its subject.
pub(crate) fn mark(text: &str) -> Result<String, String> {
    let letters = text.bytes().take_while(u8::is_ascii_uppercase).count();
    let number = &text[letters..];
    if !(2..=4).contains(&letters) || number.is_empty() || number.len() > 6 || !number.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(format!("{text:?} is no reporting mark: two to four letters and one to six digits"));
    }
    let significant = number.trim_start_matches('0');
    Ok(format!("{}{}", &text[..letters], if significant.is_empty() { "0" } else { significant }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits_are_those_of_the_standard() {
        // The standard's own example, one from Wikipedia's article, and the corner where the remainder is 10.
        for code in ["CSQU3054383", "MSCU6639870", "HLXU2008419"] {
            assert_eq!(container(code), Ok(()), "{code}");
        }
        assert!(container("CSQU3054384").is_err_and(|why| why.ends_with("is 4, and should be 3")));
        assert!(container("CSQX3054383").is_err() && container("CSQU30543").is_err());
    }

    #[test]
    fn a_mark_has_letters_then_digits() {
        assert_eq!(mark("BN000000").as_deref(), Ok("BN0"));
        for wrong in ["U1", "UTLXA1", "UTLX", "UTLX1234567", "UT1A"] {
            assert!(mark(wrong).is_err(), "{wrong}");
        }
    }
}
