"""Public knowledge about number plates, as data: who issues them, what is printed on them, how their numbers look.

A format is a string: `A` any letter, `9` any digit, `X` either, `L` a letter without I, O, Q; every other capital letter is
escaped by `\\`. `-`, `.`, `:` and space are the separators of that name, `*` is a symbol (silhouette, star, seal),
`[..]` are small characters stacked one above the other, `/` starts the second line of a two-line plate.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Issuer:
    """One issuing authority: ISO code, the name printed on the plate, slogans, number formats, habits of drawing."""

    code: str
    name: str
    slogans: tuple[str, ...]
    formats: tuple[str, ...]
    script: float = 0.15  # share of plates whose name is in a script or serif face
    light_ink: float = 0.08  # share of plates with light characters on a dark ground


def _us(code, name, slogans, formats, script=0.15, light_ink=0.08):
    return Issuer("US-" + code, name, tuple(slogans.split("|")), tuple(formats.split("|")), script, light_ink)


UNITED_STATES = (
    _us("AL", "Alabama", "Heart of Dixie|Sweet Home|God Bless America", "9AA9999|99A99A9|9A9999A|99AA999|999AAA9", 0.6),
    _us("AK", "ALASKA", "The Last Frontier", "AAA 999", 0.1),
    _us("AZ", "ARIZONA", "Grand Canyon State", "AAA9999|AAA 999|AA99999|A9A 9AA|9AA 9AA|AAA-999", 0.2, 0.12),
    _us("AR", "Arkansas", "The Natural State", "999 AAA|AAA 99A|AAA 999|999*AAA", 0.5),
    _us("CA", "California", "dmv.ca.gov|The Golden State|Sesquicentennial|", "9AAA999|9AAA999|9AAA999|9A99999|99999A9|AAA 999|999 AAA", 0.8, 0.12),
    _us("CO", "COLORADO", "|", "AAA-999|AAA-A99|999-AAA|AAA*999|AA-9999", 0.1, 0.4),
    _us("CT", "Connecticut", "Constitution State", "AA-99999|AA*99999|999-AAA|999*AAA|9AA-AA9", 0.3),
    _us("DE", "DELAWARE", "The First State", "999999|99999|\\P\\C 999999|9999", 0.05, 0.85),
    _us("DC", "Washington, D.C.", "Taxation Without Representation|End Taxation Without Representation|Celebrate & Discover", "AA-9999|AA 9999|AA*9999", 0.2),
    _us("FL", "FLORIDA", "Sunshine State|MYFLORIDA.COM|In God We Trust|Dade|Broward", "AAA*A99|AAA*99A|999*AAA|A99*9AA|AA9*9AA|AAAA99|99A*AAA", 0.3),
    _us("GA", "GEORGIA", "Peach State|In God We Trust|Gwinnett|Fulton|Cobb", "AAA9999|AAA 9999|AAA*999|999*AAA|9999 AA|AA 9999", 0.4),
    _us("HI", "HAWAII", "Aloha State", "AAA 999|AAA999", 0.1),
    _us("ID", "IDAHO", "Famous Potatoes|Scenic Idaho", "9A 99999|9A A9999|A 999999|9A 9999A|A 999 AA", 0.5),
    _us("IL", "Illinois", "Land of Lincoln", "AA 99999|A99 9999|999 9999|99 9999|A 99 9999|AA 9999", 0.5),
    _us("IN", "INDIANA", "Crossroads of America|In God We Trust|Bicentennial 1816-2016|Lincoln's Boyhood Home", "999AAA|999 AAA|999AA|99A9999|999 AA|999A", 0.2),
    _us("IA", "IOWA", "Polk|Linn|Scott|Johnson|Story", "AAA 999|999 AAA|AAA*999", 0.1),
    _us("KS", "KANSAS", "To the Stars|", "999 AAA|AAA 999|9999AAA|999*AAA", 0.3),
    _us("KY", "Kentucky", "Bluegrass State|Unbridled Spirit|In God We Trust|Fayette|Jefferson", "999 AAA|AAA 999|A9A 999|999*AAA", 0.6),
    _us("LA", "Louisiana", "Sportsman's Paradise|Bayou State", "AAA 999|999 AAA|999AAA|A999999", 0.6),
    _us("ME", "MAINE", "Vacationland", "9999 AA|999 AAA|AA 9999|9999 A", 0.2),
    _us("MD", "MARYLAND", "Treasure the Chesapeake|War of 1812|MARYLAND.GOV|Drive Electric", "9AA9999|9AA 9999|AAA 999|9AA*A99|A*999999", 0.2),
    _us("MA", "Massachusetts", "The Spirit of America", "999 AA9|9AA A99|99A A99|999 AAA|9999 AA|AA 99 AA", 0.25),
    _us("MI", "MICHIGAN", "Pure Michigan|Great Lakes State|Great Lakes Splendor|Spectacular Peninsulas", "AAA 9999|9AAA99|999 AAA|9AA A99|999A999", 0.2, 0.1),
    _us("MN", "Minnesota", "10,000 lakes|Explore Minnesota", "999*AAA|AAA*999|AAA-999|999-AAA|AA9-99A", 0.7),
    _us("MS", "Mississippi", "Hinds|Rankin|In God We Trust|Harrison|The Hospitality State", "AAA 999|AAA9999|AAA*999|AA9 999|999 AAA", 0.7),
    _us("MO", "MISSOURI", "Show-Me State|Bicentennial", "AA9 A9A|999 AA9|AAA 999|AA9*A9A|9AA 999", 0.2),
    _us("MT", "MONTANA", "Treasure State|Big Sky Country|Big Sky", "9-99999A|99-9999A|AAA999|9*99999A|99*99999", 0.2, 0.2),
    _us("NE", "NEBRASKA", "nebraska.gov|Cornhusker State|The Good Life", "AAA 999|9-A9999|99-A999|AAA*999|99-9999", 0.3),
    _us("NV", "NEVADA", "The Silver State|Home Means Nevada", "999-AAA|99A-999|999A99|AAA-999|999*AAA|99A 999", 0.2, 0.08),
    _us("NH", "NEW HAMPSHIRE", "Live Free or Die", "999 9999|999 999|99999|AAA 999|9999", 0.15),
    _us("NJ", "New Jersey", "Garden State", "A99-AAA|AAA-99A|AA-999A|AA*999A|A99*AAA|AAA-99[99]", 0.4),
    _us("NM", "NEW MEXICO", "Land of Enchantment|Chile Capital of the World", "999-AAA|AAA-999|AAA*999|AAA-A99|999*AAA", 0.3, 0.1),
    _us("NY", "NEW YORK", "Empire State|Excelsior|The Empire State", "AAA-9999|AAA 9999|AAA*9999|AAA*999|999 9AA|9A99\\H|AA-9999|AAA-9999", 0.15, 0.15),
    _us("NC", "NORTH CAROLINA", "First in Flight|First in Freedom|In God We Trust", "AAA-9999|AAA-999|AAA 9999", 0.3),
    _us("ND", "NORTH DAKOTA", "Peace Garden State|Legendary|Discover the Spirit", "999 AAA|AAA 999|AAA999|999*AAA", 0.3),
    _us("OH", "OHIO", "Birthplace of Aviation|The Heart of It All|Beautiful Ohio|Sunrise in Ohio", "AAA 9999|AAA-9999|AAA*9999|AA 99AA|999 AAA", 0.25),
    _us("OK", "OKLAHOMA", "Native America|Explore Oklahoma|Travelok.com|Imagine That", "AAA-999|999 AAA|AAA 999|AAA*999|999*AAA|AAA9999", 0.2),
    _us("OR", "OREGON", "Pacific Wonderland|", "999*AAA|AAA*999|999 AAA|AAA 999|9AA A99", 0.3),
    _us("PA", "PENNSYLVANIA", "visitPA.com|Keystone State|www.state.pa.us|Let Freedom Ring", "AAA-9999|AAA*9999|AAA 9999|AAA-999|99999[\\L\\R]|AA*9999", 0.15, 0.12),
    _us("RI", "Rhode Island", "Ocean State", "999-999|AA-999|99999|AA 999|9AA 999|AA*999", 0.3),
    _us("SC", "South Carolina", "Smiling Faces. Beautiful Places.|While I breathe, I hope|Travel2SC.com|In God We Trust", "AAA 999|999 AAA|9999 AA|AAA*999|999*AAA", 0.5),
    _us("SD", "South Dakota", "Great Faces. Great Places.", "9A9 999|99A A99|99A 999|9AA 999|99 A999", 0.6),
    _us("TN", "Tennessee", "The Volunteer State|In God We Trust|Sounds Good to Me|tnvacation.com|Shelby|Davidson", "A99-99A|AAA 9999|999-9AA|AAA 999|999 AAA|A99*99A|9A9 9A9", 0.5),
    _us("TX", "TEXAS", "The Lone Star State|Truck|It's a Texas thing|", "AAA-9999|AAA*9999|AA9*A999|AAA 999|999 AAA|A99-AAA|AAA*999|9AA A99", 0.1, 0.12),
    _us("UT", "UTAH", "Life Elevated|Greatest Snow on Earth|In God We Trust|Centennial", "A99 9AA|999 AAA|9A9 AA|A99*9AA|999*AAA|9A9 9AA", 0.3, 0.1),
    _us("VT", "Vermont", "Green Mountain State", "AAA 999|AAA999|999A999", 0.2, 0.9),
    _us("VA", "VIRGINIA", "Virginia is for lovers|Don't tread on me|400th Anniversary|Kids First", "AAA-9999|AAA 9999|999-999|AA-9999|AAA-999|9999 AA", 0.2),
    _us("WA", "WASHINGTON", "Evergreen State", "AAA9999|999-AAA|999 AAA|A99999A|AAA 999", 0.2),
    _us("WV", "WEST VIRGINIA", "Wild, Wonderful|Almost Heaven|Mountain State", "9AA 999|999 AAA|9A 9999|AAA 999|9AA*999", 0.3),
    _us("WI", "WISCONSIN", "America's Dairyland", "AAA-9999|999-AAA|AAA-999|AA 9999|AA9999", 0.15),
    _us("WY", "WYOMING", "Forever West|Like No Place On Earth", "9*99999|99*9999|9*9999A|99*999A|9-99999", 0.3, 0.1),
)


def _mx(code, name, series):
    """`series`: the first and last letter triple of the state's car plates (NOM-001-SCT-2), e.g. "AGA CYZ"."""
    first, last = series.split()
    return Issuer("MX-" + code, name, (first, last), ())


