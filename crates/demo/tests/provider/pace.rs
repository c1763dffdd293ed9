use crate::client::{Reply, events};
use crate::{joined, post, start};
use serde_json::{Value, json};

fn ask(text: &str) -> Value {
    json!({"model": "stub-small", "stream": true, "messages": [{"role": "user", "content": text}]})
}

const PATH: &str = "/v1/chat/completions";

/// Reads as many events as carry so many characters.
fn read(reply: &mut Reply, chars: usize) -> String {
    let mut text = String::new();
    while text.len() < chars {
        let frame = reply.frame().expect("the connection holds").expect("the stream goes on");
        text += &joined(&events(str::from_utf8(&frame).expect("text")), "/choices/0/delta/content");
    }
    text
}

#[test]
fn a_stream_goes_on_when_it_is_released() {
    let provider = start();
    let mut reply = post(&provider, PATH, &ask("Wait here [[hold:2]]"));
    assert_eq!(read(&mut reply, 8), "You wrot");
    provider.release();
    assert_eq!(joined(&reply.events(), "/choices/0/delta/content"), "e: Wait here");
}

/// The provider answers others for a while; what it had sent besides could be read after its end.
#[test]
fn a_stream_goes_no_further_before_its_release() {
    let provider = start();
    provider.release();
    provider.forget();
    let mut reply = post(&provider, PATH, &ask("Wait here [[hold:2]]"));
    assert_eq!(read(&mut reply, 8), "You wrot");
    for _ in 0..50 {
        assert_eq!(post(&provider, PATH, &ask("Others")).status, 200);
    }
    drop(provider);
    assert_eq!(reply.frames(), (Vec::new(), false));
}

#[test]
fn streams_end_as_the_script_says() {
    let provider = start();
    let whole = post(&provider, PATH, &ask("To the end")).text();
    assert!(whole.ends_with("data: [DONE]\n\n"));
    for (directive, is_proper) in [("[[cut]]", true), ("[[reset]]", false), ("[[fail]]", true)] {
        let (frames, ended) = post(&provider, PATH, &ask(&format!("To the end {directive}"))).frames();
        let text = String::from_utf8(frames.concat()).expect("text");
        assert_eq!(ended, is_proper, "{directive}");
        assert!(!text.contains("[DONE]"), "{directive}");
        let events = events(&text);
        assert!(!joined(&events, "/choices/0/delta/content").is_empty(), "{directive}");
        let fails = events.last().is_some_and(|last| last["error"]["type"] == "server_error");
        assert_eq!(fails, directive == "[[fail]]");
    }
}

#[test]
fn events_are_cut_where_the_script_says() {
    let provider = start();
    let (frames, _) = post(&provider, PATH, &ask("Cut [[bytes:7]]")).frames();
    assert!(frames.len() > 10);
    let (last, others) = frames.split_last().expect("frames");
    assert!(others.iter().all(|frame| frame.len() == 7) && last.len() <= 7);
    let text = String::from_utf8(frames.concat()).expect("text");
    assert_eq!(joined(&events(&text), "/choices/0/delta/content"), "You wrote: Cut");
}

/// The release comes after the first stream was given up, so it is the second's.
#[test]
fn an_abandoned_stream_takes_no_release() {
    let provider = start();
    let mut gone = post(&provider, PATH, &ask("Gone [[hold:1]]"));
    gone.frame().expect("the connection holds");
    drop(gone);
    let mut reply = post(&provider, PATH, &ask("Here [[hold:1]]"));
    assert_eq!(read(&mut reply, 4), "You ");
    provider.release();
    assert_eq!(joined(&reply.events(), "/choices/0/delta/content"), "wrote: Here");
}
