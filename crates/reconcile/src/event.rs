//! Events of Stripe as they are exported: snapshots, thin events, and what carries them.

use obelus_audit::Utc;
use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// What pairing needs of an event. Everything else is dropped as it is read.
#[derive(Clone)]
pub struct Event<'a> {
    /// Its id.
    pub id: Cow<'a, str>,
    /// Its type, as it stands there.
    pub kind: Cow<'a, str>,
    /// When it was made, to the second for snapshots.
    pub created: Utc,
    /// The connected account that it is about.
    pub account: Option<Cow<'a, str>>,
    /// Whether it is about real money.
    pub livemode: Option<bool>,
    /// The request to Stripe that caused it; absent where nobody asked by the API.
    pub request_id: Option<Cow<'a, str>>,
    /// The key under which that was asked.
    pub idempotency_key: Option<Cow<'a, str>>,
    /// The object that it is about.
    pub object: Option<Cow<'a, str>>,
    /// What that object belongs to: charge, payment, customer, invoice, subscription.
    pub parents: [Option<Cow<'a, str>>; 5],
    /// The object's `amount`, in minor units, without a sign.
    pub amount: Option<u64>,
    /// Its `amount_captured`.
    pub amount_captured: Option<u64>,
    /// Its `amount_received`.
    pub amount_received: Option<u64>,
    /// Its `currency`.
    pub currency: Option<Cow<'a, str>>,
}

impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").finish_non_exhaustive()
    }
}

impl Event<'_> {
    /// The object and what it belongs to.
    pub fn objects(&self) -> impl Iterator<Item = &str> {
        self.object.iter().chain(self.parents.iter().flatten()).map(AsRef::as_ref)
    }
}

/// A value that is wanted as text, number or truth. Of an object its `id` is taken; everything else is nothing.
#[derive(Clone, Default)]
pub(crate) enum Field<'a> {
    #[default]
    Absent,
    Text(Cow<'a, str>),
    /// Without a sign.
    Number(u64),
    Bool(bool),
}

impl<'a> Field<'a> {
    pub(crate) fn text(self) -> Option<Cow<'a, str>> {
        if let Field::Text(text) = self { Some(text) } else { None }
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        if let Field::Text(text) = self { Some(text) } else { None }
    }

    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Field::Absent)
    }

    pub(crate) fn number(&self) -> Option<u64> {
        if let Field::Number(number) = self { Some(*number) } else { None }
    }

    pub(crate) fn bool(&self) -> Option<bool> {
        if let Field::Bool(value) = self { Some(*value) } else { None }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Field<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Field<'a>, D::Error> {
        deserializer.deserialize_any(FieldVisitor)
    }
}

struct FieldVisitor;

