//! The key of hashes: from a file or the environment, never from an argument, which others on the machine can see.

use crate::failure::Failure;
use crate::input::display_name;
use std::path::Path;
use std::{env, fs};

/// The variable that holds the key if no file is named.
const VARIABLE: &str = "OBELUS_HASH_KEY";

/// What a user can do who has given none.
pub(crate) const REMEDY: &str = "name a file with --hash-key-file, or set OBELUS_HASH_KEY";

/// A key and where it came from. Has no `Debug`, so that it cannot be shown.
pub(crate) struct Key {
    pub(crate) bytes: Vec<u8>,
    pub(crate) origin: String,
}

/// Reads the key, if one is given. A file wins over the environment.
pub(crate) fn read(file: Option<&Path>) -> Result<Option<Key>, Failure> {
    let Some(path) = file else {
        let value = env::var_os(VARIABLE);
        return Ok(value.map(|value| Key { bytes: value.into_encoded_bytes(), origin: VARIABLE.to_owned() }));
    };
    let origin = display_name(path);
    match fs::read(path) {
        Ok(bytes) => Ok(Some(Key { bytes: without_line_break(bytes), origin })),
        Err(error) => {
            Err(Failure::usage(format!("{origin}: cannot read the hash key: {error}: check the path")))
        }
    }
}

/// Text files end with a line break, which is no part of what was meant.
fn without_line_break(mut bytes: Vec<u8>) -> Vec<u8> {
    for sign in [b'\n', b'\r'] {
        if bytes.last() == Some(&sign) {
            bytes.pop();
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_break_at_the_end_is_no_part_of_a_key() {
        for (text, wanted) in [("key", "key"), ("key\n", "key"), ("key\r\n", "key"), ("key\n\n", "key\n")] {
            assert_eq!(without_line_break(text.into()), wanted.as_bytes());
        }
    }
}
