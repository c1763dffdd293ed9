//! Country calling codes, as ITU-T assigns them.

/// A calling code found, and how long numbers behind it are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Code {
    /// The number of its digits.
    pub(crate) digits: usize,
    /// The fewest digits behind it.
    pub(crate) national_min: usize,
    /// The most digits behind it.
    pub(crate) national_max: usize,
}

/// Codes of one or two digits with the fewest and most digits behind them.
const SHORT: &[(u16, u8, u8)] = &[
    (1, 10, 10),
    (7, 10, 10),
    (20, 7, 10),
    (27, 9, 9),
    (30, 10, 10),
    (31, 7, 11),
    (32, 8, 9),
    (33, 9, 9),
    (34, 9, 9),
    (36, 8, 9),
    (39, 6, 12),
    (40, 9, 9),
    (41, 9, 12),
    (43, 6, 13),
    (44, 7, 10),
    (45, 8, 8),
    (46, 7, 13),
    (47, 5, 12),
    (48, 9, 9),
    (49, 6, 13),
    (51, 8, 9),
    (52, 10, 11),
    (53, 6, 10),
    (54, 10, 11),
    (55, 8, 11),
    (56, 8, 11),
    (57, 8, 11),
    (58, 10, 10),
    (60, 7, 10),
    (61, 6, 12),
    (62, 7, 13),
    (63, 8, 11),
    (64, 7, 10),
    (65, 8, 11),
    (66, 8, 13),
    (81, 8, 13),
    (82, 7, 12),
    (84, 7, 12),
    (86, 7, 12),
    (90, 7, 12),
    (91, 8, 13),
    (92, 8, 12),
    (93, 9, 9),
    (94, 9, 9),
    (95, 6, 10),
    (98, 4, 10),
];

/// Codes of three digits: first and last of each range.
const LONG: &[(u16, u16)] = &[
    (211, 213),
    (216, 216),
    (218, 218),
    (220, 258),
    (260, 269),
    (290, 291),
    (297, 299),
    (350, 359),
    (370, 383),
    (385, 387),
    (389, 389),
    (420, 421),
    (423, 423),
    (500, 509),
    (590, 599),
    (670, 670),
    (672, 683),
    (685, 692),
    (800, 800),
    (808, 808),
    (850, 850),
    (852, 853),
    (855, 856),
    (870, 870),
    (878, 878),
    (880, 883),
    (886, 886),
    (888, 888),
    (960, 968),
    (970, 977),
    (979, 979),
    (992, 996),
    (998, 998),
];

/// How many digits follow a code of three, at least and at most. E.164 allows fifteen in all.
const LONG_NATIONAL: (usize, usize) = (4, 12);

/// Every code with the fewest digits behind it.
#[cfg(test)]
pub(crate) fn all() -> impl Iterator<Item = (u16, usize)> {
    let long = LONG.iter().flat_map(|&(first, last)| first..=last).map(|code| (code, LONG_NATIONAL.0));
    SHORT.iter().map(|&(code, min, _)| (code, usize::from(min))).chain(long)
}

/// The code that the bytes `byte(0)`, `byte(1)`, … begin with; separators end it.
pub(crate) fn at(byte: impl Fn(usize) -> u8) -> Option<Code> {
    let mut value = 0u16;
    for len in 1..=3 {
        let digit = Some(byte(len - 1)).filter(u8::is_ascii_digit)?;
        value = value * 10 + u16::from(digit - b'0');
        if value == 0 {
            return None;
        }
        if let Some(&(_, min, max)) = SHORT.iter().find(|(code, ..)| *code == value) {
            return Some(Code {
                digits: len,
                national_min: usize::from(min),
                national_max: usize::from(max),
            });
        }
    }
    let (national_min, national_max) = LONG_NATIONAL;
    let assigned = LONG.iter().any(|(first, last)| (*first..=*last).contains(&value));
    assigned.then_some(Code { digits: 3, national_min, national_max })
}
