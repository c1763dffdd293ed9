//! Which operations cause which events: `data/events.json`, in numbers.

use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};

/// Written by `generate.py`.
const DATA: &str = include_str!("../data/events.json");

/// The number of a type of events.
pub(crate) type TypeId = u16;
/// The number of an operation.
pub(crate) type OperationId = u16;

#[derive(Deserialize)]
struct Data {
    types: BTreeMap<String, String>,
    amounts: BTreeMap<String, AmountField>,
    operations: BTreeMap<String, Row>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Row {
    main: Vec<String>,
    cascade: Vec<String>,
    later: Vec<String>,
}

/// The member of an event's object that says how much money the call was about.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AmountField {
    Amount,
    AmountCaptured,
    AmountReceived,
}

/// What a type of events is to an operation.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Causes {
    /// The operation is what makes such events.
    Main,
    /// It can come with the operation's main event.
    Cascade,
    /// It can come by itself, once the operation is done.
    Later,
    /// It has nothing to do with the operation, as far as is known.
    Nothing,
}

/// What an operation makes happen.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    causes: Vec<(TypeId, Causes)>,
    /// Whether an event must follow when it succeeds.
    pub(crate) has_main: bool,
    /// Whether its events tell of changes only, so that none follows where nothing changes.
    pub(crate) only_updates: bool,
}

impl Effects {
    /// What events of that type are to the operation.
    pub(crate) fn of(&self, kind: TypeId) -> Causes {
        self.causes.iter().find(|(known, _)| *known == kind).map_or(Causes::Nothing, |(_, causes)| *causes)
    }
}

/// Types and operations by number. Those that are not in the data get one when they are seen.
#[derive(Debug)]
pub(crate) struct Table {
    types: Names,
    amounts: Vec<Option<AmountField>>,
    operations: Names,
    effects: Vec<Effects>,
}

impl Table {
    /// The table of the data.
    pub(crate) fn new() -> Table {
        // The data is part of the program, and a test reads it.
        let data: Data = serde_json::from_str(DATA).unwrap_or_else(|_| Data {
            types: BTreeMap::new(),
            amounts: BTreeMap::new(),
            operations: BTreeMap::new(),
        });
        let mut types = Names::default();
        let amounts = data.types.keys().map(|name| {
            types.number(name);
            data.amounts.get(name).copied()
        });
        let amounts = amounts.collect();
        let (mut operations, mut effects) = (Names::default(), Vec::new());
        for (name, row) in &data.operations {
            operations.number(name);
            let mut found = Effects {
                causes: Vec::new(),
                has_main: !row.main.is_empty(),
                only_updates: row.main.iter().all(|name| name.ends_with(".updated")),
            };
            let causes =
                [(&row.main, Causes::Main), (&row.cascade, Causes::Cascade), (&row.later, Causes::Later)];
            for (names, causes) in causes {
                found.causes.extend(names.iter().map(|name| (types.number(name), causes)));
            }
            effects.push(found);
        }
        Table { types, amounts, operations, effects }
    }

    /// The number of a type. Thin events have a version before the name that snapshots have.
    pub(crate) fn type_id(&mut self, name: &str) -> TypeId {
        self.types.number(name.strip_prefix("v1.").unwrap_or(name))
    }

    pub(crate) fn type_name(&self, id: TypeId) -> &str {
        self.types.name(id)
    }

    pub(crate) fn operation_id(&mut self, name: &str) -> OperationId {
        self.operations.number(name)
    }

    /// What an operation makes happen; nothing if that is not known.
    pub(crate) fn effects(&self, id: OperationId) -> Option<&Effects> {
        self.effects.get(usize::from(id))
    }

    pub(crate) fn amount_field(&self, id: TypeId) -> Option<AmountField> {
        self.amounts.get(usize::from(id)).copied().flatten()
    }

    /// The operations that could be behind events of these types, those first that explain most of them.
    pub(crate) fn likely(&self, types: &[TypeId]) -> Option<&str> {
        let rank = |effects: &Effects| {
            let count = |wanted: Causes| types.iter().filter(|kind| effects.of(**kind) == wanted).count();
            let main = count(Causes::Main);
            (main > 0).then(|| (types.len() - count(Causes::Nothing), main))
        };
        let ranked = self.effects.iter().enumerate().filter_map(|(at, effects)| Some((rank(effects)?, at)));
        // Of equals the first, which has the shorter name as a rule.
        let best = ranked.max_by_key(|(rank, at)| (*rank, std::cmp::Reverse(self.operations.len_of(*at))));
        best.and_then(|(_, at)| OperationId::try_from(at).ok()).map(|at| self.operations.name(at))
    }
}

/// Names and their numbers.
#[derive(Debug, Default)]
struct Names {
    numbers: HashMap<String, u16>,
    names: Vec<String>,
}

impl Names {
    /// The number of a name. Stripe has some hundreds; those beyond the last number share that, and so does what is no
    /// name.
    fn number(&mut self, name: &str) -> u16 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = u16::try_from(self.names.len()).unwrap_or(u16::MAX);
        if number == u16::MAX || obelus_audit::Word::new(name).is_none() {
            return u16::MAX;
        }
        self.names.push(name.to_owned());
        self.numbers.insert(name.to_owned(), number);
        number
    }

    fn name(&self, number: u16) -> &str {
        self.names.get(usize::from(number)).map_or("other", String::as_str)
    }

    fn len_of(&self, at: usize) -> usize {
        self.names.get(at).map_or(0, String::len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_is_read_and_says_what_a_refund_causes() {
        let mut table = Table::new();
        let refund = table.operation_id("PostRefunds");
        let [created, updated, paid] =
            ["refund.created", "v1.refund.updated", "invoice.paid"].map(|name| table.type_id(name));
        let effects = table.effects(refund).unwrap();
        assert!(effects.has_main && !effects.only_updates);
        assert_eq!(
            [created, updated, paid].map(|kind| effects.of(kind)),
            [Causes::Main, Causes::Cascade, Causes::Nothing]
        );
        assert_eq!(table.amount_field(created), Some(AmountField::Amount));
        assert_eq!(table.type_name(updated), "refund.updated");
        let charge_refunded = table.type_id("charge.refunded");
        assert_eq!(table.likely(&[charge_refunded, created]), Some("PostRefunds"));
        assert_eq!(table.likely(&[paid]), Some("PostInvoicesInvoicePay"));
        let dispute = table.type_id("charge.dispute.created");
        assert_eq!(table.likely(&[dispute]), None);
        let webhook = table.operation_id("PostWebhookEndpoints");
        assert!(!table.effects(webhook).unwrap().has_main);
        let unknown = table.operation_id("PostSomethingNew");
        assert!(table.effects(unknown).is_none());
    }
}
