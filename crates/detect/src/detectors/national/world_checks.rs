//! What makes an id of a state outside Europe valid.

use super::check::{
    complement_10, complement_11, folded, is_date, is_milliseconds, is_uniform, is_ymd, luhn, number, part,
    verhoeff, weighted, worth, worth_at,
};

pub(super) fn us_itin(id: &[u8]) -> bool {
    worth_at(id, 0) == 9 && matches!(part(id, 3, 5), 50..=65 | 70..=88 | 90..=92 | 94..=99)
}

pub(super) fn us_npi(id: &[u8]) -> bool {
    // The sum runs over the prefix 80840 as well, which adds 24.
    (folded(id, &[2, 1, 2, 1, 2, 1, 2, 1, 2, 1], 10) + 24).is_multiple_of(10)
}

/// The letters leave out those that look like digits.
pub(super) fn us_mbi(id: &[u8]) -> bool {
    worth_at(id, 0) > 0 && !id.iter().any(|byte| b"SLOIBZ".contains(byte))
}

pub(super) fn us_dea(id: &[u8]) -> bool {
    let sum = weighted(id, &[0, 0, 1, 2, 1, 2, 1, 2]);
    b"ABCDEFGHJKLMPRSTUX".contains(&id[0]) && sum % 10 == worth_at(id, 8)
}

pub(super) fn ca_sin(id: &[u8]) -> bool {
    !matches!(worth_at(id, 0), 0 | 8) && luhn(id)
}

pub(super) fn ca_bn(id: &[u8]) -> bool {
    luhn(id.get(..9).unwrap_or_default())
}

pub(super) fn ca_phn(id: &[u8]) -> bool {
    let rest = weighted(id.get(1..).unwrap_or_default(), &[2, 4, 8, 5, 10, 9, 7, 3]) % 11;
    worth_at(id, 0) == 9 && (11 - rest) % 11 == worth_at(id, 9)
}

pub(super) fn au_tfn(id: &[u8]) -> bool {
    let sum = if id.len() == 8 {
        weighted(id, &[10, 7, 8, 4, 6, 3, 5, 1])
    } else {
        weighted(id, &[1, 4, 3, 7, 5, 8, 6, 9, 10])
    };
    sum.is_multiple_of(11) && !is_uniform(id)
}

pub(super) fn au_medicare(id: &[u8]) -> bool {
    matches!(worth_at(id, 0), 2..=6) && weighted(id, &[1, 3, 7, 9, 1, 3, 7, 9]) % 10 == worth_at(id, 8)
}

