//! What codes must look like: subdivisions of the countries at this border (ISO 3166-2), container numbers (ISO 6346, with check digit)
//! and railcar reporting marks (AAR: up to four letters, up to six digits).

/// Whether ISO 3166-1 has this two-letter country code.
pub(crate) fn is_country(code: &str) -> bool {
    matches!(code.as_bytes(), [first @ b'A'..=b'Z', second @ b'A'..=b'Z'] if COUNTRY_BITS[(first - b'A') as usize] >> (second - b'A') & 1 == 1)
}

/// For each first letter, a bit for each second one: every line of a list asks, and searching [`COUNTRIES`] was a sixth of an import.
const COUNTRY_BITS: [u32; 26] = country_bits();

const fn country_bits() -> [u32; 26] {
    let codes = COUNTRIES.as_bytes();
    let (mut bits, mut at) = ([0; 26], 0);
    while at < codes.len() {
        bits[(codes[at] - b'A') as usize] |= 1 << (codes[at + 1] - b'A');
        at += 3;
    }
    bits
}

const COUNTRIES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK \
    CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM \
    HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN \
    MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG \
    SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

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
    fn there_are_249_countries() {
        assert_eq!(COUNTRIES.split(' ').filter(|code| is_country(code)).count(), 249);
        assert!(!is_country("ZZ") && !is_country("") && !is_country("D E"));
    }

    #[test]
    fn a_mark_has_letters_then_digits() {
        assert_eq!(mark("BN000000").as_deref(), Ok("BN0"));
        for wrong in ["U1", "UTLXA1", "UTLX", "UTLX1234567", "UT1A"] {
            assert!(mark(wrong).is_err(), "{wrong}");
        }
    }
}
