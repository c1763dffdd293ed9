//! Arithmetic of check digits, over the letters and digits of an id without separators, in capitals.
//!
//! The form has been matched before: where a digit belongs, a digit stands.

/// The worth of a digit; of a letter, ten and more.
pub(super) fn worth(byte: u8) -> u32 {
    match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        b'A'..=b'Z' => u32::from(byte - b'A') + 10,
        _ => 0,
    }
}

/// The worth of the character at `idx`, zero beyond the end.
pub(super) fn worth_at(id: &[u8], idx: usize) -> u32 {
    id.get(idx).map_or(0, |&byte| worth(byte))
}

/// The number that the digits spell; at most eighteen of them.
pub(super) fn number(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |value: u64, &byte| value.wrapping_mul(10).wrapping_add(u64::from(worth(byte))))
}

/// The number in digits `from` to `to`, zero if they are not there.
pub(super) fn part(id: &[u8], from: usize, to: usize) -> u64 {
    number(id.get(from..to).unwrap_or_default())
}

/// The sum of the characters, each times its weight.
pub(super) fn weighted(id: &[u8], weights: &[u32]) -> u32 {
    id.iter().zip(weights).map(|(&byte, weight)| worth(byte) * weight).sum()
}

/// The sum of the characters, each times its weight and its digits in `base` added up.
pub(super) fn folded(id: &[u8], weights: &[u32], base: u32) -> u32 {
    let products = id.iter().zip(weights).map(|(&byte, weight)| worth(byte) * weight);
    products.map(|product| product / base + product % base).sum()
}

/// Whether every second digit doubled, from the last but one, makes a multiple of ten.
pub(super) fn luhn(digits: &[u8]) -> bool {
    let double = |digit: u32| digit * 2 / 10 + digit * 2 % 10;
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(idx, &byte)| if idx % 2 == 1 { double(worth(byte)) } else { worth(byte) })
        .sum();
    sum.is_multiple_of(10)
}

/// Whether the number passes ISO 7064 modulo 11, 10.
pub(super) fn hybrid(digits: &[u8]) -> bool {
    let Some((last, body)) = digits.split_last() else { return false };
    let product = body.iter().fold(10, |product, &byte| {
        let sum = (product + worth(byte)) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (product + worth(*last)) % 10 == 1
}

/// Whether the number passes the scheme of J. Verhoeff, over the dihedral group of ten.
pub(super) fn verhoeff(digits: &[u8]) -> bool {
    const PERMUTATION: [u32; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let product = |left: u32, right: u32| match (left, right) {
        (0..5, 0..5) => (left + right) % 5,
        (0..5, _) => (left + right) % 5 + 5,
        (_, 0..5) => (left + 5 - right) % 5 + 5,
        _ => (left + 5 - right) % 5,
    };
    let permuted =
        |digit: u32, times: usize| (0..times % 8).fold(digit, |digit, _| PERMUTATION[digit as usize % 10]);
    digits.iter().rev().enumerate().fold(0, |check, (idx, &byte)| product(check, permuted(worth(byte), idx)))
        == 0
}

/// Whether the last digit is what `weights` make of the others: eleven less the remainder, where ten and eleven
/// stand for the digit zero.
pub(super) fn complement_11(id: &[u8], weights: &[u32]) -> bool {
    let check = (11 - weighted(id, weights) % 11) % 11;
    worth_at(id, weights.len()) == if check == 10 { 0 } else { check }
}

/// The same, where ten belongs to no id.
pub(super) fn strict_11(id: &[u8], weights: &[u32]) -> bool {
    let check = (11 - weighted(id, weights) % 11) % 11;
    worth_at(id, weights.len()) == check && check < 10
}

/// Whether the digit behind the weighted ones is their sum's remainder by eleven, ten being zero.
pub(super) fn remainder_11(id: &[u8], weights: &[u32]) -> bool {
    weighted(id, weights) % 11 % 10 == worth_at(id, weights.len())
}

/// Whether the digit behind the weighted ones is what their sum lacks to a multiple of ten.
pub(super) fn complement_10(id: &[u8], weights: &[u32]) -> bool {
    (weighted(id, weights) + worth_at(id, weights.len())).is_multiple_of(10)
}

/// Whether all characters are the same: such numbers pass many sums and are nobody's.
pub(super) fn is_uniform(id: &[u8]) -> bool {
    id.windows(2).all(|pair| pair[0] == pair[1])
}

/// Whether month and day can be.
pub(super) fn is_date(month: u64, day: u64) -> bool {
    matches!((month, day), (1 | 3 | 5 | 7 | 8 | 10 | 12, 1..=31) | (4 | 6 | 9 | 11, 1..=30) | (2, 1..=29))
}

/// Whether six digits from `at` are year, month and day.
pub(super) fn is_ymd(id: &[u8], at: usize) -> bool {
    is_date(part(id, at + 2, at + 4), part(id, at + 4, at + 6))
}

/// Whether six digits at the beginning are day, month and year.
pub(super) fn is_dmy(id: &[u8]) -> bool {
    is_date(part(id, 2, 4), part(id, 0, 2))
}

/// Whether thirteen digits could be a time in milliseconds, of the years 2011 to 2033.
pub(super) fn is_milliseconds(id: &[u8]) -> bool {
    id.len() == 13 && matches!(part(id, 0, 2), 13..=19)
}

/// Whether four digits from `at` could be hours and minutes: then a stamp of date and time looks the same.
pub(super) fn is_time(id: &[u8], at: usize) -> bool {
    part(id, at, at + 2) < 24 && part(id, at + 2, at + 4) < 60
}