MEXICO = (
    _mx("AGU", "AGUASCALIENTES", "AAA AFZ"), _mx("BCN", "BAJA CALIFORNIA", "AGA CYZ"), _mx("BCS", "BAJA CALIFORNIA SUR", "CZA DEZ"),
    _mx("CAM", "CAMPECHE", "DFA DKZ"), _mx("CHP", "CHIAPAS", "DLA DSZ"), _mx("CHH", "CHIHUAHUA", "DTA ETZ"), _mx("COA", "COAHUILA", "EUA FPZ"),
    _mx("COL", "COLIMA", "FRA FWZ"), _mx("CMX", "CIUDAD DE MÉXICO", "AAA ZZZ"), _mx("DUR", "DURANGO", "FXA GFZ"), _mx("GUA", "GUANAJUATO", "GGA GYZ"),
    _mx("GRO", "GUERRERO", "GZA HFZ"), _mx("HID", "HIDALGO", "HGA HRZ"), _mx("JAL", "JALISCO", "HSA LFZ"), _mx("MEX", "ESTADO DE MÉXICO", "LGA PEZ"),
    _mx("MIC", "MICHOACÁN", "PFA PUZ"), _mx("MOR", "MORELOS", "PVA RDZ"), _mx("NAY", "NAYARIT", "REA RJZ"), _mx("NLE", "NUEVO LEÓN", "RKA TGZ"),
    _mx("OAX", "OAXACA", "THA TMZ"), _mx("PUE", "PUEBLA", "TNA UJZ"), _mx("QUE", "QUERÉTARO", "UKA UPZ"), _mx("ROO", "QUINTANA ROO", "URA UVZ"),
    _mx("SLP", "SAN LUIS POTOSÍ", "UWA VEZ"), _mx("SIN", "SINALOA", "VFA VSZ"), _mx("SON", "SONORA", "VTA WKZ"), _mx("TAB", "TABASCO", "WLA WWZ"),
    _mx("TAM", "TAMAULIPAS", "WXA XSZ"), _mx("TLA", "TLAXCALA", "XTA XXZ"), _mx("VER", "VERACRUZ", "XYA YVZ"), _mx("YUC", "YUCATÁN", "YWA ZCZ"),
    _mx("ZAC", "ZACATECAS", "ZDA ZHZ"),
)

