//! Decisions over places that are known in part.

use obelus_fields::{Fields, Name, ObjectType, PackFile, Place, Profile, Subtree, Verdict};

const RULES: &str = r#"
    [pack]
    name = "own"
    version = "1"
    description = "d"
    source = "s"
    [[class]]
    id = "person"
    category = "person-name"
    balanced = "redact"
    strict = "redact"
    description = "d"
    [[class]]
    id = "text"
    category = "other-personal"
    balanced = "scan"
    strict = "redact"
    description = "d"
    [[names]]
    class = "person"
    names = ["surname"]
    [[names]]
    class = "person"
    names = ["alias"]
    scope = "own"
    [[names]]
    class = "text"
    names = ["remark"]
    [[rule]]
    id = "tool"
    names = ["name"]
    leave = true
    parents = ["tools"]
    [[rule]]
    id = "customer"
    names = ["name"]
    class = "person"
    objects = ["customer"]
    [[rule]]
    id = "beside"
    names = ["name"]
    class = "person"
    beside = ["email"]
    [[rule]]
    id = "card"
    names = ["holder"]
    class = "person"
    nearest = ["card"]
    parents = ["details"]
    [[rule]]
    id = "below"
    names = ["label"]
    class = "person"
    ancestors = ["evidence"]
    [[subtree]]
    name = "private"
    class = "person"
    [[subtree]]
    name = "notes"
    class = "text"
    [[subtree]]
    name = "before"
    like = "object"
    [[subtree]]
    name = "schema"
    leave = true
    [[object]]
    type = "customer"
    ids = ["cus_"]
    [[object]]
    type = "card"
    [[object]]
    type = "list"
    envelope = true
    [[id]]
    prefix = "cus_"
    lengths = [14]
    [[id]]
    prefix = "req_"
    min = 10
"#;

struct Case {
    fields: Fields,
}

impl Case {
    fn new() -> Case {
        let pack = PackFile::parse(RULES, "own.toml").expect("the rules are sound");
        Case { fields: Fields::compile(&[pack], Profile::Balanced).expect("the rules are sound") }
    }

    fn name(&self, text: &str) -> Name {
        self.fields.name(text.as_bytes())
    }

    fn mask(&self, text: &str) -> u64 {
        self.name(text).mask()
    }

    fn says(&self, name: &str, place: Place) -> &'static str {
        match self.fields.verdict(self.name(name), &place) {
            Verdict::Scan => "scan",
            Verdict::Redact(_) => "redact",
            Verdict::Undecided => "undecided",
        }
    }
}

#[test]
fn plain_names_need_no_place() {
    let case = Case::new();
    assert_eq!(case.says("surname", Place::default()), "redact");
    assert_eq!(case.says("remark", Place::default()), "scan");
    assert_eq!(case.says("unheard_of", Place::default()), "scan");
}

#[test]
fn scope_waits_for_evidence() {
    let case = Case::new();
    assert_eq!(case.says("alias", Place::default()), "undecided");
    assert_eq!(case.says("alias", Place { in_scope: true, ..Place::default() }), "redact");
    assert_eq!(case.says("alias", Place { closed: true, ..Place::default() }), "scan");
}

#[test]
fn the_first_rule_that_holds_wins() {
    let case = Case::new();
    let tools = Place { parent: case.mask("tools"), siblings: case.mask("email"), ..Place::default() };
    assert_eq!(case.says("name", tools), "scan");
    assert_eq!(case.says("name", Place { siblings: case.mask("email"), ..Place::default() }), "redact");
}

#[test]
fn types_decide_as_soon_as_they_are_known() {
    let case = Case::new();
    let (customer, card) = (case.fields.object_type(b"customer"), case.fields.object_type(b"card"));
    let of = |own: ObjectType| Place { own, nearest: own, in_scope: true, ..Place::default() };
    assert_eq!(case.says("name", Place::default()), "undecided");
    assert_eq!(case.says("name", of(customer)), "redact");
    assert_eq!(case.says("name", of(card)), "undecided", "an e-mail address may still follow");
    assert_eq!(case.says("name", Place { closed: true, ..of(card) }), "scan");
    assert_eq!(case.says("name", Place { closed: true, ..of(ObjectType::FOREIGN) }), "scan");
}

#[test]
fn an_object_without_a_type_counts_as_sensitive_only_where_nothing_typed_is_around() {
    let case = Case::new();
    let closed = Place { closed: true, ..Place::default() };
    let (card, list) = (case.fields.object_type(b"card"), case.fields.object_type(b"list"));
    assert_eq!(case.says("name", closed), "scan");
    assert_eq!(case.says("name", Place { in_scope: true, ..closed }), "redact");
    assert_eq!(case.says("name", Place { in_scope: true, nearest: list, ..closed }), "redact");
    assert_eq!(case.says("name", Place { in_scope: true, nearest: card, ..closed }), "scan");
}

#[test]
fn the_nearest_type_and_ancestors_are_asked_for() {
    let case = Case::new();
    let card = case.fields.object_type(b"card");
    let details = Place { parent: case.mask("details"), nearest: card, in_scope: true, ..Place::default() };
    assert_eq!(case.says("holder", details), "undecided", "the object may still have a type of its own");
    assert_eq!(case.says("holder", Place { closed: true, ..details }), "redact");
    assert_eq!(case.says("holder", Place { parent: 0, ..details }), "scan");
    assert_eq!(case.says("label", Place::default()), "scan");
    assert_eq!(case.says("label", Place { ancestors: case.mask("evidence"), ..Place::default() }), "redact");
}

#[test]
fn subtrees_hold_all_names_but_those_with_rules() {
    let case = Case::new();
    let Some(Subtree::Class(class)) = case.fields.subtree(case.name("private")) else { panic!("no class") };
    let below = Place { subtree: Some(class), ..Place::default() };
    assert_eq!(case.says("unheard_of", below), "redact");
    assert_eq!(case.says("remark", below), "scan");
    assert_eq!(case.says("unheard_of", Place { ancestors: case.mask("schema"), ..below }), "scan");
    assert_eq!(case.fields.subtree(case.name("notes")), None, "the profile only scans its class");
    assert_eq!(case.fields.subtree(case.name("before")), Some(Subtree::Like));
    assert!(case.fields.gives_type(case.name("object")) && !case.fields.gives_type(case.name("before")));
}

#[test]
fn identifiers_are_told_by_prefix_and_shape() {
    let fields = Case::new().fields;
    let customer = fields.object_type(b"customer");
    assert!(fields.is_object_id(b"cus_NffrFeUfNV2Hib"));
    for value in
        ["cus_NffrFeUfNV2Hi", "cus_12025550143000", "cus_", "xcus_NffrFeUfNV2Hib", "cus_NffrFeUfNV2Hi!", ""]
    {
        assert!(!fields.is_object_id(value.as_bytes()), "{value}");
    }
    assert!(fields.is_object_id(b"req_Abcdefghij"));
    assert_eq!(fields.type_of_id(b"cus_123"), Some(customer));
    assert_eq!(fields.type_of_id(b"req_Abcdefghij"), Some(ObjectType::UNKNOWN));
    assert_eq!(fields.type_of_id(b"cus_tomer"), None);
    assert_eq!(fields.type_of_id(b"ord_123"), None);
}
