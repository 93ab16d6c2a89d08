//! Every way of changing the audit trail is found, and the first record that is wrong is named.

use garita::audit::checkpoint::{Checkpoint, Signer, usual_key};
use garita::audit::verify::{Verdict, verify};
use garita::audit::{Act, Action, append};
use garita::custody::database;
use rusqlite::{Connection, params};
use tempfile::tempdir;

use super::server::garita;
use super::store::{BEGIN_MS, open};

const RECORDS: i64 = 1_000;

fn act(number: i64) -> Act {
    let details = serde_json::json!({ "reason": format!("case {number}"), "q": "7ABC*" });
    Act { who: "jdoe".to_owned(), action: Action::Searched, subject: format!("passage {number}"), details, now_ms: BEGIN_MS + number }
}

/// A log of [`RECORDS`] records, in memory.
fn log() -> Connection {
    let mut connection = Connection::open_in_memory().unwrap();
    garita::custody::schema::migrate(&mut connection).unwrap();
    let transaction = connection.transaction().unwrap();
    (1..=RECORDS).for_each(|number| assert_eq!(append(&transaction, &act(number)).unwrap(), number));
    transaction.commit().unwrap();
    connection
}

fn first_wrong(connection: &Connection) -> Option<i64> {
    verify(connection, &[]).unwrap().wrong.map(|wrong| wrong.record)
}

/// A column's bytes as the digest sees them, and how to put others there.
const COLUMNS: [(&str, &str, &str); 7] = [
    ("id", "id", "UPDATE OR REPLACE audit SET id = ?2 WHERE id = ?1"),
    ("at_ms", "at_ms", "UPDATE audit SET at_ms = ?2 WHERE id = ?1"),
    ("who", "CAST(who AS BLOB)", "UPDATE audit SET who = CAST(?2 AS TEXT) WHERE id = ?1"),
    ("action", "CAST(action AS BLOB)", "UPDATE audit SET action = CAST(?2 AS TEXT) WHERE id = ?1"),
    ("subject", "CAST(subject AS BLOB)", "UPDATE audit SET subject = CAST(?2 AS TEXT) WHERE id = ?1"),
    ("details", "CAST(details AS BLOB)", "UPDATE audit SET details = CAST(?2 AS TEXT) WHERE id = ?1"),
    ("digest", "digest", "UPDATE audit SET digest = ?2 WHERE id = ?1"),
];

/// Every byte of every column of the log is flipped, one at a time. Every 13th by default; all with `GARITA_FLIPS=all`, which takes minutes.
#[test]
fn every_flipped_byte_is_found_and_its_record_named() {
    let connection = log();
    assert_eq!(first_wrong(&connection), None);
    let every = if std::env::var("GARITA_FLIPS").is_ok_and(|all| all == "all") { 1 } else { 13 };
    let (mut bytes, mut flips) = (0usize, 0);
    for record in 1..=RECORDS {
        for (name, expression, update) in COLUMNS {
            let stored: rusqlite::types::Value =
                connection.query_row(&format!("SELECT {expression} FROM audit WHERE id = ?1"), [record], |row| row.get(0)).unwrap();
            let length = if let rusqlite::types::Value::Blob(blob) = &stored { blob.len() } else { 8 };
            for byte in 0..length {
                bytes += 1;
                if !bytes.is_multiple_of(every) {
                    continue;
                }
                flips += 1;
                let mask = 1u8 << (bytes % 8);
                let (other, expected) = match &stored {
                    rusqlite::types::Value::Integer(number) => {
                        let other = number ^ (i64::from(mask) << (8 * byte));
                        (rusqlite::types::Value::Integer(other), if name == "id" && other > 0 { record.min(other) } else { record })
                    }
                    rusqlite::types::Value::Blob(blob) => {
                        let mut other = blob.clone();
                        other[byte] ^= mask;
                        (rusqlite::types::Value::Blob(other), record)
                    }
                    other => panic!("{other:?}"),
                };
                connection.execute_batch("SAVEPOINT whole").unwrap();
                connection.execute(update, params![record, other]).unwrap();
                let wrong = first_wrong(&connection);
                // A record whose number has become none of ours stands before the first.
                let expected = if name == "id" && matches!(other, rusqlite::types::Value::Integer(..=0)) { 1 } else { expected };
                assert_eq!(wrong, Some(expected), "byte {byte} of {name} of record {record}");
                connection.execute_batch("ROLLBACK TO whole; RELEASE whole").unwrap();
            }
        }
    }
    assert_eq!(first_wrong(&connection), None, "as it was");
    println!("{flips} of {bytes} bytes flipped, each found");
}

#[test]
fn what_is_removed_swapped_or_put_in_between_is_named() {
    let connection = log();
    let tried = |script: &str, expected: i64| {
        connection.execute_batch(&format!("SAVEPOINT whole; {script}")).unwrap();
        assert_eq!(first_wrong(&connection), Some(expected), "{script}");
        connection.execute_batch("ROLLBACK TO whole; RELEASE whole").unwrap();
    };
    tried("DELETE FROM audit WHERE id = 1", 1);
    tried("DELETE FROM audit WHERE id = 500", 500);
    // Removed, and the gap closed.
    tried("DELETE FROM audit WHERE id = 500; UPDATE audit SET id = -id WHERE id > 500; UPDATE audit SET id = -id - 1 WHERE id < 0", 500);
    tried("UPDATE audit SET id = 0 WHERE id = 700; UPDATE audit SET id = 700 WHERE id = 300; UPDATE audit SET id = 300 WHERE id = 0", 300);
    // The same record once more, and all after it one further.
    tried(
        "UPDATE audit SET id = -id WHERE id > 10; UPDATE audit SET id = 1 - id WHERE id < 0;
         INSERT INTO audit SELECT 11, at_ms, who, action, subject, details, digest FROM audit WHERE id = 10",
        11,
    );
    tried("INSERT INTO audit SELECT -5, at_ms, who, action, subject, details, digest FROM audit WHERE id = 10", 1);
    tried("UPDATE audit SET details = 7 WHERE id = 9", 9);
}

