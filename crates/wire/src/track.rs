//! Where a walk over a document stands in a table of paths.

use obelus_json::Bracket;

/// Paths as a tree: one node a segment. `*` leads from any member or element that is not named.
#[derive(Debug)]
pub(crate) struct Table<M> {
    /// The first is the root.
    nodes: Vec<Node<M>>,
}

#[derive(Debug)]
struct Node<M> {
    named: Vec<(Box<[u8]>, Step<M>)>,
    any: Step<M>,
}

/// Where a path leads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step<M> {
    /// Index of the node and one; zero outside of the tree.
    node: u32,
    /// What is said of a value there.
    pub(crate) mark: Option<M>,
}

impl<M: Copy> Step<M> {
    const OUTSIDE: Step<M> = Step { node: 0, mark: None };

    /// Whether anything is said of what is below.
    pub(crate) fn goes_on(self) -> bool {
        self.node != 0
    }
}

impl<M: Copy> Table<M> {
    pub(crate) fn new() -> Table<M> {
        Table { nodes: vec![Node { named: Vec::new(), any: Step::OUTSIDE }] }
    }

    /// Adds a path: names and `*`, each behind a slash.
    pub(crate) fn add(&mut self, path: &str, mark: M) {
        let mut at = 0;
        let mut segments = path.split('/').skip(1).peekable();
        while let Some(segment) = segments.next() {
            let new = self.nodes.len();
            let node = &mut self.nodes[at];
            let step = if segment == "*" {
                &mut node.any
            } else {
                let known = node.named.iter().position(|(name, _)| **name == *segment.as_bytes());
                let idx = known.unwrap_or_else(|| {
                    node.named.push((segment.as_bytes().into(), Step::OUTSIDE));
                    node.named.len() - 1
                });
                &mut node.named[idx].1
            };
            if segments.peek().is_none() {
                step.mark = Some(mark);
            } else if step.node == 0 {
                step.node = u32::try_from(new + 1).unwrap_or(0);
                self.nodes.push(Node { named: Vec::new(), any: Step::OUTSIDE });
                at = new;
            } else {
                at = step.node as usize - 1;
            }
        }
    }

    fn member(&self, from: Step<M>, name: &[u8]) -> Step<M> {
        let Some(node) = self.node(from) else { return Step::OUTSIDE };
        node.named.iter().find(|(known, _)| **known == *name).map_or(node.any, |(_, step)| *step)
    }

    fn element(&self, from: Step<M>) -> Step<M> {
        self.node(from).map_or(Step::OUTSIDE, |node| node.any)
    }

    fn node(&self, step: Step<M>) -> Option<&Node<M>> {
        (step.node as usize).checked_sub(1).and_then(|idx| self.nodes.get(idx))
    }
}

/// An open container that a table knows.
#[derive(Debug)]
struct Frame<M> {
    at: Step<M>,
    is_array: bool,
    /// In an object: where the current member leads.
    next: Step<M>,
}

/// Follows brackets and names.
#[derive(Debug)]
pub(crate) struct Track<M> {
    frames: Vec<Frame<M>>,
    /// Containers open that no table knows.
    outside: usize,
}

impl<M: Copy> Track<M> {
    pub(crate) fn new() -> Track<M> {
        Track { frames: Vec::new(), outside: 0 }
    }

    /// Where the value that comes next stands.
    pub(crate) fn here(&self, table: &Table<M>) -> Step<M> {
        match self.frames.last() {
            _ if self.outside > 0 => Step::OUTSIDE,
            None => Step { node: 1, mark: None },
            Some(top) if top.is_array => table.element(top.at),
            Some(top) => top.next,
        }
    }

    /// Goes into a container; says whether the table knows it.
    pub(crate) fn open(&mut self, table: &Table<M>, bracket: Bracket) -> bool {
        let at = self.here(table);
        if !at.goes_on() {
            self.outside += 1;
            return false;
        }
        self.frames.push(Frame { at, is_array: bracket == Bracket::Array, next: Step::OUTSIDE });
        true
    }

    /// Leaves one; says whether the table knew it.
    pub(crate) fn close(&mut self) -> bool {
        if self.outside > 0 {
            self.outside -= 1;
            return false;
        }
        self.frames.pop().is_some()
    }

    /// A member begins; says whether the table knows its object.
    pub(crate) fn name(&mut self, table: &Table<M>, name: &[u8]) -> bool {
        let Some(top) = self.frames.last_mut().filter(|_| self.outside == 0) else { return false };
        top.next = table.member(top.at, name);
        true
    }
}