# Shapes of Mexican numbers; S stands for the state's letter triple. The first is today's car plate.
MEXICAN_FORMATS = (
    ("S-999-L", 0.42), ("S-99-99", 0.2), ("LL-9999-L", 0.08), ("LL-99-999", 0.05), ("L-999-LLL", 0.06), ("9-LLL-999", 0.03),
    ("99-LL-9L", 0.04), ("999-LL-9", 0.03), ("99-LLL-9", 0.01), ("LLL-99-9", 0.01), ("L99-LLL", 0.04), ("999-LLL", 0.02), ("LLL9999", 0.01),
)
MEXICAN_TAGS = ("MÉXICO", "MEXICO", "DELANTERA", "TRASERA", "TRANSPORTE PRIVADO", "SERVICIO PÚBLICO FEDERAL", "TAXI", "AUTOMÓVIL", "CAMIÓN", "DEMOSTRACIÓN", "FRONTERA")


def _ca(code, name, slogans, formats, script=0.2, light_ink=0.03):
    return Issuer("CA-" + code, name, tuple(slogans.split("|")), tuple(formats.split("|")), script, light_ink)


CANADA = (
    _ca("AB", "Alberta", "Wild Rose Country|Strong and Free", "AAA-9999|AAA 9999|AAA-999", 0.7),
    _ca("BC", "BRITISH COLUMBIA", "Beautiful", "AA9 99A|AAA 999|999 AAA|AA9*99A|9999 AA", 0.3),
    _ca("MB", "MANITOBA", "Friendly", "AAA 999|AAA*999", 0.3),
    _ca("NB", "New Brunswick", "Nouveau|Be...in this place|", "AAA 999|AAA*999"),
    _ca("NL", "Newfoundland Labrador", "", "AAA 999|AAA*999"),
    _ca("NS", "NOVA SCOTIA", "Canada's Ocean Playground", "AAA 999|AAA*999|AAA9999"),
    _ca("NT", "NORTHWEST TERRITORIES", "Spectacular", "999 999|999999|99999"),
    _ca("NU", "NUNAVUT", "", "999 999|999999"),
    _ca("ON", "ONTARIO", "Yours to discover|A place to grow", "AAAA*999|AAAA-999|AAAA 999|AAA*999|AA9 9999"),
    _ca("PE", "Prince Edward Island", "Birthplace of Confederation|Canada's Green Province", "99 9AA|99*9AA|AA 999|999 AA"),
    _ca("QC", "Québec", "Je me souviens", "A99 AAA|999 AAA|AAA 999|A99*AAA|AAA-999|\\F\\A\\A 9999", 0.5),
    _ca("SK", "SASKATCHEWAN", "Land of Living Skies", "999 AAA|999*AAA|AAA 999"),
    _ca("YT", "YUKON", "The Klondike", "AAA 99|AAA*99"),
)


