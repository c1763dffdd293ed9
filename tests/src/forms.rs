//! Forms from random bytes, and the same members as JSON.

use crate::cases::fill;
use crate::document::{Dice, PLANTED, document};
use serde_json::{Map, Value};

const NAMES: [&str; 26] = [
    "name",
    "email",
    "phone",
    "line1",
    "number",
    "cvc",
    "exp_month",
    "amount",
    "currency",
    "description",
    "object",
    "id",
    "customer",
    "firstName",
    "last_name",
    "country",
    "content",
    "value",
    "key",
    "x",
    "straße",
    "a/b~c",
    "note to self",
    "y",
    "z",
    "",
];

const HOLDERS: [&str; 8] =
    ["card", "billing_details", "address", "metadata", "owner", "data", "shipping", "previous_attributes"];

const VALUES: [&str; 13] = [
    "",
    "Jenny Rosen",
    "paid",
    "usd",
    "password",
    "T-shirt, size M (2 pieces)",
    "Größe 42 – schön",
    "customer",
    "product",
    "cus_ObelusTest0001",
    "[email]",
    "100% & more + 2=3",
    "a\\b\"c\\u0041",
];

/// A member: the way to it, a position instead of a name where it is `Err`, and its value.
#[derive(Clone, Debug)]
pub struct Field {
    /// The names on the way.
    pub way: Vec<Result<&'static str, usize>>,
    /// The decoded value.
    pub value: String,
}

/// Members of one object, each name once, those of one holder beside each other.
pub fn fields(bytes: &[u8]) -> Vec<Field> {
    let mut dice = Dice::new(bytes);
    let mut fields: Vec<Field> = Vec::new();
    let (mut names, mut holders) = (NAMES.to_vec(), HOLDERS.to_vec());
    for _ in 0..dice.roll(9) {
        if dice.once_in(3) && !holders.is_empty() {
            let holder = holders.swap_remove(dice.roll(holders.len()));
            let is_array = dice.once_in(4);
            // Brackets around nothing append.
            let mut names: Vec<&str> = NAMES.into_iter().filter(|name| !name.is_empty()).collect();
            for at in 0..1 + dice.roll(3) {
                let last = match is_array {
                    true => Err(at),
                    false => Ok(names.swap_remove(dice.roll(names.len()))),
                };
                fields.push(Field { way: vec![Ok(holder), last], value: value(&mut dice) });
            }
        } else if !names.is_empty() {
            let name = names.swap_remove(dice.roll(names.len()));
            fields.push(Field { way: vec![Ok(name)], value: value(&mut dice) });
        }
    }
    fields
}

fn value(dice: &mut Dice<'_>) -> String {
    match dice.roll(5) {
        0 => fill(dice.pick(&PLANTED)),
        1 => format!("{} {} {}", dice.pick(&VALUES), fill(dice.pick(&PLANTED)), dice.pick(&VALUES)),
        2 if dice.once_in(2) => {
            let seed: Vec<u8> = (0..40).map(|_| u8::try_from(dice.roll(256)).unwrap_or(0)).collect();
            String::from_utf8(document(&seed)).unwrap_or_default()
        }
        // Without escapes a text is as long in JSON as in a form, and length can matter to what becomes of it.
        2 if dice.once_in(8) => {
            let plain = &VALUES[..VALUES.len() - 1];
            format!("{} ", dice.pick(plain)).repeat(dice.roll(256))
        }
        _ => dice.pick(&VALUES).to_owned(),
    }
}

/// The members as a form, with as many escapes as the bytes say, none of which changes what is meant.
pub fn form(fields: &[Field], bytes: &[u8]) -> Vec<u8> {
    let mut dice = Dice::new(bytes);
    let mut out = String::new();
    for field in fields {
        if !out.is_empty() {
            out.push('&');
        }
        for (at, step) in field.way.iter().enumerate() {
            let bracket = |out: &mut String, raw: char, dice: &mut Dice<'_>| match dice.once_in(3) {
                true => out.push_str(&format!("%{:02x}", u32::from(raw))),
                false => out.push(raw),
            };
            if at > 0 {
                bracket(&mut out, '[', &mut dice);
            }
            match step {
                Ok(name) => encode(name, true, &mut dice, &mut out),
                Err(position) => out.push_str(&position.to_string()),
            }
            if at > 0 {
                bracket(&mut out, ']', &mut dice);
            }
        }
        out.push('=');
        encode(&field.value, false, &mut dice, &mut out);
    }
    out.into_bytes()
}

