//! Cells of tables in text, and what their columns are called.

use crate::view::View;

/// How long a text before a cell may be: its first line must be in sight.
const REACH: usize = 118;

/// The name of the column of the cell that begins at `start`, if the text is a table whose first line is in sight.
pub(super) fn header<'t>(view: &View<'t>, start: usize) -> Option<&'t [u8]> {
    if start == 0 || start > REACH {
        return None;
    }
    let before = view.bytes(0, start);
    let line = before.iter().rposition(|&byte| byte == b'\n')? + 1;
    let cells = before.get(line..)?;
    let first_end = before.iter().position(|&byte| byte == b'\n')?;
    let first = before.get(..first_end)?;
    let separator = *[b',', b'\t', b';', b'|'].iter().find(|separator| first.contains(separator))?;
    if !cells.is_empty() && cells.last() != Some(&separator) {
        return None;
    }
    let column = cells.iter().filter(|&&byte| byte == separator).count();
    let name = first.split(|&byte| byte == separator).nth(column)?.trim_ascii();
    let plain = |byte: &u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b' ' | b'-');
    (!name.is_empty() && name.iter().all(plain)).then_some(name)
}
