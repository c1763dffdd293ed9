//! Hashes of leaves and nodes, and the tree over all records, as RFC 6962 (2.1) defines them.

use ring::digest::{Context, SHA256};

/// A SHA-256.
pub type Hash = [u8; 32];

/// What stands before the bytes of a leaf, so that no leaf is a node.
const LEAF: &[u8] = &[0];
const NODE: &[u8] = &[1];

/// The hash of a leaf whose bytes come in parts.
pub(crate) fn leaf(parts: &[&[u8]]) -> Hash {
    hash([LEAF].iter().chain(parts))
}

fn node(left: &Hash, right: &Hash) -> Hash {
    hash([NODE, left, right].iter())
}

/// The hash of bytes that come in parts.
pub(crate) fn hash<'a>(parts: impl Iterator<Item = &'a &'a [u8]>) -> Hash {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut hash = Hash::default();
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// A tree that grows at its end. It keeps the roots of its full subtrees only: one for each bit of its size that is set.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tree {
    size: u64,
    /// The largest subtree first.
    peaks: Vec<Hash>,
}

impl Tree {
    /// The tree of that size with these subtrees, the largest first, if there are as many as that size has.
    pub fn from_peaks(size: u64, peaks: Vec<Hash>) -> Option<Tree> {
        (u64::try_from(peaks.len()) == Ok(u64::from(size.count_ones()))).then_some(Tree { size, peaks })
    }

    /// How many leaves it has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of its full subtrees, the largest first.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Adds the hash of a leaf.
    pub fn push(&mut self, leaf: Hash) {
        let mut root = leaf;
        for _ in 0..self.size.trailing_ones() {
            // There is a peak for each bit that is set.
            let Some(left) = self.peaks.pop() else { break };
            root = node(&left, &root);
        }
        self.peaks.push(root);
        self.size += 1;
    }

    /// The root over all leaves.
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(&last) = peaks.next() else { return hash([].iter()) };
        peaks.fold(last, |right, left| node(left, &right))
    }
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(hash: &Hash) -> [u8; 64] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 64];
    for (pair, byte) in text.chunks_exact_mut(2).zip(hash) {
        pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    text
}

/// The same as text.
pub(crate) fn hex_text(hash: &Hash) -> String {
    hex(hash).iter().copied().map(char::from).collect()
}

/// The hash that lower-case hexadecimal digits say, if there are 64 of them and nothing else.
pub(crate) fn unhex(text: &[u8]) -> Option<Hash> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut hash = Hash::default();
    if text.len() != 2 * hash.len() {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(text.chunks_exact(2)) {
        let &[high, low] = pair else { return None };
        *byte = digit(high)? << 4 | digit(low)?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Leaves of the test suite of the reference implementation of Certificate Transparency.
    const LEAVES: [&str; 8] =
        ["", "\0", "\x10", "\x20\x21", "\x30\x31", "\x40\x41\x42\x43", "PQRSTUVW", "`abcdefghijklmno"];

    /// The roots that it names for the first none, one, two … of them.
    const ROOTS: [&str; 9] = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    #[test]
    fn roots_are_those_of_the_reference_implementation() {
        let mut tree = Tree::default();
        for (size, wanted) in ROOTS.into_iter().enumerate() {
            assert_eq!(hex_text(&tree.root()), wanted, "{size}");
            let again = Tree::from_peaks(tree.size(), tree.peaks().to_vec());
            assert_eq!(again.as_ref(), Some(&tree));
            if let Some(text) = LEAVES.get(size) {
                tree.push(leaf(&[text.as_bytes()]));
            }
        }
    }

    /// The definition, as RFC 6962 states it.
    fn defined(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => hash([].iter()),
            [only] => *only,
            _ => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                node(&defined(left), &defined(right))
            }
        }
    }

    #[test]
    fn a_tree_that_grows_has_the_root_that_is_defined() {
        let leaves: Vec<Hash> = (0..200_u8).map(|at| leaf(&[&[at]])).collect();
        let mut tree = Tree::default();
        for (size, leaf) in leaves.iter().enumerate() {
            assert_eq!(tree.root(), defined(&leaves[..size]), "{size}");
            tree.push(*leaf);
        }
    }

    #[test]
    fn digits_are_read_as_they_are_written_and_no_others() {
        let hash = leaf(&[b"x"]);
        assert_eq!(unhex(&hex(&hash)), Some(hash));
        assert_eq!(unhex(hex_text(&hash).to_uppercase().as_bytes()), None);
        assert_eq!(unhex(&hex(&hash)[1..]), None);
        assert_eq!(Tree::from_peaks(3, vec![hash]), None);
    }
}