fn encode(text: &str, is_name: bool, dice: &mut Dice<'_>, out: &mut String) {
    let often = dice.pick(&[1, 3, 20, 256]);
    for unit in text.chars() {
        let must =
            matches!(unit, '%' | '&' | '+' | '\n' | '\r') || is_name && matches!(unit, '=' | '[' | ']');
        match unit {
            ' ' if !dice.once_in(4) => out.push('+'),
            _ if must || dice.once_in(often) => {
                let mut bytes = [0; 4];
                for byte in unit.encode_utf8(&mut bytes).bytes() {
                    out.push_str(&if dice.once_in(2) {
                        format!("%{byte:02x}")
                    } else {
                        format!("%{byte:02X}")
                    });
                }
            }
            _ => out.push(unit),
        }
    }
}

/// The members as a body of `multipart/form-data`.
pub fn multipart(fields: &[Field]) -> Vec<u8> {
    let mut out = String::new();
    for field in fields {
        let mut name = String::new();
        for (at, step) in field.way.iter().enumerate() {
            let step = step.map_or_else(|position| position.to_string(), str::to_owned);
            name.push_str(&if at > 0 { format!("[{step}]") } else { step });
        }
        let value = &field.value;
        out.push_str(&format!("--XyZ\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"));
    }
    out.push_str("--XyZ--\r\n");
    out.into_bytes()
}

/// The members as JSON.
pub fn json(fields: &[Field]) -> Vec<u8> {
    // Members stay in their order: a map would sort them.
    let mut parts: Vec<String> = Vec::new();
    let mut at = 0;
    while let Some(field) = fields.get(at) {
        let Some(Ok(first)) = field.way.first() else { break };
        let group: Vec<&Field> =
            fields[at..].iter().take_while(|other| other.way.first() == field.way.first()).collect();
        let quoted = |text: &str| Value::from(text).to_string();
        let value = match field.way.get(1) {
            None => quoted(&field.value),
            Some(Err(_)) => {
                let elements: Vec<String> = group.iter().map(|field| quoted(&field.value)).collect();
                format!("[{}]", elements.join(","))
            }
            Some(Ok(_)) => {
                let member = |field: &&Field| match field.way.get(1) {
                    Some(Ok(name)) => format!("{}:{}", quoted(name), quoted(&field.value)),
                    _ => String::new(),
                };
                let members: Vec<String> = group.iter().map(member).collect();
                format!("{{{}}}", members.join(","))
            }
        };
        parts.push(format!("{}:{value}", quoted(first)));
        at += group.len();
    }
    format!("{{{}}}", parts.join(",")).into_bytes()
}

/// The decoded values of a form, as servers decode them, under their decoded names.
#[expect(clippy::disallowed_methods, reason = "servers alter bytes that are no UTF-8, too")]
pub fn decoded(form: &[u8]) -> Vec<(String, String)> {
    let text = |part: &[u8]| {
        let mut bytes = Vec::new();
        let mut at = 0;
        while let Some(&byte) = part.get(at) {
            let hex = part.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
            match (byte, hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
                (b'%', Some(value)) => {
                    bytes.push(value);
                    at += 2;
                }
                (b'+', _) => bytes.push(b' '),
                _ => bytes.push(byte),
            }
            at += 1;
        }
        String::from_utf8_lossy(&bytes).into_owned()
    };
    form.split(|&byte| byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let end = pair.iter().position(|&byte| byte == b'=').unwrap_or(pair.len());
            (text(&pair[..end]), text(pair.get(end + 1..).unwrap_or_default()))
        })
        .collect()
}

/// The strings of a JSON object, and of those in it, in their order.
pub fn strings(json: &[u8]) -> Vec<String> {
    fn collect(value: &Value, into: &mut Vec<String>) {
        match value {
            Value::String(text) => into.push(text.clone()),
            Value::Array(elements) => elements.iter().for_each(|element| collect(element, into)),
            Value::Object(members) => members.values().for_each(|member| collect(member, into)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    let parsed: Map<String, Value> = serde_json::from_slice(json).unwrap_or_default();
    collect(&Value::Object(parsed), &mut found);
    found.sort();
    found
}
