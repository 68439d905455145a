//! Tests of the writer and its storage.

use super::*;

#[test]
fn the_log_continues_after_a_failed_append_is_truncated() {
    for lie in [false, true] {
        for taken in [0, 3, 9] {
            let (file, writer) = faulty();
            now(writer.add_record(b"foo")).unwrap();
            file.lie.set(lie);
            file.take.set(Some(taken));
            assert_eq!(now(writer.add_record(b"lost")).unwrap_err().code(), "io");
            assert!(!writer.is_ready());
            assert_eq!(writer.size(), 10);
            assert_eq!(now(writer.add_record(b"early")).unwrap_err().code(), "poisoned");
            file.fail_truncate.set(true);
            assert!(now(writer.truncate_to_good()).is_err());
            assert_eq!(now(writer.add_record(b"early")).unwrap_err().code(), "poisoned");
            now(writer.truncate_to_good()).unwrap();
            now(writer.add_record(b"bar")).unwrap();
            let log = Log { bytes: file.bytes.borrow().clone() };
            check(&log, &[b"foo", b"bar"], 0, &[]);
            assert_eq!(to_u64(log.bytes.len()), writer.size());
        }
    }
}

#[test]
fn a_dropped_append_must_be_truncated_too() {
    let (file, writer) = faulty();
    file.hang.set(true);
    assert!(try_now(writer.add_record(b"lost")).is_none());
    file.hang.set(false);
    assert_eq!(now(writer.add_record(b"early")).unwrap_err().code(), "poisoned");
    now(writer.truncate_to_good()).unwrap();
    now(writer.add_record(b"bar")).unwrap();
    check(&Log { bytes: file.bytes.borrow().clone() }, &[b"bar"], 0, &[]);
}

#[test]
fn a_failed_sync_is_final() {
    let (file, writer) = faulty();
    now(writer.add_record(b"foo")).unwrap();
    assert_eq!(now(writer.sync()), Ok(Durability::Durable));
    file.fail_sync.set(true);
    assert_eq!(now(writer.sync()).unwrap_err().code(), "io");
    assert_eq!(now(writer.sync()).unwrap_err().code(), "poisoned");
    now(writer.truncate_to_good()).unwrap();
    assert_eq!(now(writer.add_record(b"bar")).unwrap_err().code(), "poisoned");
}

#[test]
fn the_pieces_of_a_huge_record_form_one_record() {
    let (file, writer) = faulty();
    let huge = big("0123456789", (9 << 20) + 5);
    for record in [b"a".as_slice(), &huge, b"b"] {
        now(writer.add_record(record)).unwrap();
    }
    let log = Log { bytes: file.bytes.borrow().clone() };
    assert_eq!(log.bytes, Log::of(&[b"a", &huge, b"b"]).bytes);
    assert_eq!(log.prefix_data(), [b"a".to_vec(), huge, b"b".to_vec()]);
}
