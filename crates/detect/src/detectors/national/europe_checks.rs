//! What makes an id of a European state valid.

use super::check::{
    complement_10, complement_11, folded, hybrid, is_date, is_dmy, is_milliseconds, is_time, is_uniform,
    is_ymd, luhn, number, part, remainder_11, strict_11, verhoeff, weighted, worth, worth_at,
};

const NINE_DOWN: [u32; 8] = [9, 8, 7, 6, 5, 4, 3, 2];
const EIGHT_DOWN: [u32; 7] = [8, 7, 6, 5, 4, 3, 2];

pub(super) fn de_idnr(id: &[u8]) -> bool {
    // One digit of the first ten occurs twice or three times, the others at most once.
    let body = id.get(..10).unwrap_or_default();
    let count = |digit: u8| body.iter().filter(|&&byte| byte == digit).count();
    let most = (b'0'..=b'9').map(count).max().unwrap_or(0);
    worth_at(id, 0) != 0 && matches!(most, 2 | 3) && hybrid(id)
}

/// Alone, exactly one digit must be there more than once.
pub(super) fn de_idnr_bare(id: &[u8]) -> bool {
    let body = id.get(..10).unwrap_or_default();
    let count = |digit: u8| body.iter().filter(|&&byte| byte == digit).count();
    de_idnr(id) && (b'0'..=b'9').filter(|&digit| count(digit) > 1).count() == 1
}

pub(super) fn de_svnr(id: &[u8]) -> bool {
    const WEIGHTS: [u32; 12] = [2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1];
    let letter = worth_at(id, 8).saturating_sub(9);
    let digits = id.iter().take(8).map(|&byte| worth(byte)).chain([letter / 10, letter % 10]);
    let sum: u32 = digits
        .chain(id.iter().skip(9).take(2).map(|&byte| worth(byte)))
        .zip(WEIGHTS)
        .map(|(digit, weight)| digit * weight / 10 + digit * weight % 10)
        .sum();
    let day = part(id, 2, 4);
    is_date(part(id, 4, 6), if day > 50 { day - 50 } else { day }) && sum % 10 == worth_at(id, 11)
}

/// Weights seven, three, one, as machine-readable travel documents have them.
pub(super) fn de_id_card(id: &[u8]) -> bool {
    let sum = |body: &[u8]| weighted(body, &[7, 3, 1, 7, 3, 1, 7, 3, 1]) % 10;
    // The letters are those that are no vowels and no digits by their look.
    let plain = id.iter().take(9).all(|byte| byte.is_ascii_digit() || b"CFGHJKLMNPRTVWXYZ".contains(byte));
    plain && (id.len() == 9 || sum(id.get(..9).unwrap_or_default()) == worth_at(id, 9))
}

pub(super) fn de_kvnr(id: &[u8]) -> bool {
    let letter = worth_at(id, 0).saturating_sub(9);
    let digits =
        [letter / 10, letter % 10].into_iter().chain(id.iter().skip(1).take(8).map(|&byte| worth(byte)));
    let sum: u32 = digits
        .zip([1, 2].into_iter().cycle())
        .map(|(digit, weight)| digit * weight / 10 + digit * weight % 10)
        .sum();
    sum % 10 == worth_at(id, 9)
}

pub(super) fn de_lanr(id: &[u8]) -> bool {
    weighted(id, &[4, 9, 4, 9, 4, 9]) % 10 == (10 - worth_at(id, 6)) % 10
}

pub(super) fn fr_nir(id: &[u8]) -> bool {
    let mut digits = [b'0'; 13];
    for (digit, &byte) in digits.iter_mut().zip(id) {
        *digit = if byte.is_ascii_digit() { byte } else { b'0' };
    }
    // The departments 2A and 2B count as 19 and 18.
    let island = match id.get(5..7) {
        Some(b"2A") => 1_000_000,
        Some(b"2B") => 2_000_000,
        _ => 0,
    };
    let value = number(&digits).saturating_sub(island);
    let month = part(id, 3, 5);
    matches!(worth_at(id, 0), 1..=4 | 7 | 8)
        && matches!(month, 1..=12 | 20..=42 | 50..=99)
        && 97 - value % 97 == part(id, 13, 15)
}

