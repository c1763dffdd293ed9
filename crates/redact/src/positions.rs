//! Places in a document that are not read like the others, by exact path.

use crate::redactor::BuildError;

/// How values are read.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Reading {
    /// By the names of members and by the detectors.
    #[default]
    Whole,
    /// By the detectors alone: names of members say nothing there.
    Text,
    /// For what may never stay (secrets, card numbers, verification codes, links that grant access). Everything else
    /// stays, and is reported as allowed.
    Exempt,
}

/// Paths as a tree: one node a segment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Positions {
    /// The first is the root; empty if no place is special.
    nodes: Vec<Node>,
}

#[derive(Clone, Debug, Default)]
struct Node {
    named: Vec<(Box<[u8]>, Spot)>,
    /// Where every other member and every element leads.
    any: Option<Spot>,
}

/// Where the engine stands in the tree, and how it reads there.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Spot {
    /// Index of the node and one; zero outside of the tree.
    node: u32,
    pub(crate) reading: Reading,
}

impl Spot {
    /// Whether places below it may be read otherwise.
    #[inline]
    pub(crate) fn is_special(self) -> bool {
        self.node != 0
    }
}

impl Positions {
    /// Adds a place, with everything below it. Nothing if the path is none.
    pub(crate) fn add(&mut self, path: &str, reading: Reading) -> Result<(), BuildError> {
        let segments = path.strip_prefix('/').filter(|rest| !rest.is_empty() && !rest.contains('~'));
        let Some(segments) = segments else { return Err(BuildError::position(path)) };
        if self.nodes.is_empty() {
            self.nodes.push(Node::default());
        }
        let mut at = 0;
        let mut segments = segments.split('/').peekable();
        while let Some(segment) = segments.next() {
            let new = self.nodes.len();
            let node = &mut self.nodes[at];
            let spot = if segment == "*" {
                node.any.get_or_insert_default()
            } else {
                let name = segment.as_bytes();
                let known = node.named.iter().position(|(known, _)| **known == *name);
                let idx = known.unwrap_or_else(|| {
                    node.named.push((name.into(), Spot::default()));
                    node.named.len() - 1
                });
                &mut node.named[idx].1
            };
            if segments.peek().is_none() {
                spot.reading = reading;
            } else if spot.node == 0 {
                spot.node = u32::try_from(new + 1).unwrap_or(0);
                self.nodes.push(Node::default());
                at = new;
            } else {
                at = spot.node as usize - 1;
            }
        }
        Ok(())
    }

    /// Where a document begins.
    pub(crate) fn root(&self) -> Spot {
        Spot { node: u32::from(!self.nodes.is_empty()), reading: Reading::Whole }
    }

    /// Whether any place is read for what may never stay only.
    pub(crate) fn exempts(&self) -> bool {
        let spots =
            |node: &Node| node.named.iter().map(|(_, spot)| *spot).chain(node.any).collect::<Vec<_>>();
        self.nodes.iter().flat_map(spots).any(|spot| spot.reading == Reading::Exempt)
    }

    /// Where the member of that name leads.
    #[inline]
    pub(crate) fn member(&self, from: Spot, name: &[u8]) -> Spot {
        match self.node(from) {
            None => Spot { node: 0, ..from },
            Some(node) => {
                let named = node.named.iter().find(|(known, _)| **known == *name).map(|(_, spot)| *spot);
                below(from, named.or(node.any))
            }
        }
    }

    /// Where an element leads.
    #[inline]
    pub(crate) fn element(&self, from: Spot) -> Spot {
        match self.node(from) {
            None => Spot { node: 0, ..from },
            Some(node) => below(from, node.any),
        }
    }

    #[inline]
    fn node(&self, spot: Spot) -> Option<&Node> {
        (spot.node as usize).checked_sub(1).and_then(|idx| self.nodes.get(idx))
    }
}

/// The place below `around`: what is special stays so.
fn below(around: Spot, spot: Option<Spot>) -> Spot {
    let spot = spot.unwrap_or_default();
    if spot.reading == Reading::Whole { Spot { reading: around.reading, ..spot } } else { spot }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_their_reading() {
        let mut positions = Positions::default();
        for (path, reading) in
            [("/tools/*/schema", Reading::Text), ("/tools/*/id", Reading::Exempt), ("/id", Reading::Exempt)]
        {
            positions.add(path, reading).unwrap();
        }
        let tool = positions.element(positions.member(positions.root(), b"tools"));
        assert_eq!(tool.reading, Reading::Whole);
        assert_eq!(positions.member(tool, b"id").reading, Reading::Exempt);
        assert_eq!(positions.member(tool, b"name").reading, Reading::Whole);
        let schema = positions.member(tool, b"schema");
        assert_eq!(positions.member(positions.member(schema, b"properties"), b"id").reading, Reading::Text);
        assert_eq!(positions.member(positions.root(), b"id").reading, Reading::Exempt);
        assert!(positions.exempts());
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for path in ["", "/", "id", "/a~1b"] {
            assert!(Positions::default().add(path, Reading::Text).is_err(), "{path}");
        }
    }
}