@dataclass(frozen=True)
class World:
    """A style of plate elsewhere: weight in the mix, true width to height ratio, formats, and how it is drawn."""

    code: str
    weight: float
    ratio: float
    formats: tuple[str, ...]
    height: float = 0.66  # character height as a share of the plate's height (one line)
    band: float = 0.0  # share of plates with a dark or light band at the left, with the country letters
    letters: str = ""  # country letters in the band
    light_ink: float = 0.05
    title: str = ""  # small text above or below
    seal: float = 0.0  # share of `*` drawn as round seals


WORLD = (
    World("GB", 7.0, 4.68, tuple("AA99 AAA|AA99 AAA|AA99 AAA|AA99 AAA|A999 AAA|AAA 999A|A99 AAA|AAA 99A|A9 AAA|AAA 9|A99AAA|AAA 9999".split("|")), 0.7, 0.3, "GB", 0.1),
    World("GB", 1.2, 1.4, tuple("AA99/AAA|A999/AAA|AAA/999A".split("|")), 0.38, 0.1, "GB", 0.15),
    World("IE", 0.4, 4.68, tuple("99-A-999|99-\\D-99999|999-\\D-9999|99-AA-9999|10-A-719".split("|")), 0.66, 0.8, "IRL"),
    World("DE", 3.0, 4.73, tuple("A*AA 999|A*AA 9999|AA*AA 999|AA*AA 99|AA*A 9999|AAA*AA 99|A:A 999|AA*AA 9999|AAA*A 999|A*A 9999|A*99999".split("|")), 0.68, 0.95, "D", 0.02, "", 0.9),
    World("DE", 0.3, 1.6, tuple("AA*/AA 999|A*/AA 9999|AAA*/A 99".split("|")), 0.36, 0.9, "D", 0.02, "", 0.9),
    World("RO", 1.5, 4.73, tuple("A 99 AAA|A 999 AAA|AA 99 AAA|A 99 AAA|AA 999999|A 999999".split("|")), 0.68, 0.95, "RO"),
    World("FR", 1.2, 4.73, tuple("AA-999-AA|AA-999-AA|9999 AA 99|999 AAA 99|999 AA 99".split("|")), 0.68, 0.95, "F", 0.1),
    World("NL", 1.0, 4.73, tuple("99-AA-AA|99-AAA-9|9-AAA-99|AA-999-A|A-999-AA|AA-AA-99|AA-99-AA".split("|")), 0.68, 0.9, "NL"),
    World("ES", 0.9, 4.73, tuple("9999 AAA|9999AAA|A 9999 AA|AA-9999-A".split("|")), 0.68, 0.9, "E"),
    World("IT", 1.0, 4.73, tuple("AA 999AA|AA 999 AA|AA*999AA".split("|")), 0.68, 0.95, "I"),
    World("IT", 0.15, 1.6, tuple("AA/999 AA|AA9/9999".split("|")), 0.36, 0.5, "I"),
    World("PL", 0.6, 4.73, tuple("AA 99999|AAA 9999A|AAA 99A9|AA 9999A|AA*99999".split("|")), 0.68, 0.95, "PL"),
    World("PT", 0.3, 4.73, tuple("99-AA-99|AA-99-99|AA-99-AA|99-99-AA".split("|")), 0.68, 0.9, "P"),
    World("BE", 0.4, 4.73, tuple("9-AAA-999|AAA-999".split("|")), 0.68, 0.8, "B"),
    World("CZ", 0.4, 4.73, tuple("9A9 9999|9AA 9999|AAA 99-99".split("|")), 0.68, 0.9, "CZ"),
    World("XE", 1.2, 4.73, tuple("AA 99 999|AAA 999|AA 999-99|AAA-999|AA 9999 AA|A 9999 AA|AAA 99A|AA-9999|AA 99999|99 AA 9999|AA 999 AA".split("|")), 0.68, 0.75, "S"),
    World("TR", 0.4, 4.73, tuple("99 AA 999|99 AAA 99|99 A 9999|99 AA 9999".split("|")), 0.68, 0.9, "TR"),
    World("RU", 0.3, 4.6, tuple("A999AA 99|A999AA 999".split("|")), 0.62, 0.0),
    World("PK", 2.5, 2.9, tuple("AAA-999|AA-999|AAA 999|AAA*9999|AAA-9999|AAA 9999|A-9999|AA 9999|AAA 99".split("|")), 0.46, 0.25, "", 0.25, "ICT|ISLAMABAD|ICT-ISLAMABAD|SINDH|PUNJAB|KARACHI|"),
    World("PK", 3.0, 1.9, tuple("AAA/9999|AAA/999|AA/9999|AAA -99/999|AA/999|AAA -9/9999".split("|")), 0.34, 0.5, "", 0.25, "PUNJAB|SINDH|ISLAMABAD||"),
    World("IN", 2.6, 4.2, tuple("AA 99 AA 9999|AA99AA9999|AA 99 A 9999|AA-99-AA-9999|AA 99AA9999|AA 9A AA 9999|AA 99 9999".split("|")), 0.6, 0.5, "IND", 0.08),
    World("IN", 3.2, 1.75, tuple("AA99A/A9999|AA 99/AA 9999|AA99AA/9999|AA99/AA9999|AA 99 A/9999|AA-99-AA/9999|AA9A/AA9999|AA99A/9999".split("|")), 0.36, 0.4, "IND", 0.12),
    World("AE", 0.8, 4.4, tuple("A 99999|A 9999|99 99999|A*99999|AA 99999|9 99999".split("|")), 0.58, 0.1, "", 0.03, "DUBAI|AD|SHJ|AJMAN"),
    World("XG", 0.5, 3.0, tuple("99999|999999|9 99999|AAA 9999|99 9999|9999 AAA|99-999-99|999-99-999".split("|")), 0.5, 0.4, "KSA", 0.05, "QATAR|KUWAIT|BAHRAIN|OMAN|"),
    World("IL", 0.3, 4.7, tuple("99-999-99|999-99-999|99-99999".split("|")), 0.66, 0.9, "IL"),
    World("BR", 3.0, 3.08, tuple("AAA9A99|AAA9A99|AAA9A99|AAA9A99|AAA-9999|AAA 9999".split("|")), 0.52, 0.0, "", 0.08, "BRASIL|BRASIL|MERCOSUL|SP-SAO PAULO"),
    World("BR", 0.8, 1.2, tuple("AAA/9A99|AAA/9999".split("|")), 0.34, 0.0, "", 0.08, "BRASIL"),
    World("XS", 0.8, 2.4, tuple("AAA-999|AA 999 AA|AAA 999|AAA*999|AAAA-99|AA*99*99|AAA-9999|A-999999|AB 99-99".split("|")), 0.5, 0.0, "", 0.15, "ARGENTINA|COLOMBIA|CHILE|PERU|BOGOTA|ECUADOR|REPUBLICA|GUATEMALA|"),
    World("AU", 1.6, 2.77, tuple("AAA 999|AA-99-AA|AAA-999|AAA*999|9AA-9AA|999-AAA|AA 99 AA|AAA 99A|1AA 9AA|99999A".split("|")), 0.5, 0.0, "", 0.25, "NSW|VICTORIA - THE PLACE TO BE|QUEENSLAND - SUNSHINE STATE|SOUTH AUSTRALIA|WESTERN AUSTRALIA|NEW SOUTH WALES|TASMANIA"),
    World("AU", 0.3, 4.6, tuple("AAA 99A|AA 99 AA|999-AAA".split("|")), 0.6, 0.0, "", 0.3),
    World("NZ", 0.3, 2.9, tuple("AAA999|AA9999".split("|")), 0.5),
    World("MY", 0.6, 4.4, tuple("AAA 9999|A 9999 A|AAA 999|AA 9999|AAA 9999 A|AAA9999".split("|")), 0.6, 0.0, "", 0.95),
    World("SG", 0.4, 4.4, tuple("AAA 9999A|AAA9999A|AA 9999 A".split("|")), 0.6, 0.0, "", 0.85),
    World("SG", 0.3, 1.7, tuple("AAA/9999A|AAA/9999|AA/9999 A".split("|")), 0.36, 0.0, "", 0.8),
    World("XA", 0.8, 3.6, tuple("AAA 999A|AA 99 99|AAA 999 GP|AA-9999-99|AA 999 AA|AAA 9999|A 9999 AA|99A-999.99|AA 999999|999 AAA 99".split("|")), 0.56, 0.1, "", 0.2, "PHILIPPINES|GHANA|KENYA|GAUTENG|WP|"),
    World("XA", 0.5, 1.6, tuple("AAA/999A|99-A9/999.99|AAA/9999|AA 99/9999|99 AA/9999|A99/AAA".split("|")), 0.35, 0.05, "", 0.25),
)

JURISDICTIONS = tuple(i.code for i in UNITED_STATES + MEXICO + CANADA) + ("other",)
