//! Words of addresses, in lower case.

/// How surely a word that ends a street's name is one.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Suffix {
    /// Only where a place and its code follow: `view`, `park`.
    Rare,
    /// Unless a word with a capital stands before the number: `drive`, `place`.
    Usual,
    /// Behind any word with a capital: `street`, `blvd`.
    Clear,
}

pub(super) const CLEAR: &[&str] = &[
    "street",
    "st",
    "str",
    "avenue",
    "ave",
    "av",
    "road",
    "rd",
    "boulevard",
    "blvd",
    "lane",
    "ln",
    "highway",
    "hwy",
    "parkway",
    "pkwy",
    "pky",
    "freeway",
    "fwy",
    "expressway",
    "expy",
    "turnpike",
    "tpke",
    "terrace",
    "terr",
    "crescent",
    "cres",
    "alley",
    "aly",
    "causeway",
    "cswy",
    "cir",
    "trl",
];

pub(super) const USUAL: &[&str] = &[
    "drive", "dr", "court", "ct", "crt", "place", "pl", "way", "square", "sq", "circle", "trail", "loop",
    "plaza", "plz", "ter", "cove", "cv", "mews", "quay", "wharf", "xing", "close", "pike",
];

pub(super) const RARE: &[&str] = &[
    "bend", "bluff", "branch", "bridge", "brook", "center", "centre", "ctr", "common", "commons", "corner",
    "creek", "crest", "crossing", "dale", "estate", "estates", "falls", "field", "fields", "forest", "fork",
    "gardens", "gate", "glen", "green", "grove", "harbor", "heights", "hill", "hills", "hollow", "island",
    "junction", "knoll", "lake", "landing", "mall", "manor", "meadow", "meadows", "mill", "mount", "oval",
    "parade", "park", "pass", "passage", "path", "pines", "point", "pt", "ranch", "ridge", "rdg", "rise",
    "river", "route", "rte", "row", "run", "shore", "shores", "spring", "springs", "spur", "station",
    "summit", "trace", "track", "valley", "view", "village", "vista", "walk", "woods",
];

/// How surely `word` ends a street's name.
pub(super) fn suffix(word: &[u8]) -> Option<Suffix> {
    let is_in = |list: &[&str]| list.iter().any(|entry| entry.as_bytes() == word);
    if word.len() < 2 {
        None
    } else if is_in(CLEAR) {
        Some(Suffix::Clear)
    } else if is_in(USUAL) {
        Some(Suffix::Usual)
    } else if is_in(RARE) {
        Some(Suffix::Rare)
    } else {
        None
    }
}

/// Whether a number behind `word` names a road: `Highway 61`.
pub(super) fn is_numbered_road(word: &[u8]) -> bool {
    matches!(
        word,
        b"highway" | b"hwy" | b"route" | b"rte" | b"road" | b"rd" | b"avenue" | b"fm" | b"cr" | b"sr"
    )
}

/// Whether `word` begins the name of a street in a Romance or Slavic language: `rue de Rivoli`.
pub(super) fn begins_street(word: &[u8]) -> bool {
    matches!(
        word,
        b"rue"
            | b"avenue"
            | b"boulevard"
            | b"bd"
            | b"all\xc3\xa9e"
            | b"chemin"
            | b"impasse"
            | b"quai"
            | b"place"
            | b"cours"
            | b"faubourg"
            | b"via"
            | b"viale"
            | b"piazza"
            | b"piazzale"
            | b"corso"
            | b"vicolo"
            | b"largo"
            | b"rua"
            | b"r\xc3\xbaa"
            | b"avenida"
            | b"avda"
            | b"av"
            | b"travessa"
            | b"pra\xc3\xa7a"
            | b"calle"
            | b"paseo"
            | b"plaza"
            | b"carrera"
            | b"camino"
            | b"ronda"
            | b"ul"
            | b"ulica"
            | b"aleja"
            | b"plac"
            | b"strada"
            | b"bulevardul"
            | b"trg"
            | b"cesta"
            | b"n\xc3\xa1m\xc4\x9bst\xc3\xad"
    )
}

