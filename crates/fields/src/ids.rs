//! Identifiers of objects: what they look like and what they name.

use crate::place::ObjectType;
use crate::table::Table;

/// One form of identifier: a prefix and the lengths its body may have.
#[derive(Clone, Debug)]
pub(crate) struct IdForm {
    pub(crate) prefix: String,
    pub(crate) lengths: Vec<usize>,
    pub(crate) min: Option<usize>,
    pub(crate) object_type: ObjectType,
}

/// All forms.
#[derive(Debug)]
pub(crate) struct Ids {
    forms: Vec<IdForm>,
    /// Prefix to position in `forms` plus one.
    prefixes: Table,
}

impl Ids {
    /// There are at most 65,534 forms.
    pub(crate) fn new(forms: Vec<IdForm>) -> Ids {
        let prefixes: Vec<(String, u16)> =
            (1..).zip(&forms).map(|(position, form)| (form.prefix.clone(), position)).collect();
        Ids { prefixes: Table::new(&prefixes), forms }
    }

    /// The type that an identifier names; `Some(UNKNOWN)` if it is one of ours but does not tell which.
    ///
    /// Lengths do not count here: taking a document for ours means to redact more of it, so doubt errs that way.
    pub(crate) fn type_of(&self, value: &[u8]) -> Option<ObjectType> {
        let (form, body) = self.split(value)?;
        // Words such as `in_progress` are no identifiers: a body holds a digit or a capital.
        let looks_random = body.iter().any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
        looks_random.then_some(form.object_type)
    }

    /// Whether the whole value is an identifier by prefix and shape.
    ///
    /// A body of digits only is none: it could be a telephone or an account number in disguise.
    pub(crate) fn is_id(&self, value: &[u8]) -> bool {
        let Some((form, body)) = self.split(value) else { return false };
        let fits = form.lengths.contains(&body.len()) || form.min.is_some_and(|min| body.len() >= min);
        fits && !body.iter().all(u8::is_ascii_digit)
    }

    /// The form and the body of a value that is a known prefix followed by letters and digits.
    fn split<'v>(&self, value: &'v [u8]) -> Option<(&IdForm, &'v [u8])> {
        let last = value.iter().rposition(|byte| !byte.is_ascii_alphanumeric())?;
        let (prefix, body) = value.split_at(last + 1);
        let form = self.forms.get(usize::from(self.prefixes.find(prefix)).checked_sub(1)?)?;
        (!body.is_empty() && form.prefix.as_bytes() == prefix).then_some((form, body))
    }
}