/// The end cut off, or all made anew, is a right chain; a checkpoint that was taken away knows better.
#[test]
fn truncation_and_a_new_chain_are_found_against_a_checkpoint() {
    let folder = tempdir().unwrap();
    let (mut connection, signer) = (log(), Signer::open(&usual_key(folder.path())).unwrap());
    let checkpoint = signer.checkpoint(&connection, BEGIN_MS).unwrap();
    let exported = serde_json::to_string(&checkpoint).unwrap();
    let checkpoint = Checkpoint::parse(&exported).unwrap();
    assert_eq!((checkpoint.record, checkpoint.key.clone()), (RECORDS, Signer::open(&usual_key(folder.path())).unwrap().key()), "the key stays");
    let agrees = Verdict { right: RECORDS, digest: checkpoint.digest.clone(), checkpoints: 1, wrong: None };
    assert_eq!(verify(&connection, std::slice::from_ref(&checkpoint)).unwrap(), agrees);
    for left in [999, 500, 1, 0] {
        connection.execute_batch("SAVEPOINT whole").unwrap();
        connection.execute("DELETE FROM audit WHERE id > ?1", [left]).unwrap();
        assert_eq!(first_wrong(&connection), None, "by itself it is right");
        let verdict = verify(&connection, std::slice::from_ref(&checkpoint)).unwrap();
        assert_eq!(verdict.wrong.map(|wrong| wrong.record), Some(left + 1));
        connection.execute_batch("ROLLBACK TO whole; RELEASE whole").unwrap();
    }
    // Made anew from the first record on, one word changed.
    connection.execute("DELETE FROM audit", []).unwrap();
    let transaction = connection.transaction().unwrap();
    for number in 1..=RECORDS {
        let who = if number == 17 { "somebody-else".to_owned() } else { "jdoe".to_owned() };
        append(&transaction, &Act { who, ..act(number) }).unwrap();
    }
    transaction.commit().unwrap();
    assert_eq!(first_wrong(&connection), None);
    let earlier = Checkpoint { record: 20, ..checkpoint.clone() };
    assert_eq!(verify(&connection, &[checkpoint.clone(), earlier]).unwrap().wrong.map(|wrong| wrong.record), Some(20), "the earliest that disagrees");
    // Changed checkpoints are none.
    for (from, to) in [
        (r#""record":1000"#, r#""record":999"#),
        (&checkpoint.digest[..8], "00000000"),
        (&checkpoint.signature[..8], "00000000"),
        (&checkpoint.key[..8], "00000000"),
    ] {
        assert!(Checkpoint::parse(&exported.replacen(from, to, 1)).is_err(), "{from}");
    }
    assert!(Checkpoint::parse("{}").is_err() && Checkpoint::parse("").is_err());
}

/// A record and what it tells of are in one commit, also where what it tells of fails.
#[test]
fn the_command_names_the_first_wrong_record_of_a_store() {
    let folder = tempdir().unwrap();
    let custody = open(folder.path());
    for number in 1..=50 {
        custody.change(move |transaction| append(transaction, &act(number)));
    }
    let failed = custody.change(|transaction| {
        append(transaction, &act(51))?;
        transaction.execute("INSERT INTO nowhere VALUES (1)", []).map(|_| 0)
    });
    assert!(matches!(failed, garita::custody::record::Fate::Failed(_)));
    let data = folder.path().display().to_string();
    let (right, told) = garita(&["audit", "verify", &data]);
    assert!(right && told.contains("all 50 records"), "while it is open: {told}");
    assert!(!garita(&["audit", "checkpoint", &data]).0, "there is no key yet: the service makes it");
    let pem = Signer::open(&usual_key(folder.path())).unwrap().pem();
    assert_eq!(garita(&["audit", "key", &data]), (true, pem));
    let (_, checkpoint) = garita(&["audit", "checkpoint", &data]);
    let file = folder.path().join("checkpoint.json");
    std::fs::write(&file, &checkpoint).unwrap();
    let file = file.display().to_string();
    assert!(garita(&["audit", "verify", &data, "--checkpoint", &file]).0);
    assert!(!garita(&["audit", "verify", &data, "--checkpoint", &file, "--key", &"0".repeat(64)]).0, "another key");
    assert_eq!(garita(&["audit", "show", &data, "--last", "3"]).1.lines().count(), 3);
    custody.close();
    Connection::open(database(folder.path())).unwrap().execute("UPDATE audit SET who = 'nobody' WHERE id = 33", []).unwrap();
    let (right, told) = garita(&["audit", "verify", &data]);
    assert!(!right && told.starts_with("record 33 "), "{told}");
    let (right, told) = garita(&["check", &data]);
    assert!(!right && told.contains("invariant 8: audit record 33"), "{told}");
    Connection::open(database(folder.path())).unwrap().execute("DELETE FROM audit WHERE id > 30", []).unwrap();
    let (right, told) = garita(&["audit", "verify", &data, "--checkpoint", &file]);
    assert!(!right && told.starts_with("record 31 "), "{told}");
    assert!(!garita(&["audit", "verify", "/nowhere"]).0);
}
