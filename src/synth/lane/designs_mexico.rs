//! What a plate of each Mexican state looks like, roughly: the state's own colours on a white plate with its name in a strip on top,
//! and serials within the range of first letters that the federal standard (NOM-001-SCT-2-2016) gives to each state.
//!
//! Drawn from general knowledge for looks and variety; caveat: ranges as remembered, designs simplified.

/// A Mexican state: what its private plates say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct State {
    /// ISO 3166-2.
    pub jurisdiction: &'static str,
    pub name: &'static str,
    /// First and last three-letter series for private cars; empty for Mexico City, whose serials have their own form.
    pub first: &'static str,
    pub last: &'static str,
    /// sRGB of the strip, of the name on it, and of the pale picture behind the characters.
    pub strip: u32,
    pub words: u32,
    pub tint: u32,
}

const fn state(jurisdiction: &'static str, name: &'static str, range: (&'static str, &'static str), colours: (u32, u32, u32)) -> State {
    State { jurisdiction, name, first: range.0, last: range.1, strip: colours.0, words: colours.1, tint: colours.2 }
}

/// The thirty-one states and Mexico City.
pub(crate) const MEXICO: &[State] = &[
    state("MX-AGU", "AGUASCALIENTES", ("AAA", "AFZ"), (0x2a4b8d, 0xffffff, 0xd9e2f0)),
    state("MX-BCN", "BAJA CALIFORNIA", ("AGA", "CYZ"), (0x7a1f2b, 0xffffff, 0xefe0d8)),
    state("MX-BCS", "BAJA CALIFORNIA SUR", ("CZA", "DEZ"), (0x1a6a8a, 0xffffff, 0xd6ebf0)),
    state("MX-CAM", "CAMPECHE", ("DFA", "DKZ"), (0x8a2a20, 0xffffff, 0xf0e2d0)),
    state("MX-CHP", "CHIAPAS", ("DLA", "DSZ"), (0x1f6a3e, 0xffffff, 0xdcecd8)),
    state("MX-CHH", "CHIHUAHUA", ("DTA", "ETZ"), (0x284f9a, 0xffffff, 0xe3e4ea)),
    state("MX-COA", "COAHUILA", ("EUA", "FPZ"), (0xb4471f, 0xffffff, 0xf3e2d2)),
    state("MX-COL", "COLIMA", ("FRA", "FWZ"), (0x3a7a3a, 0xffffff, 0xe4efdc)),
    state("MX-CMX", "CIUDAD DE MEXICO", ("", ""), (0xf4f4f4, 0x2a2a2e, 0xf0d4df)),
    state("MX-DUR", "DURANGO", ("FXA", "GFZ"), (0xa32430, 0xffffff, 0xf1dede)),
    state("MX-GUA", "GUANAJUATO", ("GGA", "GYZ"), (0x1f4f94, 0xffffff, 0xdfe6f2)),
    state("MX-GRO", "GUERRERO", ("GZA", "HFZ"), (0x7a2240, 0xffffff, 0xecdce4)),
    state("MX-HID", "HIDALGO", ("HGA", "HRZ"), (0x6a1f33, 0xffffff, 0xeee0d8)),
    state("MX-JAL", "JALISCO", ("HSA", "LFZ"), (0xf4f4f4, 0x1f3f86, 0xf2e3c4)),
    state("MX-MEX", "ESTADO DE MEXICO", ("LGA", "PEZ"), (0x5f6a70, 0xffffff, 0xe2e6dc)),
    state("MX-MIC", "MICHOACAN", ("PFA", "PUZ"), (0x7a2a6a, 0xffffff, 0xf0e0ea)),
    state("MX-MOR", "MORELOS", ("PVA", "RDZ"), (0x2a6a4a, 0xffffff, 0xe2eee2)),
    state("MX-NAY", "NAYARIT", ("REA", "RJZ"), (0x2a5a9a, 0xffffff, 0xe2e8f2)),
    state("MX-NLE", "NUEVO LEON", ("RKA", "TGZ"), (0xe07a1f, 0xffffff, 0xf6e6d2)),
    state("MX-OAX", "OAXACA", ("THA", "TMZ"), (0x8a1f3a, 0xffffff, 0xf0dfe2)),
    state("MX-PUE", "PUEBLA", ("TNA", "UJZ"), (0x1f4a8a, 0xffffff, 0xdde6f0)),
    state("MX-QUE", "QUERETARO", ("UKA", "UPZ"), (0x1f3a6a, 0xffffff, 0xe0e4ec)),
    state("MX-ROO", "QUINTANA ROO", ("URA", "UVZ"), (0x1f8a8a, 0xffffff, 0xd8eeea)),
    state("MX-SLP", "SAN LUIS POTOSI", ("UWA", "VEZ"), (0x2a6a3a, 0xffffff, 0xe4ecd8)),
    state("MX-SIN", "SINALOA", ("VFA", "VSZ"), (0x8a1f2a, 0xffffff, 0xf2e2d8)),
    state("MX-SON", "SONORA", ("VTA", "WKZ"), (0xc0561f, 0xffffff, 0xf4e4d2)),
    state("MX-TAB", "TABASCO", ("WLA", "WWZ"), (0x3a7a2a, 0xffffff, 0xe2eed6)),
    state("MX-TAM", "TAMAULIPAS", ("WXA", "XSZ"), (0x1f3f86, 0xffffff, 0xe0e6f0)),
    state("MX-TLA", "TLAXCALA", ("XTA", "XXZ"), (0x7a1f4a, 0xffffff, 0xecdce6)),
    state("MX-VER", "VERACRUZ", ("XYA", "YVZ"), (0x9a2030, 0xffffff, 0xf0dede)),
    state("MX-YUC", "YUCATAN", ("YWA", "ZCZ"), (0x1f5a8a, 0xffffff, 0xdce8ee)),
    state("MX-ZAC", "ZACATECAS", ("ZDA", "ZHZ"), (0xa3552a, 0xffffff, 0xf2e4d6)),
];