/// Fifteen digits alone, where nothing but the month and the first digit speaks for a person.
pub(super) fn fr_nir_bare(id: &[u8]) -> bool {
    fr_nir(id) && matches!(part(id, 3, 5), 1..=12 | 20) && matches!(worth_at(id, 0), 1 | 2)
}

pub(super) fn fr_nif(id: &[u8]) -> bool {
    worth_at(id, 0) < 4 && part(id, 0, 10) % 511 == part(id, 10, 13)
}

pub(super) fn fr_siret(id: &[u8]) -> bool {
    luhn(id) && luhn(id.get(..9).unwrap_or_default()) && !is_uniform(id)
}

/// The letter that a number has in Spain.
fn es_letter(value: u64) -> u8 {
    b"TRWAGMYFPDXBNJZSQVHLCKE"[(value % 23) as usize % 23]
}

pub(super) fn es_dni(id: &[u8]) -> bool {
    let Some((&letter, digits)) = id.split_last() else { return false };
    es_letter(number(digits)) == letter
}

pub(super) fn es_nie(id: &[u8]) -> bool {
    let lead = u64::from(worth_at(id, 0)).saturating_sub(33);
    id.get(8) == Some(&es_letter(lead * 10_000_000 + part(id, 1, 8)))
}

pub(super) fn es_cif(id: &[u8]) -> bool {
    let body = id.get(1..8).unwrap_or_default();
    let sum: u32 = body
        .iter()
        .enumerate()
        .map(|(idx, &byte)| {
            let digit = worth(byte);
            if idx % 2 == 0 { digit * 2 / 10 + digit * 2 % 10 } else { digit }
        })
        .sum();
    let check = (10 - sum % 10) % 10;
    let last = id.get(8).copied().unwrap_or_default();
    let is_letter = last == b"JABCDEFGHI"[check as usize % 10];
    b"ABCDEFGHJNPQRSUVW".contains(&id[0]) && (is_letter || last.is_ascii_digit() && worth(last) == check)
}

pub(super) fn es_nuss(id: &[u8]) -> bool {
    let (province, serial) = (part(id, 0, 2), part(id, 2, 10));
    let value = if serial < 10_000_000 { province * 10_000_000 + serial } else { part(id, 0, 10) };
    matches!(province, 1..=53 | 66) && value % 97 == part(id, 10, 12)
}

pub(super) fn it_fiscal_code(id: &[u8]) -> bool {
    const ODD: [u32; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let Some((&last, body)) = id.split_last() else { return false };
    let sum: u32 = body
        .iter()
        .enumerate()
        .map(|(idx, &byte)| {
            let place = if byte.is_ascii_digit() { worth(byte) } else { worth(byte).saturating_sub(10) };
            if idx % 2 == 0 { ODD[place as usize % 26] } else { place }
        })
        .sum();
    // Digits may be replaced by letters where two people would have the same code.
    let digit = |idx: usize| match id.get(idx) {
        Some(byte @ b'0'..=b'9') => u64::from(*byte - b'0'),
        Some(byte) => b"LMNPQRSTUV".iter().position(|letter| letter == byte).map_or(99, |place| place as u64),
        None => 99,
    };
    let day = digit(9) * 10 + digit(10);
    b"ABCDEHLMPRST".contains(&id[8]) && matches!(day, 1..=31 | 41..=71) && sum % 26 + 10 == worth(last)
}

pub(super) fn it_vat(id: &[u8]) -> bool {
    luhn(id) && part(id, 0, 7) > 0
}

pub(super) fn nl_bsn(id: &[u8]) -> bool {
    let sum = weighted(id, &NINE_DOWN);
    sum > 0 && (sum + 10 * worth_at(id, 8)).is_multiple_of(11)
}

pub(super) fn be_nn(id: &[u8]) -> bool {
    let (value, check) = (part(id, 0, 9), part(id, 9, 11));
    // Who was born from 2000 on has a two before the number; a BIS number adds 20 or 40 to the month.
    let month = part(id, 2, 4) % 20;
    let dated = (month <= 12) && part(id, 4, 6) <= 31 && part(id, 2, 4) < 60;
    dated && (97 - value % 97 == check || 97 - (2_000_000_000 + value) % 97 == check)
}

pub(super) fn be_eid(id: &[u8]) -> bool {
    let rest = part(id, 0, 10) % 97;
    (if rest == 0 { 97 } else { rest }) == part(id, 10, 12)
}

pub(super) fn pl_pesel(id: &[u8]) -> bool {
    let month = part(id, 2, 4) % 20;
    is_date(month, part(id, 4, 6)) && complement_10(id, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3])
}

