//! Street words one by one, and texts that hold no address.

use obelus_json::Arch;

use super::words;
use crate::{Carry, Detectors, Piece};

fn count(text: &str) -> usize {
    let detectors = Detectors::new(|one| {
        one.id == "street-address" || one.id == "postal-address" || one.id == "date-of-birth"
    });
    let mut out = Vec::new();
    let piece = Piece { text: text.as_bytes(), ..Piece::default() };
    detectors.scan(Arch::scalar(), piece, &mut Carry::default(), &mut out);
    out.len()
}

#[test]
fn tables_are_sorted() {
    for table in [
        words::STREETS,
        words::WEAK_STREETS,
        words::LEADING,
        words::ROMANCE,
        words::SMALL,
        words::UNITS,
        words::STATES,
    ] {
        assert!(table.is_sorted(), "{table:?}");
    }
}

fn capitalised(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    [&first.to_uppercase(), rest].concat()
}

#[test]
fn every_street_word_is_found() {
    for word in words::STREETS.iter().chain(words::WEAK_STREETS) {
        for word in [word.to_uppercase(), capitalised(word)] {
            let text = format!("send it to 742 Evergreen {word}, Springfield, IL 62704 please");
            assert_eq!(count(&text), 1, "{text}");
        }
    }
}

#[test]
fn texts_without_an_address_or_birth_yield_nothing() {
    for text in [
        "She lives in Toronto and works on 3 projects.",
        "The meeting on 12 March 2026 lasted 45 minutes.",
        "It took 2 of 5 retries before the server answered.",
        "HTTP/1.1 404 Not Found",
        "GET /v1/orders/7 HTTP/1.1 200 OK",
        "We shipped 12 boxes and 3 crates by road.",
        "In 2024 Apple sold more phones than in 2023.",
        "The court heard 4 cases in one day.",
        "There are 5 St. Patrick parades this year.",
        "Only 1 Drive was mounted.",
        "Chapter 12 deals with Section 3 of the act.",
        "Version 2.10.3 was released on May 5.",
        "He finished 3rd in the race and won 100 dollars.",
        "The price rose by 10 percent in the second quarter.",
        "Call me at 5 or come by at 6.",
        "Table 3 shows the results of Figure 4.",
        "Room 5 is free, and so is Room 7.",
        "About 300 people came to the square.",
        "I paid 20 EUR for 2 tickets.",
        "Team A beat Team B by 3 goals to 1.",
        "Please read pages 10 to 20 by Monday.",
        "The train leaves platform 9 at 10:45.",
        "Windows 11 and Python 3 are supported.",
        "Our office opens at 9 and closes at 5.",
        "The box 5 on the left is empty.",
        "Via 5 hops the packet reached its goal.",
        "He was born in a small town with 2 schools.",
        "The product was born on paper and shipped 12 months later.",
        "Order 1234 was placed on 12/31/2024.",
        "Invoice due 2026-01-31 for 100 items.",
        "The ring 5 of the tree is thin.",
        "During 2020 many stores closed.",
        "Take 2 tablets every 8 hours.",
        "Add 3 cups of water and 1 spoon of salt.",
        "Out of 50 states 12 voted against it.",
        "OK 20000 rows were written in 3 s.",
        "Chicago 312 and Boston 617 are area codes.",
        "Line 42 of the file holds 7 errors.",
        "2026-04-07T10:15:30Z INFO request 17 done in 12 ms",
        "2026-04-07 10:15:30 WARN Retry 3 of 5 for Job 77",
        "Apr  7 10:15:30 host sshd[1234]: Accepted publickey for root port 22",
        "[12:00:01] worker 4 Started batch 17 with 250 items",
        "ERROR 500 Internal Server Error at Handler 3",
        "level=info msg=\"took 12 ms\" worker=3 Status 200",
        "kernel: usb 1-1: New device found, idVendor 0781",
        "INFO 1 Worker Started, 2 Workers Waiting",
        "127.0.0.1 - - [07/Apr/2026:10:15:30 +0000] \"GET / HTTP/1.0\" 200 2326",
        "pid 4242 exited with code 0 after 3600 s",
        "Thread 5 Waiting On Lock 12",
        "cpu 12 Mem 34 Disk 56 Net 78",
        "if x > 10 and y < 20: return 5 in values",
        "for (int i = 0; i < 10; i++) sum += 3 * i;",
        "let x = 5; let y = 7; // 12 In Total",
        "assert_eq!(count, 3, \"wanted 3 Items\");",
        "SELECT 1 FROM t WHERE id IN (1, 2, 3) LIMIT 10",
        "return 42 if ready else 17",
        "#define MAX 100 /* Size 5 */",
        "case 3: return State 4;",
        "const A = [1, 2, 3].map(n => n * 2)",
        "git rebase -i HEAD~3 && make -j 4 All",
        "x = 10, Y = 20, Z = 30",
        "margin: 0 auto; padding: 10 Px 5 Px",
    ] {
        assert_eq!(count(text), 0, "{text}");
    }
}