/// Whether `word` stands between the words of a street's or town's name.
pub(super) fn is_particle(word: &[u8]) -> bool {
    matches!(
        word,
        b"of"
            | b"de"
            | b"la"
            | b"le"
            | b"les"
            | b"du"
            | b"des"
            | b"del"
            | b"della"
            | b"delle"
            | b"dei"
            | b"di"
            | b"da"
            | b"do"
            | b"das"
            | b"dos"
            | b"den"
            | b"der"
            | b"van"
            | b"von"
            | b"am"
            | b"im"
            | b"an"
            | b"na"
            | b"y"
            | b"ten"
            | b"ter"
            | b"aan"
            | b"upon"
            | b"the"
            | b"el"
            | b"los"
            | b"las"
    )
}

/// Endings of one-word street names, and how long such a word is at least. From the Germanic, Finnish and Hungarian
/// words for street, way and square.
pub(super) const ENDINGS: &[(&str, usize)] = &[
    ("straße", 8),
    ("strasse", 9),
    ("str.", 6),
    ("str", 6),
    ("weg", 6),
    ("platz", 7),
    ("gasse", 7),
    ("allee", 7),
    ("damm", 7),
    ("ufer", 7),
    ("chaussee", 10),
    ("steig", 8),
    ("straat", 8),
    ("laan", 6),
    ("plein", 7),
    ("gracht", 8),
    ("dijk", 6),
    ("singel", 8),
    ("steeg", 7),
    ("gatan", 7),
    ("gata", 7),
    ("vägen", 7),
    ("gränd", 8),
    ("vej", 5),
    ("gade", 8),
    ("gaten", 8),
    ("veien", 7),
    ("vegen", 7),
    ("katu", 6),
    ("ntie", 7),
    ("kuja", 7),
    ("polku", 7),
];

/// Whether `word` behind another with a capital makes a street of both: `Erzsébet tér`, `Nieuwe Baan`.
pub(super) fn ends_street(word: &[u8]) -> bool {
    matches!(
        word,
        b"stra\xc3\x9fe"
            | b"strasse"
            | b"str"
            | b"utca"
            | b"u"
            | b"\xc3\xbat"
            | b"t\xc3\xa9r"
            | b"tee"
            | b"mnt"
            | b"vej"
            | b"gade"
            | b"gata"
            | b"weg"
            | b"platz"
            | b"baan"
            | b"laan"
            | b"plein"
            | b"straat"
            | b"allee"
            | b"st"
            | b"street"
            | b"road"
            | b"rd"
            | b"avenue"
            | b"ave"
            | b"ulica"
            | b"sokak"
            | b"caddesi"
    )
}

/// Whether `word` names a part of a building.
pub(super) fn is_unit(word: &[u8]) -> bool {
    matches!(
        word,
        b"apt"
            | b"apartment"
            | b"suite"
            | b"ste"
            | b"unit"
            | b"flat"
            | b"rm"
            | b"room"
            | b"fl"
            | b"floor"
            | b"bldg"
            | b"building"
            | b"lot"
            | b"trlr"
            | b"spc"
            | b"no"
            | b"wohnung"
            | b"appt"
            | b"piso"
            | b"interno"
    )
}

/// Whether `word` is a direction behind or before a street.
pub(super) fn is_direction(word: &[u8]) -> bool {
    matches!(
        word,
        b"n" | b"s"
            | b"e"
            | b"w"
            | b"ne"
            | b"nw"
            | b"se"
            | b"sw"
            | b"north"
            | b"south"
            | b"east"
            | b"west"
            | b"northeast"
            | b"northwest"
            | b"southeast"
            | b"southwest"
    )
}

/// The states and territories of the USA, and the overseas places of its forces, as the post writes them.
pub(super) const STATES: &[u8] =
    b"AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE \
NV NH NJ NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY PR GU VI AS MP FM MH PW AA AE AP ";

/// Whether two letters, in any case, are a state's.
pub(super) fn is_state(first: u8, second: u8) -> bool {
    let letters = [first.to_ascii_uppercase(), second.to_ascii_uppercase()];
    STATES.chunks_exact(3).any(|state| state.starts_with(&letters))
}
