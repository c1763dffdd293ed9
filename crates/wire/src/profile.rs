//! How a workflow's traffic is read.

use obelus::{CarryOver, Category, Level, Transform};

/// How a workflow's traffic is read. The default hides all that is found behind tokens, blocks media, and leaves
/// tokens in the arguments of tool calls.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Profile {
    /// Rule files: text and name. The first wins; all win over those that are built in.
    pub rules: Vec<(String, String)>,
    /// Allow-lists: text and name. They hold for requests and answers.
    pub allow: Vec<(String, String)>,
    /// What happens to each class of member names. Default: balanced.
    pub names: obelus::Profile,
    /// How strong the evidence of a finding must be. Default: likely.
    pub level: Level,
    /// If not empty: the only categories that are acted on.
    pub only: Vec<Category>,
    /// Categories that are not acted on.
    pub skip: Vec<Category>,
    /// What stands in place of findings in requests, unless a rule file says another for their category. Default:
    /// [`Transform::Token`]. In answers what the model invents gets its label, whatever this says.
    pub transform: Transform,
    /// The key of [`Transform::Hash`], if a transform needs it: at least 32 bytes.
    pub hash_key: Option<HashKey>,
    /// Where values that a request shows under a sensitive name are hidden besides. Default: in what follows.
    pub carry_over: CarryOver,
    /// What is done with pictures, sound and files in base64. Default: [`Media::Block`].
    pub media: Media,
    /// The arguments of tool calls in which tokens become values again. Elsewhere they stay, and whoever runs the
    /// tool has them opened.
    pub restore_arguments: Vec<RestoredArgument>,
    /// Whether tokens inside links in an answer become values again. Default: no, because whoever the link leads to
    /// gets what stands in it, and who shows a picture follows its link unasked.
    pub restore_links: bool,
}

impl Default for Profile {
    fn default() -> Profile {
        Profile {
            rules: Vec::new(),
            allow: Vec::new(),
            names: obelus::Profile::default(),
            level: Level::default(),
            only: Vec::new(),
            skip: Vec::new(),
            transform: Transform::Token,
            hash_key: None,
            carry_over: CarryOver::default(),
            media: Media::default(),
            restore_arguments: Vec::new(),
            restore_links: false,
        }
    }
}

/// The key of hashes. Never shown.
#[derive(Clone)]
pub struct HashKey(pub Vec<u8>);

impl std::fmt::Debug for HashKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HashKey").finish_non_exhaustive()
    }
}

/// What is done with pictures, sound and files that stand in a body as base64: nobody reads them.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Media {
    /// The request or answer is refused.
    #[default]
    Block,
    /// They pass, and [`Redacted::unread`](crate::Redacted::unread) says so.
    Mark,
}

/// A place in the arguments of a tool where tokens become values again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RestoredArgument {
    /// The name of the tool, exactly.
    pub tool: String,
    /// The path of the value in the arguments: names and `*` for any member or element, each behind a slash
    /// (`/customer/email`). It holds for the value and everything below it.
    pub path: String,
}
