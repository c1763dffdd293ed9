//! Forms as a user has them redacted.

use crate::support::{folder, json_lines, pipe, run};
use std::path::Path;

const FORM: &str = "card[number]=4242424242424242&metadata%5Bnote%5D=mail+jenny%40example.com&amount=1200\n";
const REDACTED: &str = "card[number]=%5Bcard-number%5D&metadata%5Bnote%5D=mail+%5Bemail%5D&amount=1200\n";

#[test]
fn a_form_is_read_when_told_so() {
    let run = pipe(Path::new("."), &["redact", "--format", "form"], FORM.as_bytes());
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (Some(0), REDACTED, ""));
}

#[test]
fn a_form_is_known_by_its_name_and_by_its_first_bytes() {
    let folder = folder(&[("a.form", "email=x"), ("b.urlencoded", FORM), ("c", FORM)]);
    let run = run(folder.path(), &["redact", "a.form", "b.urlencoded", "c"]);
    assert_eq!((run.code, run.out), (Some(0), format!("email=%5Bemail%5D{REDACTED}{REDACTED}")));
}

#[test]
fn findings_in_forms_have_pointers() {
    let run = pipe(Path::new("."), &["scan", "--format", "form"], FORM.repeat(2).as_bytes());
    let found = json_lines(&run.out);
    assert_eq!(found.len(), 4);
    assert_eq!(found[0]["path"], "/card/number");
    assert_eq!(found[1]["path"], "/metadata/note");
    assert_eq!(found[1]["chars"], serde_json::json!([5, 22]));
    assert_eq!((&found[1]["doc"], &found[2]["doc"]), (&0.into(), &1.into()));
    assert!(!run.out.contains("jenny"));
}

#[test]
fn a_form_that_is_no_text_is_an_error_with_its_place() {
    let run = pipe(Path::new("."), &["redact", "--format", "form"], b"email=x&a=\xFF");
    assert_eq!((run.code, run.out.as_str()), (Some(1), "email=%5Bemail%5D&a="));
    assert!(run.err.contains("invalid UTF-8 at byte 10: convert the input"), "{}", run.err);
}

const PARTS: &str = "--x\r\nContent-Disposition: form-data; name=\"card[number]\"\r\n\r\n4242424242424242\r\n\
                     --x\r\nContent-Disposition: form-data; name=\"log\"; filename=\"a.log\"\r\n\
                     Content-Type: text/plain\r\n\r\nmail jenny@example.com\r\n--x--\r\n";

#[test]
fn a_multipart_body_is_read_when_told_so_and_known_by_its_first_bytes() {
    let redacted = PARTS.replace("4242424242424242", "[card-number]").replace("jenny@example.com", "[email]");
    for arguments in [&["redact", "--format", "multipart"][..], &["redact"]] {
        let run = pipe(Path::new("."), arguments, PARTS.as_bytes());
        assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (Some(0), redacted.as_str(), ""));
    }
}

#[test]
fn a_part_that_cannot_be_read_is_an_error_that_says_what_to_do() {
    let body = PARTS.replace("text/plain", "image/png");
    let run = pipe(Path::new("."), &["redact"], body.as_bytes());
    assert_eq!(run.code, Some(1));
    assert!(!run.out.contains("jenny") && !run.out.contains("a.log"));
    assert!(run.err.contains("is not read at byte") && run.err.contains("take the part out"), "{}", run.err);
}
