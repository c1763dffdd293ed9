//! `rules explain` on the path of a value.

use crate::support::{folder, pipe, run};

/// Path, format, document, what the explanation must hold. No value may come out.
const EXPLAINED: [(&str, &str, &str, &[&str]); 12] = [
    ("/email", "json", r#"{"email":"canary"}"#, &["rule        generic/email", "the member's name, `email`"]),
    (
        "/customer/name",
        "json",
        r#"{"customer":{"name":"canary"}}"#,
        &["generic/person-name", "rule name-of-a-person: the member that holds the object"],
    ),
    (
        "/name",
        "json",
        r#"{"name":"canary","email":"x"}"#,
        &["rule name-beside-contact-data: another member of the object"],
    ),
    (
        "/f/0/value",
        "json",
        r#"{"f":[{"value":"canary","name":"db_password"}]}"#,
        &["a sibling", "`db_password`"],
    ),
    ("/value", "json", r#"{"key":"ssn","value":123456789}"#, &["a sibling", "`ssn`", "category    us-ssn"]),
    ("/emails/1", "json", r#"{"emails":["x","canary"]}"#, &["the member's name, `emails`"]),
    ("/address/unit", "json", r#"{"address":{"unit":"canary"}}"#, &["a member further up"]),
    ("/a#/email", "json", r#"{"a":"{\"email\":\"canary\"}"}"#, &["/a#/email", "the member's name, `email`"]),
    (
        "/note",
        "json",
        r#"{"note":"write to canary@example.com"}"#,
        &["level       certain", "the text itself", "characters 9 to 27"],
    ),
    ("", "text", "mail canary@example.com", &["the whole document", "the text itself"]),
    ("/card/cvc", "form", "card[cvc]=canary", &["the member's name, `cvc`"]),
    ("/plain", "json", r#"{"plain":"canary"}"#, &["stays"]),
];

#[test]
fn the_evidence_about_a_value_is_told_and_never_the_value() {
    for (path, format, document, words) in EXPLAINED {
        let folder = folder(&[("a.json", document)]);
        let of_file = run(folder.path(), &["rules", "explain", path, "a.json", "--format", format]);
        let of_pipe =
            pipe(folder.path(), &["rules", "explain", path, "--format", format], document.as_bytes());
        assert_eq!((of_file.code, &of_file.out), (Some(0), &of_pipe.out), "{path}: {}", of_file.err);
        for word in words {
            assert!(of_file.out.contains(word), "{path}: {word}: {}", of_file.out);
        }
        assert!(!of_file.out.contains("canary") && !of_file.out.contains("123456789"), "{}", of_file.out);
    }
}

#[test]
fn what_waited_too_long_is_told_as_such() {
    let document = format!(r#"{{"value":"canary","p":["{}"],"name":"email"}}"#, "y ".repeat(20_000));
    let run = pipe(std::path::Path::new("."), &["rules", "explain", "/value"], document.as_bytes());
    assert!(run.out.contains("waits too long"), "{}{}", run.out, run.err);
}

#[test]
fn each_document_with_a_finding_at_the_path_is_told() {
    let lines = b"{\"email\":\"a\"}\n{\"x\":1}\n{\"email\":\"b\"}\n";
    let run = pipe(std::path::Path::new("."), &["rules", "explain", "/email"], lines);
    assert!(run.out.contains("document 0") && run.out.contains("document 2"), "{}", run.out);
    assert!(!run.out.contains("document 1"), "{}", run.out);
}

#[test]
fn a_path_without_a_value_and_a_file_without_a_path_are_refused() {
    let folder = folder(&[("a.json", r#"{"email":"canary"}"#), ("bad.json", "{\"canary\"")]);
    for (args, code, word) in [
        (&["rules", "explain", "/nope", "a.json"][..], 1, "no value"),
        (&["rules", "explain", "/email", "missing.json"], 1, "missing.json"),
        (&["rules", "explain", "/email", "bad.json"], 1, "bad.json"),
        (&["rules", "explain", "email", "a.json"], 2, "begins with `/`"),
    ] {
        let run = run(folder.path(), args);
        assert_eq!((run.code, run.out.as_str()), (Some(code), ""), "{args:?}");
        assert!(run.err.contains(word) && !run.err.contains("canary"), "{args:?}: {}", run.err);
    }
}