pub(super) fn au_abn(id: &[u8]) -> bool {
    let sum = weighted(id, &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
    worth_at(id, 0) > 0 && (sum - 10).is_multiple_of(89)
}

pub(super) fn au_acn(id: &[u8]) -> bool {
    complement_10(id, &[8, 7, 6, 5, 4, 3, 2, 1])
}

pub(super) fn nz_ird(id: &[u8]) -> bool {
    let id = id.strip_prefix(b"NZ").unwrap_or(id);
    let skip = usize::from(id.len() == 8);
    let body = id.len() - 1;
    let sum = |weights: &[u32; 8]| weighted(&id[..body], &weights[skip..]) % 11;
    let first = (11 - sum(&[3, 2, 7, 6, 5, 4, 3, 2])) % 11;
    let check = if first < 10 { first } else { (11 - sum(&[7, 4, 3, 2, 5, 2, 7, 6])) % 11 };
    (10_000_000..150_000_000).contains(&number(id)) && check == worth_at(id, body)
}

pub(super) fn in_aadhaar(id: &[u8]) -> bool {
    worth_at(id, 0) >= 2 && verhoeff(id)
}

/// The fourth letter says what kind of person it is.
pub(super) fn in_pan(id: &[u8]) -> bool {
    id.get(3).is_some_and(|kind| b"ABCFGHJLPT".contains(kind))
}

/// State, permanent account number, entity: a form that nothing else has.
pub(super) fn in_gstin_form(id: &[u8]) -> bool {
    matches!(part(id, 0, 2), 1..=38 | 97 | 99) && worth_at(id, 12) > 0
}

pub(super) fn in_voter(id: &[u8]) -> bool {
    luhn(id.get(3..).unwrap_or_default())
}

pub(super) fn br_cpf(id: &[u8]) -> bool {
    let check = |weights: &[u32]| weighted(id, weights) * 10 % 11 % 10 == worth_at(id, weights.len());
    check(&[10, 9, 8, 7, 6, 5, 4, 3, 2]) && check(&[11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) && !is_uniform(id)
}

pub(super) fn br_cnpj(id: &[u8]) -> bool {
    const WEIGHTS: [u32; 13] = [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2];
    // Letters, which there are from July 2026 on, count as their code less that of the zero.
    let check = |weights: &[u32]| {
        let sum: u32 = id.iter().zip(weights).map(|(&byte, weight)| u32::from(byte - b'0') * weight).sum();
        (11 - sum % 11) % 11 % 10 == worth_at(id, weights.len())
    };
    check(&WEIGHTS[1..]) && check(&WEIGHTS) && !is_uniform(id)
}

pub(super) fn br_pis(id: &[u8]) -> bool {
    complement_11(id, &[3, 2, 9, 8, 7, 6, 5, 4, 3, 2]) && !is_uniform(id)
}

pub(super) fn ar_cuit(id: &[u8]) -> bool {
    let sum = weighted(id, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]);
    let check = (11 - sum % 11) % 11;
    matches!(part(id, 0, 2), 20 | 23 | 24 | 25 | 26 | 27 | 30 | 33 | 34 | 50 | 51 | 55)
        && check == worth_at(id, 10)
}

pub(super) fn cl_rut(id: &[u8]) -> bool {
    let id = id.strip_prefix(b"CL").unwrap_or(id);
    let Some((&last, body)) = id.split_last() else { return false };
    let sum: u32 = body
        .iter()
        .rev()
        .zip([2, 3, 4, 5, 6, 7].into_iter().cycle())
        .map(|(&b, weight)| worth(b) * weight)
        .sum();
    match (11 - sum % 11) % 11 {
        10 => last == b'K',
        check => last.is_ascii_digit() && worth(last) == check,
    }
}

pub(super) fn co_nit(id: &[u8]) -> bool {
    const WEIGHTS: [u32; 15] = [3, 7, 13, 17, 19, 23, 29, 37, 41, 43, 47, 53, 59, 67, 71];
    let Some((&last, body)) = id.split_last() else { return false };
    let rest = body.iter().rev().zip(WEIGHTS).map(|(&byte, weight)| worth(byte) * weight).sum::<u32>() % 11;
    (if rest < 2 { rest } else { 11 - rest }) == worth(last)
}

pub(super) fn mx_curp(id: &[u8]) -> bool {
    // The letters count as in an alphabet that has an Ñ behind the N.
    let place = |byte: u8| worth(byte) + u32::from(byte > b'N');
    let sum: u32 = (2..=18).rev().zip(id).map(|(weight, &byte)| weight * place(byte)).sum();
    is_ymd(id, 4) && matches!(id[10], b'H' | b'M' | b'X') && (10 - sum % 10) % 10 == worth_at(id, 17)
}

pub(super) fn mx_rfc(id: &[u8]) -> bool {
    let date_at = id.len() - 9;
    // A company has one letter less, and a blank counts 37 in its place.
    let place = |byte: u8| worth(byte) + u32::from(byte > b'N');
    let lead = if date_at == 3 { 37 * 13 } else { 0 };
    let weights = (2..=if date_at == 3 { 12 } else { 13 }).rev();
    let sum: u32 = lead + weights.zip(id).map(|(weight, &byte)| weight * place(byte)).sum::<u32>();
    let check = match (11 - sum % 11) % 11 {
        10 => b'A',
        digit => b"0123456789"[digit as usize % 10],
    };
    is_ymd(id, date_at) && id.last() == Some(&check)
}

pub(super) fn pe_ruc(id: &[u8]) -> bool {
    let check = (11 - weighted(id, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 10;
    matches!(part(id, 0, 2), 10 | 15 | 17 | 20) && check == worth_at(id, 10)
}

pub(super) fn ec_cedula(id: &[u8]) -> bool {
    matches!(part(id, 0, 2), 1..=24 | 30) && worth_at(id, 2) < 6 && luhn(id)
}

pub(super) fn uy_rut(id: &[u8]) -> bool {
    let id = id.strip_prefix(b"UY").unwrap_or(id);
    matches!(part(id, 0, 2), 1..=21) && complement_11(id, &[4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2])
}

pub(super) fn ve_rif(id: &[u8]) -> bool {
    let kind = match id.first() {
        Some(b'V') => 4,
        Some(b'E') => 8,
        Some(b'J') => 12,
        Some(b'P') => 16,
        Some(b'G') => 20,
        _ => return false,
    };
    let sum = kind + weighted(id.get(1..).unwrap_or_default(), &[3, 2, 7, 6, 5, 4, 3, 2]);
    (11 - sum % 11) % 11 % 10 == worth_at(id, 9)
}

pub(super) fn do_cedula(id: &[u8]) -> bool {
    luhn(id) && !is_uniform(id)
}

pub(super) fn cn_ric(id: &[u8]) -> bool {
    let rest = weighted(id, &[7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]) % 11;
    matches!(part(id, 0, 2), 11..=15 | 21..=23 | 31..=37 | 41..=46 | 50..=54 | 61..=65 | 71 | 81..=83)
        && matches!(part(id, 6, 8), 18..=20)
        && is_ymd(id, 8)
        && id.get(17) == Some(&b"10X98765432"[rest as usize % 11])
}

/// Since October 2020 the last digit of new numbers checks nothing.
pub(super) fn kr_rrn_form(id: &[u8]) -> bool {
    is_ymd(id, 0) && matches!(worth_at(id, 6), 1..=8)
}

pub(super) fn kr_rrn(id: &[u8]) -> bool {
    let sum = weighted(id, &[2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]);
    // Numbers of foreigners add two.
    let extra = if worth_at(id, 6) > 4 { 2 } else { 0 };
    kr_rrn_form(id) && ((11 - sum % 11) % 10 + extra) % 10 == worth_at(id, 12)
}

/// Thirteen digits alone may be a time.
pub(super) fn kr_rrn_bare(id: &[u8]) -> bool {
    kr_rrn(id) && !is_milliseconds(id)
}

/// Alone, the number must be one of a tax office.
pub(super) fn kr_brn_bare(id: &[u8]) -> bool {
    kr_brn(id) && part(id, 0, 3) > 100
}

pub(super) fn kr_brn(id: &[u8]) -> bool {
    let sum = weighted(id, &[1, 3, 7, 1, 3, 7, 1, 3]) + worth_at(id, 8) * 5 / 10 + worth_at(id, 8) * 5;
    (sum + worth_at(id, 9)).is_multiple_of(10)
}

pub(super) fn jp_my_number(id: &[u8]) -> bool {
    let rest = weighted(id, &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
    (if rest < 2 { 0 } else { 11 - rest }) == worth_at(id, 11) && !is_uniform(id)
}

pub(super) fn jp_corporate(id: &[u8]) -> bool {
    let sum = weighted(id.get(1..).unwrap_or_default(), &[2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1]);
    9 - sum % 9 == worth_at(id, 0)
}

pub(super) fn sg_nric(id: &[u8]) -> bool {
    let sum = weighted(id.get(1..).unwrap_or_default(), &[2, 7, 6, 5, 4, 3, 2]);
    let letter = match id.first() {
        Some(b'S') => b"JZIHGFEDCBA"[sum as usize % 11],
        Some(b'T') => b"JZIHGFEDCBA"[(sum as usize + 4) % 11],
        Some(b'F') => b"XWUTRQPNMLK"[sum as usize % 11],
        Some(b'G') => b"XWUTRQPNMLK"[(sum as usize + 4) % 11],
        Some(b'M') => b"KLJNPQRTUWX"[10 - (sum as usize + 3) % 11],
        _ => return false,
    };
    id.get(8) == Some(&letter)
}

/// Of a local company: the year, a serial, a letter.
pub(super) fn sg_company(id: &[u8]) -> bool {
    if id.len() == 10 && id[0].is_ascii_digit() {
        let rest = weighted(id, &[10, 8, 6, 4, 9, 7, 5, 3, 1]) % 11;
        return matches!(part(id, 0, 4), 1850..=2099) && id[9] == b"ZKCMDNERGWH"[rest as usize % 11];
    }
    if id.len() == 9 {
        let rest = weighted(id, &[10, 4, 9, 3, 8, 2, 7, 1]) % 11;
        return id[8] == b"XMKECAWLJDB"[rest as usize % 11];
    }
    const ALPHABET: &[u8; 36] = b"ABCDEFGHJKLMNPQRSTUVWX0123456789____";
    let sum: usize = id
        .iter()
        .zip([4, 3, 5, 3, 10, 2, 2, 5, 7])
        .map(|(byte, weight)| ALPHABET.iter().position(|sign| sign == byte).unwrap_or(0) * weight)
        .sum();
    matches!(id[0], b'R' | b'S' | b'T') && id.get(9) == Some(&ALPHABET[(sum + 11 - 5) % 11])
}

pub(super) fn th_id(id: &[u8]) -> bool {
    let sum = weighted(id, &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
    (11 - sum % 11) % 10 == worth_at(id, 12) && !is_uniform(id)
}

pub(super) fn tw_id(id: &[u8]) -> bool {
    // Ten and more for each letter, in an order of their own.
    let Some(value) =
        (10..).zip(b"ABCDEFGHJKLMNPQRSTUVXYWZIO").find(|(_, letter)| id.first() == Some(letter))
    else {
        return false;
    };
    let serial = weighted(id.get(1..).unwrap_or_default(), &[8, 7, 6, 5, 4, 3, 2, 1, 1]);
    let sum: u32 = value.0 / 10 + value.0 % 10 * 9 + serial;
    matches!(id.get(1), Some(b'1' | b'2' | b'8' | b'9')) && sum.is_multiple_of(10)
}

pub(super) fn tw_ubn(id: &[u8]) -> bool {
    let sum = folded(id, &[1, 2, 1, 2, 1, 2, 4, 1], 10);
    sum.is_multiple_of(5) || worth_at(id, 6) == 7 && (sum + 1).is_multiple_of(5)
}

pub(super) fn hk_id(id: &[u8]) -> bool {
    let letters = id.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    // A blank before a single letter counts 36.
    let lead = if letters == 1 { 36 * 9 } else { 0 };
    let weights: &[u32] = if letters == 1 { &[8, 7, 6, 5, 4, 3, 2, 1] } else { &[9, 8, 7, 6, 5, 4, 3, 2, 1] };
    (lead + weighted(id, weights)).is_multiple_of(11)
}

pub(super) fn my_nric(id: &[u8]) -> bool {
    is_ymd(id, 0)
        && matches!(part(id, 6, 8), 1..=16 | 21..=59 | 60..=68 | 71 | 72 | 74..=79 | 82..=93 | 98 | 99)
}

/// Women have forty more in the day.
pub(super) fn id_nik(id: &[u8]) -> bool {
    let day = part(id, 6, 8);
    matches!(part(id, 0, 2), 11..=99) && is_date(part(id, 8, 10), if day > 40 { day - 40 } else { day })
}

pub(super) fn id_npwp(id: &[u8]) -> bool {
    luhn(id.get(..9).unwrap_or_default()) || id.len() == 16 && luhn(id.get(1..10).unwrap_or_default())
}

pub(super) fn vn_mst(id: &[u8]) -> bool {
    let sum = weighted(id, &[31, 29, 23, 19, 17, 13, 7, 5, 3]);
    sum % 11 < 10 && 10 - sum % 11 == worth_at(id, 9)
}

pub(super) fn il_id(id: &[u8]) -> bool {
    luhn(id) && number(id) > 0
}

pub(super) fn za_id(id: &[u8]) -> bool {
    is_ymd(id, 0) && worth_at(id, 10) < 3 && luhn(id)
}

/// Alone, the last digit but one must be the eight or nine that is left of a former use, and the whole no time.
pub(super) fn za_id_bare(id: &[u8]) -> bool {
    za_id(id) && worth_at(id, 11) > 7 && !is_milliseconds(id)
}

pub(super) fn kz_iin(id: &[u8]) -> bool {
    let first = weighted(id, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]) % 11;
    let check = if first < 10 { first } else { weighted(id, &[3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2]) % 11 };
    is_ymd(id, 0) && check == worth_at(id, 11)
}

/// The number of a bank in the United States, by its regions.
pub(super) fn us_routing(id: &[u8]) -> bool {
    let region = part(id, 0, 2);
    matches!(region, 0..=12 | 21..=32 | 61..=72 | 80)
        && weighted(id, &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10)
        && number(id) > 0
}

pub(super) fn mx_clabe(id: &[u8]) -> bool {
    let sum: u32 = id
        .iter()
        .take(17)
        .zip([3, 7, 1].into_iter().cycle())
        .map(|(&byte, weight)| worth(byte) * weight % 10)
        .sum();
    (10 - sum % 10) % 10 == worth_at(id, 17)
}

pub(super) fn ar_cbu(id: &[u8]) -> bool {
    complement_10(id, &[7, 1, 3, 9, 7, 1, 3])
        && complement_10(id.get(8..).unwrap_or_default(), &[3, 9, 7, 1, 3, 9, 7, 1, 3, 9, 7, 1, 3])
}

pub(super) fn eg_national(id: &[u8]) -> bool {
    matches!(worth_at(id, 0), 2 | 3) && is_ymd(id, 1)
}
