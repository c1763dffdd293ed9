#![forbid(unsafe_code)]
//! Every case of `cases/*.toml`, by every way of running, at every instruction set.

use obelus::{Arch, Redactor};
use obelus_tests::cases::{self, Case, Kind};
use obelus_tests::reference::Reference;
use obelus_tests::run::{self, Ran};

/// Inputs up to this length are cut at every byte.
const CUT_EVERYWHERE_BYTES: usize = 2048;

#[test]
fn every_case_comes_out_as_stated_however_it_is_run() {
    let mut faults = Vec::new();
    let cases = cases::all().expect("the case files are right");
    assert!(cases.len() >= 60, "cases are missing");
    for case in &cases {
        for arch in Arch::available() {
            if let Err(fault) = check(case, arch) {
                faults.push(format!("{} ({}): {fault}", case.name, arch.name()));
                break;
            }
        }
    }
    assert!(faults.is_empty(), "{} cases fail\n\n{}", faults.len(), faults.join("\n\n"));
}

#[test]
fn the_reference_agrees_on_every_case() {
    let mut faults = Vec::new();
    for case in cases::all().expect("the case files are right") {
        // The reference reads no forms (`forms.rs` compares them with the same members as JSON) and no allow-lists.
        if matches!(case.format, Kind::Form | Kind::Multipart) || case.allow.is_some() {
            continue;
        }
        // Nor does it look for values that were shown.
        if case.carried {
            continue;
        }
        let reference = Reference::of(&case).expect("the rules compile");
        let redacted = reference.redact(&case.input_bytes());
        // Only the engine gives up waiting, and only the engine has limits.
        let is_limited = case.limits.wait_bytes_max.is_some() || case.limits.depth_max.is_some();
        let fault = match (redacted, &case.error) {
            _ if is_limited => continue,
            (None, Some(_)) => continue,
            (None, None) => "refused".to_owned(),
            (Some(_), Some(_)) => continue,
            (Some(redacted), None) if redacted.output != case.output_bytes() => {
                format!("gives {}", redacted.output.escape_ascii())
            }
            (Some(redacted), None) => match case.check_findings(&redacted.findings) {
                Ok(()) => continue,
                Err(fault) => fault,
            },
        };
        faults.push(format!("{}: {fault}", case.name));
    }
    assert!(faults.is_empty(), "{} cases differ\n\n{}", faults.len(), faults.join("\n\n"));
}

fn check(case: &Case, arch: Arch) -> Result<(), String> {
    let redactor = case.redactor(arch)?;
    let input = case.input_bytes();
    let whole = run::whole(&redactor, &input);
    compare(case, &whole)?;
    if case.error.is_none() {
        run::check_outside(&input, &whole)?;
    }
    for (how, cuts) in ways(input.len()) {
        let ran = run::cut_at(&redactor, &input, &cuts);
        if ran != whole {
            return Err(format!("{how}\nwhole {whole:?}\ncut {ran:?}"));
        }
    }
    check_again(case, &redactor, &whole)
}

fn compare(case: &Case, ran: &Ran) -> Result<(), String> {
    let error = ran.error.map(|error| error.to_string());
    if error != case.error {
        return Err(format!("error {error:?} instead of {:?}\n{ran:?}", case.error));
    }
    if ran.output != case.output_bytes() {
        return Err(format!("stated {}\n{ran:?}", case.output_bytes().escape_ascii()));
    }
    case.check_findings(&ran.findings).map_err(|fault| format!("{fault}\n{ran:?}"))
}

/// Cuts of an input of a given length: everywhere in two, in small pieces, around the sizes of buffers.
fn ways(len: usize) -> Vec<(String, Vec<usize>)> {
    let mut ways = Vec::new();
    let step = if len <= CUT_EVERYWHERE_BYTES { 1 } else { len / 64 };
    for cut in (0..=len).step_by(step) {
        ways.push((format!("cut at {cut}"), vec![cut]));
    }
    for size in [1, 2, 3, 7, 63, 64, 65, 1023, 1024, 4095, 4096, 4097] {
        if size < len {
            ways.push((format!("in pieces of {size}"), (size..len).step_by(size).collect()));
        }
    }
    for seed in 1..9usize {
        let sizes = (0usize..).map(|at| 1 + (at * 7 + 3) * seed * 31 % (4 * seed + 9));
        let mut end = 0;
        let cuts = sizes.map(|size| {
            end += size;
            end
        });
        ways.push((format!("unevenly, {seed}"), cuts.take_while(|&cut| cut < len).collect()));
    }
    ways
}

/// What came out goes through unchanged, unless the case says why not.
fn check_again(case: &Case, redactor: &Redactor, whole: &Ran) -> Result<(), String> {
    if case.error.is_some() {
        return Ok(());
    }
    let again = run::whole(redactor, &whole.output);
    match (&case.unsteady, again.output == whole.output) {
        (None, false) => Err(format!("a second pass gives {again:?}")),
        (Some(_), true) => Err("a second pass changes nothing, though the case says it does".to_owned()),
        _ => Ok(()),
    }
}
