//! The demonstration, as it is run.

use crate::support::{folder, json_lines, run};

/// What stands in the story, and may reach no provider.
const PLANTED: [&str; 6] = [
    "Jenny",
    "jenny@example.com",
    "+1 415 555 0132",
    "4155550132",
    "4242 4242 4242 4242",
    "4242424242424242",
];

#[test]
fn the_demonstration_runs_to_its_end_and_shows_three_columns() {
    let folder = folder(&[]);
    let run = run(folder.path(), &["demo"]);
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""), "{}", run.out);
    for head in ["the client sent:", "the provider saw:", "the client got:"] {
        assert_eq!(run.out.matches(head).count(), 5, "{head}: {}", run.out);
    }
    assert!(run.out.contains("held: ") && !run.out.contains("BROKEN"), "{}", run.out);
    // What the provider saw, as it is shown.
    let saw: Vec<&str> = run
        .out
        .split("the provider saw:")
        .skip(1)
        .filter_map(|rest| rest.split("the client got:").next())
        .collect();
    assert!(saw.iter().any(|saw| saw.contains("obl_email_")), "{saw:?}");
    assert!(saw.iter().all(|saw| PLANTED.iter().all(|value| !saw.contains(value))), "{saw:?}");
    assert!(run.out.contains("model_answer") && run.out.contains("card-number 1"), "{}", run.out);
}

#[test]
fn each_step_is_an_object_whose_promises_held() {
    let folder = folder(&[]);
    let run = run(folder.path(), &["demo", "--json"]);
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""), "{}", run.out);
    let steps = json_lines(&run.out);
    let numbers: Vec<_> = steps.iter().filter_map(|step| step["step"].as_u64()).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
    for step in &steps {
        let promises = step["promises"].as_array().unwrap();
        assert!(!promises.is_empty() && promises.iter().all(|promise| promise["held"] == true), "{step}");
        let saw = step["saw"].to_string();
        assert!(PLANTED.iter().all(|value| !saw.contains(value)), "{step}");
    }
    // The first answer came back with the values, piece by piece.
    let first = &steps[0];
    assert!(first["sent"].as_str().unwrap().contains("jenny@example.com"));
    assert!(first["got"].as_str().unwrap().contains("jenny@example.com"));
    assert!(first["pieces"].as_u64().unwrap() > 2, "{first}");
    // What was refused reached nobody.
    assert!(steps[3]["saw"].is_null() && steps[4]["saw"].is_null());
    assert!(steps[3]["got"].as_str().unwrap().contains("tools"), "{}", steps[3]);
}