impl<'de> Visitor<'de> for FieldVisitor {
    type Value = Field<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Field<'de>, E> {
        Ok(Field::Absent)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Field<'de>, E> {
        Ok(Field::Bool(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Field<'de>, E> {
        Ok(Field::Number(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Field<'de>, E> {
        Ok(Field::Number(value.unsigned_abs()))
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Field<'de>, E> {
        Ok(Field::Absent)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Field<'de>, E> {
        Ok(Field::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Field<'de>, E> {
        Ok(Field::Text(Cow::Borrowed(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Field<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Field::Absent)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Field<'de>, A::Error> {
        let mut id = Field::Absent;
        while let Some(name) = map.next_key::<Name>()? {
            match name {
                Name::Id => id = map.next_value()?,
                Name::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(id)
    }
}

/// Names of an expanded object.
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Name {
    Id,
    #[serde(other)]
    Other,
}

/// An object, or text in its place. Everything else is nothing.
#[derive(Default)]
enum TextOr<'a, T> {
    #[default]
    Absent,
    Text(Cow<'a, str>),
    Object(Box<T>),
}

impl<T> TextOr<'_, T> {
    fn object(self) -> Option<Box<T>> {
        if let TextOr::Object(object) = self { Some(object) } else { None }
    }
}

impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for TextOr<'a, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<TextOr<'a, T>, D::Error> {
        deserializer.deserialize_any(TextOrVisitor(PhantomData))
    }
}

struct TextOrVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for TextOrVisitor<T> {
    type Value = TextOr<'de, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or text")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(TextOr::Absent)
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(TextOr::Absent)
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(TextOr::Absent)
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(TextOr::Absent)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(TextOr::Absent)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(TextOr::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(TextOr::Text(Cow::Borrowed(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(TextOr::Absent)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let object = T::deserialize(de::value::MapAccessDeserializer::new(map))?;
        Ok(TextOr::Object(Box::new(object)))
    }
}

/// Who asked. Text in its place is the id, as it was before 2017.
#[derive(Default, Deserialize)]
struct Request<'a> {
    #[serde(borrow, default)]
    id: Field<'a>,
    #[serde(borrow, default)]
    idempotency_key: Field<'a>,
}

/// Why a thin event came about.
#[derive(Default, Deserialize)]
struct Reason<'a> {
    #[serde(borrow, default)]
    request: TextOr<'a, Request<'a>>,
}

/// The object of an event, or a reference to it.
#[derive(Default, Deserialize)]
struct Object<'a> {
    #[serde(borrow, default)]
    id: Field<'a>,
    #[serde(borrow, default)]
    charge: Field<'a>,
    #[serde(borrow, default)]
    payment_intent: Field<'a>,
    #[serde(borrow, default)]
    customer: Field<'a>,
    #[serde(borrow, default)]
    invoice: Field<'a>,
    #[serde(borrow, default)]
    subscription: Field<'a>,
    #[serde(borrow, default)]
    amount: Field<'a>,
    #[serde(borrow, default)]
    amount_captured: Field<'a>,
    #[serde(borrow, default)]
    amount_received: Field<'a>,
    #[serde(borrow, default)]
    currency: Field<'a>,
}

/// An event, or what carries one: `detail` of EventBridge, `data` of Event Grid.
#[derive(Default, Deserialize)]
pub(crate) struct Raw<'a> {
    #[serde(borrow, default)]
    id: Field<'a>,
    #[serde(borrow, default)]
    object: TextOr<'a, Object<'a>>,
    #[serde(borrow, default, rename = "type")]
    kind: Field<'a>,
    #[serde(borrow, default)]
    created: Field<'a>,
    #[serde(borrow, default)]
    account: Field<'a>,
    #[serde(borrow, default)]
    context: Field<'a>,
    #[serde(borrow, default)]
    livemode: Field<'a>,
    #[serde(borrow, default)]
    request: TextOr<'a, Request<'a>>,
    #[serde(borrow, default)]
    reason: TextOr<'a, Reason<'a>>,
    #[serde(borrow, default)]
    related_object: TextOr<'a, Object<'a>>,
    #[serde(borrow, default)]
    data: TextOr<'a, Raw<'a>>,
    #[serde(borrow, default)]
    detail: TextOr<'a, Raw<'a>>,
}

impl<'a> Raw<'a> {
    fn is_event(&self) -> bool {
        matches!(&self.object, TextOr::Text(name) if name == "event" || name == "v2.core.event")
    }

    /// The event, if it is one or carries one.
    pub(crate) fn event(self) -> Option<Event<'a>> {
        if !self.is_event() {
            let carried = [self.detail, self.data].into_iter().filter_map(TextOr::object);
            return carried.into_iter().find(|raw| raw.is_event()).and_then(|raw| raw.event());
        }
        let created = match self.created {
            Field::Number(seconds) => Utc::from_micros(seconds.checked_mul(1_000_000)?),
            Field::Text(text) => Utc::parse(&text)?,
            _ => return None,
        };
        let asked = match (self.request, self.reason.object()) {
            (TextOr::Absent, Some(reason)) => reason.request,
            (request, _) => request,
        };
        let (request_id, idempotency_key) = match asked {
            TextOr::Object(request) => (request.id.text(), request.idempotency_key.text()),
            TextOr::Text(id) => (Some(id), None),
            TextOr::Absent => (None, None),
        };
        let snapshot = self.data.object().and_then(|data| data.object.object());
        let object = snapshot.or_else(|| self.related_object.object()).unwrap_or_default();
        // The context of a thin event is the account that it belongs to.
        let account = self.account.text().or_else(|| self.context.text());
        Some(Event {
            id: self.id.text()?,
            kind: self.kind.text()?,
            created,
            account: account.filter(|account| account.starts_with("acct_")),
            livemode: self.livemode.bool(),
            request_id,
            idempotency_key,
            object: object.id.text(),
            parents: [
                object.charge,
                object.payment_intent,
                object.customer,
                object.invoice,
                object.subscription,
            ]
            .map(Field::text),
            amount: object.amount.number(),
            amount_captured: object.amount_captured.number(),
            amount_received: object.amount_received.number(),
            currency: object.currency.text(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str) -> Option<Event<'_>> {
        serde_json::from_str::<Raw<'_>>(text).unwrap().event()
    }

    #[test]
    fn a_snapshot_and_a_thin_event_say_the_same() {
        let snapshot = r#"{"id":"evt_1","object":"event","type":"refund.created","created":1751328000,"livemode":true,
            "account":"acct_1","request":{"id":"req_1","idempotency_key":"k"},
            "data":{"object":{"id":"re_1","object":"refund","amount":-500,"currency":"usd","charge":{"id":"ch_1","x":[1]},
            "payment_intent":"pi_1","metadata":{"id":"no"}},"previous_attributes":{"amount":3}}}"#;
        let thin = r#"{"id":"evt_1","object":"v2.core.event","type":"v1.refund.created","created":"2025-07-01T00:00:00.000Z",
            "livemode":true,"context":"acct_1","reason":{"type":"request","request":{"id":"req_1","idempotency_key":"k"}},
            "related_object":{"id":"re_1","type":"refund","url":"/v1/refunds/re_1"},"data":null}"#;
        let [snapshot, thin] = [snapshot, thin].map(|text| event(text).unwrap());
        for event in [&snapshot, &thin] {
            assert_eq!(event.created.to_string(), "2025-07-01T00:00:00.000000Z");
            assert_eq!((event.account.as_deref(), event.livemode), (Some("acct_1"), Some(true)));
            assert_eq!(
                (event.request_id.as_deref(), event.idempotency_key.as_deref()),
                (Some("req_1"), Some("k"))
            );
        }
        assert_eq!(snapshot.objects().collect::<Vec<_>>(), ["re_1", "ch_1", "pi_1"]);
        assert_eq!((snapshot.amount, snapshot.currency.as_deref()), (Some(500), Some("usd")));
        assert_eq!(thin.objects().collect::<Vec<_>>(), ["re_1"]);
        assert!(matches!(snapshot.kind, Cow::Borrowed(_)), "what needs no unescaping is not copied");
    }

    #[test]
    fn old_requests_and_envelopes_are_read_and_what_is_no_event_is_none() {
        let inner = r#"{"id":"evt_1","object":"event","type":"x","created":1,"request":"req_1"}"#;
        for text in [
            inner.to_owned(),
            format!(r#"{{"detail-type":"x","source":"aws.partner/stripe.com","detail":{inner}}}"#),
            format!(r#"{{"id":"1","type":"x","specversion":"1.0","data":{inner}}}"#),
        ] {
            let event = event(&text).unwrap();
            assert_eq!((event.id.as_ref(), event.request_id.as_deref()), ("evt_1", Some("req_1")));
        }
        assert!(event(&inner.replace("\"req_1\"", "null")).unwrap().request_id.is_none());
        for text in [
            r#"{"id":"re_1","object":"refund"}"#,
            r#"{"object":"event","id":"evt_1","type":"x"}"#,
            r#"{"object":"event","id":"evt_1","type":"x","created":"yesterday"}"#,
            r#"{"object":"event","type":"x","created":1}"#,
        ] {
            assert!(event(text).is_none(), "{text}");
        }
    }
}
