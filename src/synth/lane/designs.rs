//! What a plate of each US jurisdiction looks like, roughly: colours, lettering, serial formats and the words on it.
//!
//! Drawn from general knowledge for looks and variety, never copied: no logo, no picture. One or two designs a jurisdiction;
//! caveat: real states issue dozens, and formats change.

use super::strokes::{self, Die};

/// What lies behind the characters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Backdrop {
    /// One colour.
    Plain,
    /// From the ground colour at the top to this colour at the bottom.
    Fade(u32),
    /// From this colour at the top to the ground colour by the middle.
    Sky(u32),
    /// A strip of one colour at the top and one at the bottom.
    Bands(u32, u32),
    /// A line of hills of this colour behind the characters.
    Ridge(u32),
    /// A soft disc of this colour in the middle.
    Disc(u32),
    /// A border line of this colour.
    Border(u32),
}

/// A plate design of one jurisdiction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Design {
    /// ISO 3166-2.
    pub jurisdiction: &'static str,
    /// The name as written on the plate.
    pub name: &'static str,
    pub slogan: &'static str,
    /// sRGB of the sheeting, the characters and the name.
    pub ground: u32,
    pub ink: u32,
    pub words: u32,
    pub backdrop: Backdrop,
    pub die: &'static Die,
    /// How serials are made: `A` a letter, `0` a digit, `1` a digit other than 0, `-` a dash, `.` a dot drawn half high, ` ` a gap. Several split by `|`.
    pub formats: &'static str,
    /// The name leans like a script.
    pub script: bool,
}

const R: &Die = &strokes::ROUNDED;
const S: &Die = &strokes::STRAIGHT;
const P: &Die = &strokes::PRINTED;

#[allow(clippy::too_many_arguments)]
const fn us(
    jurisdiction: &'static str,
    name: &'static str,
    slogan: &'static str,
    colours: (u32, u32, u32),
    backdrop: Backdrop,
    die: &'static Die,
    script: bool,
    formats: &'static str,
) -> Design {
    Design { jurisdiction, name, slogan, ground: colours.0, ink: colours.1, words: colours.2, backdrop, die, formats, script }
}

use Backdrop::{Bands, Border, Disc, Fade, Plain, Ridge, Sky};

