//! One call as Cedar sees it.

use crate::class::RiskClass;
use crate::operation::Operation;
use crate::totals::Today;
use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression as Value,
};
use std::collections::HashSet;
use std::str::FromStr;
use std::sync::LazyLock;

/// Who calls.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// The id of the virtual key, or another name where there is none.
    pub key: &'a str,
    /// The workflow that the key is bound to.
    pub workflow: &'a str,
}

/// What an account is called that nobody named.
const UNKNOWN: &str = "unknown";

/// A call that is judged.
pub(crate) struct Call<'a> {
    pub(crate) operation: &'a Operation,
    pub(crate) caller: &'a Caller<'a>,
    pub(crate) unix_seconds: u64,
}

/// The types of entities; None only if a name of ours were none of Cedar's.
struct Types {
    action: EntityTypeName,
    key: EntityTypeName,
    workflow: EntityTypeName,
    account: EntityTypeName,
    object: EntityTypeName,
    server: EntityTypeName,
}

static TYPES: LazyLock<Option<Types>> = LazyLock::new(|| {
    let named = |name| EntityTypeName::from_str(name).ok();
    Some(Types {
        action: named("Action")?,
        key: named("Key")?,
        workflow: named("Workflow")?,
        account: named("Account")?,
        object: named("Object")?,
        server: named("Server")?,
    })
});

impl Call<'_> {
    /// The request and the entities that it speaks of: the operation is in the group of this class alone.
    pub(crate) fn request(&self, class: RiskClass, today: Today) -> Option<(Request, Entities)> {
        let types = TYPES.as_ref()?;
        let uid = |name: &EntityTypeName, id: &str| {
            EntityUid::from_type_name_and_id(name.clone(), EntityId::new(id))
        };
        let within = |child: &EntityUid, parent: EntityUid| {
            Entity::new_no_attrs(child.clone(), HashSet::from([parent]))
        };
        let operation = self.operation;
        let action = uid(&types.action, &operation.operation);
        let key = uid(&types.key, self.caller.key);
        let mut entities = vec![
            within(&action, uid(&types.action, class.as_str())),
            within(&key, uid(&types.workflow, self.caller.workflow)),
        ];
        let resource = match (&operation.server, &operation.target) {
            (Some(server), _) => uid(&types.server, server),
            (None, target) => {
                let account = uid(&types.account, operation.account.as_deref().unwrap_or(UNKNOWN));
                match target {
                    None => account,
                    Some(id) => {
                        let object = uid(&types.object, id);
                        entities.push(within(&object, account));
                        object
                    }
                }
            }
        };
        let context = Context::from_pairs(self.context(today)).ok()?;
        let request = Request::new(key, action, resource, context, None).ok()?;
        Some((request, Entities::from_entities(entities, None).ok()?))
    }

    fn context(&self, today: Today) -> Vec<(String, Value)> {
        let operation = self.operation;
        let set = |texts: Vec<String>| Value::new_set(texts.into_iter().map(Value::new_string));
        let record = |pairs: Vec<(&str, u64)>| {
            // Only names that come twice are refused here.
            Value::new_record(pairs.into_iter().map(|(name, number)| (name.to_owned(), long(number))))
                .unwrap_or_else(|_| Value::new_bool(false))
        };
        let currency = operation.currency.map_or(UNKNOWN.to_owned(), |currency| currency.as_str().to_owned());
        let classes = operation.classes.iter().map(|class| class.as_str().to_owned()).collect();
        let days = self.unix_seconds / 86_400;
        vec![
            ("amount_minor".to_owned(), long(operation.amount.limit_minor())),
            ("amount_known".to_owned(), Value::new_bool(operation.amount != crate::Amount::Unknown)),
            ("currency".to_owned(), Value::new_string(currency)),
            ("livemode".to_owned(), Value::new_bool(operation.livemode != Some(false))),
            ("classes".to_owned(), set(classes)),
            ("facts".to_owned(), set(operation.facts.iter().cloned().collect())),
            ("arguments".to_owned(), set(operation.arguments.paths())),
            ("objects".to_owned(), set(operation.objects.clone())),
            ("customer".to_owned(), Value::new_string(operation.customer.clone().unwrap_or_default())),
            (
                "time".to_owned(),
                record(vec![
                    ("hour", self.unix_seconds / 3600 % 24),
                    // 1970-01-01 was a Thursday; Monday is 1.
                    ("weekday", (days + 3) % 7 + 1),
                    ("unix_seconds", self.unix_seconds),
                ]),
            ),
            (
                "today".to_owned(),
                record(vec![
                    ("workflow_minor", today.workflow.minor),
                    ("workflow_calls", today.workflow.calls),
                    ("customer_minor", today.customer.minor),
                    ("customer_calls", today.customer.calls),
                ]),
            ),
        ]
    }
}

/// The largest number stands for all beyond it.
fn long(number: u64) -> Value {
    Value::new_long(i64::try_from(number).unwrap_or(i64::MAX))
}