pub(super) fn pl_nip(id: &[u8]) -> bool {
    let rest = weighted(id, &[6, 5, 7, 2, 3, 4, 5, 6, 7]) % 11;
    rest == worth_at(id, 9) && !is_uniform(id)
}

pub(super) fn pl_regon(id: &[u8]) -> bool {
    let short = remainder_11(id, &[8, 9, 2, 3, 4, 5, 6, 7]);
    short && (id.len() == 9 || remainder_11(id, &[2, 4, 8, 5, 0, 9, 7, 3, 6, 1, 2, 4, 8]))
}

pub(super) fn pl_id_card(id: &[u8]) -> bool {
    weighted(id, &[7, 3, 1, 9, 7, 3, 1, 7, 3]).is_multiple_of(10)
}

pub(super) fn pt_nif(id: &[u8]) -> bool {
    matches!(worth_at(id, 0), 1..=3 | 5..=9) && complement_11(id, &NINE_DOWN)
}

pub(super) fn pt_cc(id: &[u8]) -> bool {
    let sum: u32 = id
        .iter()
        .rev()
        .enumerate()
        .map(|(idx, &byte)| {
            let value = worth(byte) * if idx % 2 == 1 { 2 } else { 1 };
            if idx % 2 == 1 && value > 9 { value - 9 } else { value }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// With or without the century.
pub(super) fn se_personal(id: &[u8]) -> bool {
    let short = if id.len() == 12 { id.get(2..).unwrap_or_default() } else { id };
    // A coordination number adds sixty to the day.
    let day = part(short, 4, 6);
    is_date(part(short, 2, 4), if day > 60 { day - 60 } else { day }) && luhn(short)
}

/// Without a word before it, four digits that are a time of day make it a stamp.
pub(super) fn se_personal_bare(id: &[u8]) -> bool {
    se_personal(id) && !is_time(id, id.len().saturating_sub(4))
}

/// Without separator, too, it must be the number of someone born from 1890 to 1999: stamps and order numbers begin with
/// dates of this century.
pub(super) fn se_personal_compact(id: &[u8]) -> bool {
    (1890..2000).contains(&part(id, 0, 4)) && se_personal_bare(id)
}

pub(super) fn se_organisation(id: &[u8]) -> bool {
    worth_at(id, 2) >= 2 && luhn(id)
}

/// Alone, the first digit must be one of a form of organisation, and the whole no year and month with a serial.
pub(super) fn se_organisation_bare(id: &[u8]) -> bool {
    let is_month = matches!(part(id, 0, 2), 19 | 20) && matches!(part(id, 4, 6), 1..=12);
    se_organisation(id) && !matches!(worth_at(id, 0), 0 | 4) && !is_month
}

pub(super) fn fi_hetu(id: &[u8]) -> bool {
    // The sign of the century is the seventh character; a dash or plus has been dropped.
    let serial = if id.len() == 11 { 7 } else { 6 };
    let value = part(id, 0, 6) * 1000 + part(id, serial, serial + 3);
    let check = b"0123456789ABCDEFHJKLMNPRSTUVWXY"[(value % 31) as usize % 31];
    let century = serial == 6 || b"ABCDEFUVWXY".contains(&id[6]);
    century && is_dmy(id) && part(id, serial, serial + 3) >= 2 && id.last() == Some(&check)
}

pub(super) fn fi_hetu_bare(id: &[u8]) -> bool {
    fi_hetu(id) && (id.len() == 11 || !id[9].is_ascii_digit() || !is_time(id, 6))
}

pub(super) fn fi_business(id: &[u8]) -> bool {
    let rest = weighted(id, &[7, 9, 10, 5, 8, 4, 2]) % 11;
    rest != 1 && (11 - rest) % 11 == worth_at(id, 7)
}

pub(super) fn dk_cpr(id: &[u8]) -> bool {
    // The sum of check digits has not been kept since 2007.
    is_dmy(id)
}

pub(super) fn dk_cvr(id: &[u8]) -> bool {
    worth_at(id, 0) > 0 && weighted(id, &[2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)
}

pub(super) fn no_personal(id: &[u8]) -> bool {
    let (day, month) = (part(id, 0, 2), part(id, 2, 4));
    let dated = is_date(month % 40, if day > 40 { day - 40 } else { day });
    dated && strict_11(id, &[3, 7, 6, 1, 8, 9, 4, 5, 2]) && strict_11(id, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2])
}

pub(super) fn no_organisation(id: &[u8]) -> bool {
    matches!(worth_at(id, 0), 8 | 9) && strict_11(id, &[3, 2, 7, 6, 5, 4, 3, 2])
}

pub(super) fn cz_birth(id: &[u8]) -> bool {
    // Women have fifty more in the month, and twenty more where a day has no number left.
    let dated = is_date(part(id, 2, 4) % 50 % 20, part(id, 4, 6));
    // Up to 1953 there were nine digits and no check digit.
    dated
        && (id.len() == 9
            || number(id).is_multiple_of(11)
            || part(id, 0, 9) % 11 == 10 && worth_at(id, 9) == 0)
}

/// Without a word before it, nothing that is allowed but rare.
pub(super) fn cz_birth_bare(id: &[u8]) -> bool {
    is_date(part(id, 2, 4) % 50, part(id, 4, 6)) && number(id).is_multiple_of(11)
}

pub(super) fn cz_company(id: &[u8]) -> bool {
    let check = (11 - weighted(id, &EIGHT_DOWN) % 11) % 10;
    check == worth_at(id, 7) && !is_uniform(id)
}

pub(super) fn ro_cnp(id: &[u8]) -> bool {
    let rest = weighted(id, &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11;
    worth_at(id, 0) > 0 && is_ymd(id, 1) && (if rest == 10 { 1 } else { rest }) == worth_at(id, 12)
}

/// Alone, a county must be one of those there are, and the whole no time.
pub(super) fn ro_cnp_bare(id: &[u8]) -> bool {
    ro_cnp(id) && matches!(part(id, 7, 9), 1..=48 | 51 | 52 | 70) && !is_milliseconds(id)
}

/// County, serial and year; since 2024 year, serial, county and a check digit.
pub(super) fn ro_trade(id: &[u8]) -> bool {
    let county = part(id, 1, 3);
    let year = part(id, id.len().saturating_sub(4), id.len());
    let early = id.len() < 14 && matches!(county, 1..=40 | 51 | 52) && (1990..=2030).contains(&year);
    early || id.len() == 14 && matches!(part(id, 1, 5), 1990..=2099) && part(id, 11, 13) <= 52
}

/// The number of an excise operator: the code of a state, then eleven characters, digits among them.
pub(super) fn excise(id: &[u8]) -> bool {
    const STATES: [&[u8; 2]; 30] = [
        b"AT", b"BE", b"BG", b"CY", b"CZ", b"DE", b"DK", b"EE", b"EL", b"ES", b"FI", b"FR", b"GB", b"GR",
        b"HR", b"HU", b"IE", b"IT", b"LT", b"LU", b"LV", b"MT", b"NL", b"PL", b"PT", b"RO", b"SE", b"SI",
        b"SK", b"XI",
    ];
    STATES.iter().any(|state| id.starts_with(*state))
        && id.iter().filter(|byte| byte.is_ascii_digit()).count() > 4
}

pub(super) fn bg_egn(id: &[u8]) -> bool {
    is_date(part(id, 2, 4) % 20, part(id, 4, 6)) && remainder_11(id, &[2, 4, 8, 5, 10, 9, 7, 3, 6])
}

pub(super) fn bg_foreigner(id: &[u8]) -> bool {
    weighted(id, &[21, 19, 17, 13, 11, 9, 7, 3, 1]) % 10 == worth_at(id, 9)
}

pub(super) fn gr_amka(id: &[u8]) -> bool {
    is_dmy(id) && luhn(id)
}

pub(super) fn gr_afm(id: &[u8]) -> bool {
    number(id) > 0 && remainder_11(id, &[256, 128, 64, 32, 16, 8, 4, 2])
}

pub(super) fn hu_tax(id: &[u8]) -> bool {
    complement_10(id, &[9, 7, 3, 1, 9, 7, 3])
}

pub(super) fn hu_person_tax(id: &[u8]) -> bool {
    worth_at(id, 0) == 8 && weighted(id, &[1, 2, 3, 4, 5, 6, 7, 8, 9]) % 11 == worth_at(id, 9)
}

pub(super) fn hu_taj(id: &[u8]) -> bool {
    weighted(id, &[3, 7, 3, 7, 3, 7, 3, 7]) % 10 == worth_at(id, 8)
}

pub(super) fn ie_pps(id: &[u8]) -> bool {
    // A second letter counts nine times; W counted nothing.
    let second = match id.get(8) {
        Some(b'W') | None => 0,
        Some(&letter) => worth(letter).saturating_sub(9),
    };
    let rest = (weighted(id, &EIGHT_DOWN) + 9 * second) % 23;
    id.get(7) == Some(&b"WABCDEFGHIJKLMNOPQRSTUV"[rest as usize % 23])
}

/// Lithuania and Estonia: a digit for sex and century, the date, and a sum with a second try.
pub(super) fn baltic(id: &[u8]) -> bool {
    let first = weighted(id, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11;
    let check = if first < 10 { first } else { weighted(id, &[3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11 % 10 };
    matches!(worth_at(id, 0), 1..=8) && is_ymd(id, 1) && check == worth_at(id, 10)
}

pub(super) fn ee_register(id: &[u8]) -> bool {
    let first = weighted(id, &[1, 2, 3, 4, 5, 6, 7]) % 11;
    let check = if first < 10 { first } else { weighted(id, &[3, 4, 5, 6, 7, 8, 9]) % 11 % 10 };
    matches!(worth_at(id, 0), 1 | 7..=9) && check == worth_at(id, 7)
}

pub(super) fn lv_personal(id: &[u8]) -> bool {
    // Since 2017 a number begins with 32 and tells nothing.
    let sum = 1 + weighted(id, &[10, 5, 8, 4, 2, 1, 6, 3, 7, 9]);
    part(id, 0, 2) == 32 || is_dmy(id) && sum % 11 % 10 == worth_at(id, 10)
}

/// Alone, the day must be one: what begins with 32 has no check digits.
pub(super) fn lv_personal_bare(id: &[u8]) -> bool {
    is_dmy(id) && lv_personal(id)
}

/// Alone, the year must be one of somebody alive and the region one of Slovenia.
pub(super) fn jmbg_bare(id: &[u8]) -> bool {
    jmbg(id) && matches!(part(id, 4, 7), 900..=999 | 0..=40) && matches!(part(id, 7, 9), 50..=59)
}

/// The number of former Yugoslavia: day, month, three digits of the year, region, serial.
pub(super) fn jmbg(id: &[u8]) -> bool {
    is_dmy(id) && complement_11(id, &[7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2])
}

pub(super) fn si_tax(id: &[u8]) -> bool {
    worth_at(id, 0) > 0 && complement_11(id, &EIGHT_DOWN)
}

pub(super) fn at_svnr(id: &[u8]) -> bool {
    let day_first = part(id, 4, 6);
    let sum = weighted(id, &[3, 7, 9, 0, 5, 8, 4, 2, 1, 6]);
    worth_at(id, 0) > 0
        && (1..=31).contains(&day_first)
        && part(id, 6, 8) <= 15
        && sum % 11 == worth_at(id, 3)
}

pub(super) fn lu_nin(id: &[u8]) -> bool {
    let body = id.get(..11).unwrap_or_default();
    let two = |check: u8| {
        let mut digits = [b'0'; 12];
        digits[..11].copy_from_slice(body);
        digits[11] = check;
        digits
    };
    let (Some(&first), Some(&second)) = (id.get(11), id.get(12)) else { return false };
    body.len() == 11 && is_date(part(id, 4, 6), part(id, 6, 8)) && luhn(&two(first)) && verhoeff(&two(second))
}

/// Alone, the year must be one of somebody alive.
pub(super) fn lu_nin_bare(id: &[u8]) -> bool {
    lu_nin(id) && matches!(part(id, 0, 4), 1900..=2040)
}

pub(super) fn ch_ahv(id: &[u8]) -> bool {
    complement_10(id, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3])
}

pub(super) fn ch_uid(id: &[u8]) -> bool {
    let digits = id.strip_prefix(b"CHE").unwrap_or(id);
    strict_11(digits, &[5, 4, 3, 2, 7, 6, 5, 4])
}

pub(super) fn ru_inn(id: &[u8]) -> bool {
    if id.len() == 10 {
        return remainder_11(id, &[2, 4, 10, 3, 5, 9, 4, 6, 8]);
    }
    remainder_11(id, &[7, 2, 4, 10, 3, 5, 9, 4, 6, 8])
        && remainder_11(id, &[3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8])
}

pub(super) fn ru_snils(id: &[u8]) -> bool {
    u64::from(weighted(id, &[9, 8, 7, 6, 5, 4, 3, 2, 1]) % 101 % 100) == part(id, 9, 11)
}

pub(super) fn ua_tax(id: &[u8]) -> bool {
    // The first weight is minus one, which is ten modulo eleven.
    remainder_11(id, &[10, 5, 7, 9, 4, 6, 10, 5, 7])
}

pub(super) fn ua_company(id: &[u8]) -> bool {
    let early = (30_000_000..60_000_000).contains(&number(id));
    let (first, second) = if early {
        ([7, 1, 2, 3, 4, 5, 6], [9, 3, 4, 5, 6, 7, 8])
    } else {
        ([1, 2, 3, 4, 5, 6, 7], [3, 4, 5, 6, 7, 8, 9])
    };
    let rest = weighted(id, &first) % 11;
    (if rest < 10 { rest } else { weighted(id, &second) % 11 % 10 }) == worth_at(id, 7)
}

pub(super) fn tr_tckn(id: &[u8]) -> bool {
    let odd = weighted(id, &[1, 0, 1, 0, 1, 0, 1, 0, 1]);
    let even = weighted(id, &[0, 1, 0, 1, 0, 1, 0, 1]);
    worth_at(id, 0) > 0
        && (odd * 7 + 10 * 9 - even) % 10 == worth_at(id, 9)
        && (odd + even + worth_at(id, 9)) % 10 == worth_at(id, 10)
}

pub(super) fn tr_vkn(id: &[u8]) -> bool {
    let sum: u32 = (1..=9)
        .rev()
        .zip(id)
        .map(|(place, &byte)| {
            let digit = (worth(byte) + place) % 10;
            let value = digit * (1 << place) % 9;
            if digit != 0 && value == 0 { 9 } else { value }
        })
        .sum();
    (10 - sum % 10) % 10 == worth_at(id, 9)
}

pub(super) fn gb_nhs(id: &[u8]) -> bool {
    strict_11(id, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) && !is_uniform(id)
}

pub(super) fn gb_utr(id: &[u8]) -> bool {
    let rest = weighted(id.get(1..).unwrap_or_default(), &[6, 7, 8, 9, 10, 5, 4, 3, 2]) % 11;
    worth(b"21987654321"[rest as usize % 11]) == worth_at(id, 0)
}

pub(super) fn gb_nino(id: &[u8]) -> bool {
    let (Some(&first), Some(&second), Some(&last)) = (id.first(), id.get(1), id.last()) else { return false };
    let prefix = [first, second];
    // The one that the documents of the tax office show cannot be anyone's.
    let shown = prefix == *b"QQ";
    let given = !b"DFIQUV".contains(&first)
        && !b"DFIOQUV".contains(&second)
        && ![*b"BG", *b"GB", *b"KN", *b"NK", *b"NT", *b"TN", *b"ZZ"].contains(&prefix);
    (shown || given) && (id.len() == 8 || matches!(last, b'A'..=b'D'))
}

/// VAT numbers by the code of the state before them.
pub(super) fn vat(id: &[u8]) -> bool {
    let Some((code, body)) = id.split_at_checked(2) else { return false };
    match code {
        b"AT" => at_vat(body),
        b"BE" => {
            // Before 2007 the leading zero was not written.
            let body_len = body.len().saturating_sub(2);
            97 - part(body, 0, body_len) % 97 == part(body, body_len, body.len())
        }
        b"BG" => body.len() == 10 || bg_vat(body),
        b"CY" => cy_vat(body),
        b"CZ" => {
            if body.len() == 8 {
                cz_company(body)
            } else {
                cz_birth(body)
            }
        }
        b"DE" => hybrid(body) && worth_at(body, 0) > 0,
        b"DK" => dk_cvr(body),
        b"EE" => complement_10(body, &[3, 7, 1, 3, 7, 1, 3, 7]),
        b"EL" | b"GR" => gr_afm(body),
        b"ES" => es_dni(body) || es_cif(body) || es_nie(body),
        b"FI" => fi_business(body),
        b"FR" => fr_vat(body),
        b"GB" => gb_vat(body),
        b"HR" => hybrid(body),
        b"HU" => hu_tax(body),
        b"IE" => ie_pps(body),
        b"IT" => it_vat(body),
        b"LU" => part(body, 0, 6) % 89 == part(body, 6, 8),
        b"LV" => lv_vat(body),
        b"MT" => (u64::from(weighted(body, &[3, 4, 6, 7, 8, 9])) + part(body, 6, 8)).is_multiple_of(37),
        b"NL" => nl_bsn(body.get(..9).unwrap_or_default()) || nl_vat(id),
        b"PL" => pl_nip(body),
        b"PT" => pt_nif(body),
        b"RO" => ro_vat(body),
        b"SE" => luhn(body.get(..10).unwrap_or_default()) && body.ends_with(b"01"),
        b"SI" => si_tax(body),
        b"SK" => number(body).is_multiple_of(11) && worth_at(body, 0) > 0,
        b"NO" => no_organisation(body.get(..9).unwrap_or_default()),
        _ => false,
    }
}

fn at_vat(body: &[u8]) -> bool {
    let sum = folded(body, &[0, 1, 2, 1, 2, 1, 2, 1], 10);
    (96 - sum) % 10 == worth_at(body, 8)
}

fn bg_vat(body: &[u8]) -> bool {
    let first = weighted(body, &[1, 2, 3, 4, 5, 6, 7, 8]) % 11;
    let check = if first < 10 { first } else { weighted(body, &[3, 4, 5, 6, 7, 8, 9, 10]) % 11 % 10 };
    check == worth_at(body, 8)
}

fn cy_vat(body: &[u8]) -> bool {
    const ODD: [u32; 10] = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21];
    let sum: u32 = (0..8)
        .map(|idx| if idx % 2 == 0 { ODD[worth_at(body, idx) as usize % 10] } else { worth_at(body, idx) })
        .sum();
    sum % 26 + 10 == worth_at(body, 8)
}

fn fr_vat(body: &[u8]) -> bool {
    let digits = body.get(2..).unwrap_or_default();
    let numeric = body.iter().take(2).all(u8::is_ascii_digit);
    luhn(digits) && (!numeric || (12 + 3 * (number(digits) % 97)) % 97 == part(body, 0, 2))
}

fn gb_vat(body: &[u8]) -> bool {
    let sum = u64::from(weighted(body, &EIGHT_DOWN)) + part(body, 7, 9);
    sum.is_multiple_of(97) || (sum + 55).is_multiple_of(97)
}

fn lv_vat(body: &[u8]) -> bool {
    worth_at(body, 0) > 3 && weighted(body, &[9, 1, 4, 8, 3, 10, 2, 5, 7, 6, 1]) % 11 == 3
}

/// The numbers of sole traders since 2020 are valid as a whole, letters counting ten and more.
fn nl_vat(id: &[u8]) -> bool {
    let rest = id.iter().fold(0, |rest, &byte| {
        let value = worth(byte);
        if value > 9 { (rest * 100 + value) % 97 } else { (rest * 10 + value) % 97 }
    });
    rest == 1
}

fn ro_vat(body: &[u8]) -> bool {
    let Some((&last, digits)) = body.split_last() else { return false };
    let sum: u32 = digits
        .iter()
        .rev()
        .zip([2, 3, 5, 7, 1, 2, 3, 5, 7])
        .map(|(&byte, weight)| worth(byte) * weight)
        .sum();
    sum * 10 % 11 % 10 == worth(last)
}