/// Designs of the fifty states and the District of Columbia.
pub(crate) const US: &[Design] = &[
    us("US-AL", "ALABAMA", "HEART OF DIXIE", (0xf2f4f6, 0x18213c, 0xa01f2c), Fade(0x9fc4e4), R, true, "1A00A0A|00A000A|10AA000"),
    us("US-AK", "ALASKA", "THE LAST FRONTIER", (0xf3c12f, 0x1d2d63, 0x1d2d63), Plain, R, false, "AAA 000"),
    us("US-AZ", "ARIZONA", "GRAND CANYON STATE", (0xf0e6d4, 0x1f5148, 0x4b3278), Ridge(0x7d5aa0), R, false, "AAA0000|A0A 0AA"),
    us("US-AR", "ARKANSAS", "THE NATURAL STATE", (0xf4f4f2, 0x1a2348, 0x1a2348), Fade(0xaecbe2), R, true, "000 AAA|AAA 00A"),
    us("US-CA", "CALIFORNIA", "DMV.CA.GOV", (0xf5f5f3, 0x1f2f6c, 0xb8242f), Plain, R, true, "1AAA000"),
    us("US-CA", "CALIFORNIA", "", (0x1b1b1d, 0xe8b73c, 0xe8b73c), Plain, R, false, "1AAA000|1A00000"),
    us("US-CO", "COLORADO", "", (0xf2f3ef, 0x1b5b3c, 0x1b5b3c), Ridge(0x2f6f4e), R, false, "AAA-A00|AAA-000"),
    us("US-CT", "CONNECTICUT", "CONSTITUTION STATE", (0xf3f6f8, 0x152a55, 0x152a55), Sky(0x6ea4d4), R, false, "AA.00000|0AA.AA0"),
    us("US-DE", "DELAWARE", "THE FIRST STATE", (0x17295a, 0xdcb04a, 0xdcb04a), Border(0xdcb04a), S, false, "000000"),
    us("US-DC", "WASHINGTON DC", "END TAXATION WITHOUT REPRESENTATION", (0xf4f4f4, 0x1d2c5e, 0xb02030), Bands(0xc5323c, 0xc5323c), P, false, "AA 0000"),
    us("US-FL", "FLORIDA", "SUNSHINE STATE", (0xf3f4ee, 0x1f5a36, 0x1f5a36), Disc(0xf2a24a), R, false, "AAA A00|00A AAA|AAA 0000"),
    us("US-GA", "GEORGIA", "PEACH STATE", (0xf4f3ef, 0x24262b, 0x24262b), Disc(0xf0b183), P, true, "AAA0000"),
    us("US-HI", "HAWAII", "ALOHA STATE", (0xf4f4f4, 0x18181c, 0x18181c), Disc(0xd98bb0), R, false, "AAA 000"),
    us("US-ID", "IDAHO", "FAMOUS POTATOES", (0xf0f2f5, 0x1d2b60, 0xb5272f), Ridge(0x86a8cf), R, false, "1A 00000|A 000000"),
    us("US-IL", "ILLINOIS", "LAND OF LINCOLN", (0xeef2f7, 0xb51f33, 0x22376f), Sky(0xa8c6e6), R, true, "AA 00000"),
    us("US-IN", "INDIANA", "IN GOD WE TRUST", (0xf1f1ee, 0x1b2450, 0x1b2450), Fade(0xa8b8d8), P, false, "000AAA|000A"),
    us("US-IA", "IOWA", "", (0xf2f5f7, 0x1b2342, 0x1b3a7a), Sky(0x7fb0dc), R, false, "AAA 000"),
    us("US-KS", "KANSAS", "TO THE STARS", (0xe6edf5, 0x1b2d5c, 0x1b2d5c), Fade(0x9ab9df), P, false, "000 AAA|1000AAA"),
    us("US-KY", "KENTUCKY", "BLUEGRASS STATE", (0xf1f5f8, 0x1b2a52, 0x1b2a52), Sky(0x8fbde2), R, false, "A0A000|AAA 000"),
    us("US-LA", "LOUISIANA", "SPORTSMANS PARADISE", (0xf2f2ef, 0x20284e, 0xa8232e), Fade(0xc7d3b6), R, true, "000 AAA"),
    us("US-ME", "MAINE", "VACATIONLAND", (0xf3f1e6, 0x1d2340, 0x1d2340), Plain, R, false, "0000 AA|000 AAA"),
    us("US-MD", "MARYLAND", "", (0xf5f5f5, 0x1a1a1c, 0x1a1a1c), Bands(0xf5f5f5, 0xd2a02e), P, false, "1AA0000"),
    us("US-MA", "MASSACHUSETTS", "THE SPIRIT OF AMERICA", (0xf5f5f3, 0xb22234, 0x2b4a94), Plain, R, false, "1AAA00|000AA1|1AA000"),
    us("US-MI", "MICHIGAN", "PURE MICHIGAN", (0xf4f5f7, 0x233a7c, 0x233a7c), Bands(0x2c5aa6, 0xf4f5f7), S, false, "AAA 0000|1AAA00"),
    us("US-MN", "MINNESOTA", "10,000 LAKES", (0xf1f4f6, 0x15223c, 0x14407a), Bands(0x8cc0e6, 0x5f9a74), P, false, "AAA-000|000-AAA"),
    us("US-MS", "MISSISSIPPI", "", (0xf3efe4, 0x1c2a5e, 0x1c2a5e), Disc(0xd9c48a), P, false, "AAA 0000|AAA 000"),
    us("US-MO", "MISSOURI", "SHOW ME STATE", (0xf3f5f7, 0x1a2850, 0x1a2850), Bands(0xb9d0e8, 0xb9d0e8), R, false, "AA0 A0A"),
    us("US-MT", "MONTANA", "TREASURE STATE", (0x1f4f9a, 0xf5f5f5, 0xf5f5f5), Border(0xf5f5f5), R, false, "1-00000A|10-0000A"),
    us("US-NE", "NEBRASKA", "", (0xf3f1ec, 0x1d2740, 0x1d2740), Fade(0xd8cfa8), R, false, "AAA 000|1-A000"),
    us("US-NV", "NEVADA", "HOME MEANS NEVADA", (0xe6eef5, 0x1c2a57, 0x1c2a57), Ridge(0xb79f86), R, false, "000.A00|00A.000"),
    us("US-NH", "NEW HAMPSHIRE", "LIVE FREE OR DIE", (0xeff2ea, 0x1d4a35, 0x1d4a35), Ridge(0xa8c3a4), R, false, "000 0000"),
    us("US-NJ", "NEW JERSEY", "GARDEN STATE", (0xf4d873, 0x1d1d20, 0x1d1d20), Fade(0xf7f0d0), R, false, "A00-AAA|AAA-00A"),
    us("US-NM", "NEW MEXICO", "LAND OF ENCHANTMENT", (0xf2c02d, 0xb3262e, 0xb3262e), Border(0xb3262e), R, true, "000.AAA|AAA.000|AAAA00"),
    us("US-NM", "NEW MEXICO", "LAND OF ENCHANTMENT", (0x3fb3b5, 0xf2c83c, 0xf2c83c), Border(0xf2c83c), R, true, "000.AAA|AAAA00"),
    us("US-NY", "NEW YORK", "EXCELSIOR", (0xf5f5f5, 0x1b2a57, 0x1b2a57), Bands(0xf5f5f5, 0x1f3f86), R, false, "AAA-0000"),
    us("US-NY", "NEW YORK", "EMPIRE STATE", (0xf0a92b, 0x1b2a57, 0x1b2a57), Bands(0x1b2a57, 0xf0a92b), R, false, "AAA-0000"),
    us("US-NC", "NORTH CAROLINA", "FIRST IN FLIGHT", (0xf3f5f8, 0x1e3d86, 0xb3262e), Fade(0xb4cfea), R, false, "AAA-0000"),
    us("US-ND", "NORTH DAKOTA", "LEGENDARY", (0xe9eef4, 0x22262e, 0x1d4c86), Sky(0x86b3dc), P, false, "000 AAA"),
    us("US-OH", "OHIO", "BIRTHPLACE OF AVIATION", (0xf2f4f6, 0x1b2750, 0xa8232e), Sky(0xb7d2ec), P, false, "AAA 0000"),
    us("US-OK", "OKLAHOMA", "", (0xf4f5f6, 0x1b1e26, 0x1f4f96), Sky(0x7fc0e0), P, false, "AAA-000"),
    us("US-OR", "OREGON", "", (0xe8eef2, 0x1b2650, 0x1b2650), Ridge(0x7fa58c), R, true, "000 AAA|AAA 000"),
    us("US-PA", "PENNSYLVANIA", "VISITPA.COM", (0xf5f5f3, 0x1c2c5f, 0xf5f5f3), Bands(0x1f3f86, 0xf0c63a), R, false, "AAA.0000"),
    us("US-RI", "RHODE ISLAND", "OCEAN STATE", (0xf2f6f8, 0x17284f, 0x17284f), Fade(0x8fc0e0), R, true, "AA-000|1AA 000"),
    us("US-SC", "SOUTH CAROLINA", "WHILE I BREATHE I HOPE", (0xf4f4f2, 0x1d2d5e, 0x1d2d5e), Bands(0xf4f4f2, 0x9db8dc), P, false, "AAA 000|000 0AA"),
    us("US-SD", "SOUTH DAKOTA", "GREAT FACES GREAT PLACES", (0xeaf0f4, 0x1d2a58, 0xa8232e), Ridge(0xb9b3a6), P, true, "1AA 000|0A0 000"),
    us("US-TN", "TENNESSEE", "THE VOLUNTEER STATE", (0x17264c, 0xf4f4f4, 0xf4f4f4), Plain, P, false, "AAA 0000"),
    us("US-TX", "TEXAS", "THE LONE STAR STATE", (0xf4f4f4, 0x1a1a1d, 0x1a1a1d), Plain, R, false, "AAA.0000"),
    us("US-UT", "UTAH", "LIFE ELEVATED", (0xeaf0f5, 0x1d2a55, 0x1d2a55), Ridge(0xd78a52), R, false, "A00 0AA|0A0 AA"),
    us("US-VT", "VERMONT", "GREEN MOUNTAIN STATE", (0x1f6b42, 0xf4f4f2, 0xf4f4f2), Border(0xf4f4f2), R, false, "AAA 000"),
    us("US-VA", "VIRGINIA", "VIRGINIA IS FOR LOVERS", (0xf4f5f7, 0x1b2c62, 0x1b2c62), Plain, S, false, "AAA-0000"),
    us("US-WA", "WASHINGTON", "EVERGREEN STATE", (0xf2f4f6, 0x1c2a56, 0xa8232e), Ridge(0xa9c4de), R, false, "AAA0000"),
    us("US-WV", "WEST VIRGINIA", "WILD WONDERFUL", (0xf4f4f2, 0x1b2c66, 0xf0c63a), Bands(0x1b3f86, 0xf0c63a), R, false, "0AA 000|AAA 000"),
    us("US-WI", "WISCONSIN", "AMERICAS DAIRYLAND", (0xf4f4f2, 0x1a1d26, 0xa8232e), Sky(0xb9d3e8), R, false, "AAA-0000|000-AAA"),
    us("US-WY", "WYOMING", "", (0xe6eef4, 0x2a2320, 0x2a2320), Ridge(0x8fa9c4), R, false, "1-00000|10-00000"),
];
