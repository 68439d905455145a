//! Builds and decodes batches.

use super::*;

fn sequence(n: u64) -> SequenceNumber {
    SequenceNumber::new(n).unwrap()
}

/// Prints a batch as LevelDB's tests do.
fn show(batch: &WriteBatch) -> String {
    let first = batch.sequence().get();
    let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    let lines = batch.iter().enumerate().map(|(i, operation)| match operation.unwrap() {
        BatchOperation::Put { key, value } => format!("Put({}, {})@{}", text(key), text(value), first + i as u64),
        BatchOperation::Delete { key } => format!("Delete({})@{}", text(key), first + i as u64),
    });
    lines.collect::<Vec<_>>().join(" ")
}

#[test]
fn batch_matches_the_worked_example() {
    let mut batch = WriteBatch::new();
    batch.put(b"a", b"1");
    batch.set_sequence(sequence(1));
    let expected = [1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0x61, 1, 0x31];
    assert_eq!(batch.as_bytes(), expected);
    assert_eq!(WriteBatch::from_bytes(expected.to_vec()).unwrap(), batch);
}

#[test]
fn an_empty_batch_is_twelve_bytes() {
    let batch = WriteBatch::new();
    assert_eq!((batch.count(), batch.byte_size(), batch.is_empty()), (0, 12, true));
    assert_eq!(show(&batch), "");
}

#[test]
fn operations_are_read_in_order_with_increasing_sequence_numbers() {
    let mut batch = WriteBatch::new();
    batch.put(b"foo", b"bar");
    batch.delete(b"box");
    batch.put(b"baz", b"boo");
    batch.set_sequence(sequence(100));
    assert_eq!(show(&batch), "Put(foo, bar)@100 Delete(box)@101 Put(baz, boo)@102");
    assert_eq!(batch.count(), 3);
}

#[test]
fn appending_adds_operations_and_keeps_the_sequence() {
    let (mut a, mut b) = (WriteBatch::new(), WriteBatch::new());
    a.set_sequence(sequence(200));
    b.set_sequence(sequence(300));
    a.append(&b);
    assert_eq!(show(&a), "");
    b.put(b"a", b"va");
    a.append(&b);
    assert_eq!(show(&a), "Put(a, va)@200");
    b.clear();
    b.put(b"b", b"vb");
    a.append(&b);
    assert_eq!(show(&a), "Put(a, va)@200 Put(b, vb)@201");
    b.delete(b"foo");
    a.append(&b);
    assert_eq!(show(&a), "Put(a, va)@200 Put(b, vb)@201 Put(b, vb)@202 Delete(foo)@203");
    assert_eq!(WriteBatch::from_bytes(a.as_bytes().to_vec()).unwrap(), a);
}

#[test]
fn the_size_grows_with_every_operation() {
    let mut batch = WriteBatch::new();
    let mut last = batch.byte_size();
    for _ in 0..3 {
        batch.put(b"foo", b"bar");
        assert_eq!(batch.byte_size(), last + 9);
        last = batch.byte_size();
    }
    batch.delete(b"box");
    assert_eq!(batch.byte_size(), last + 5);
}

#[test]
fn every_truncation_is_an_error() {
    let mut batch = WriteBatch::new();
    batch.put(b"foo", b"bar");
    batch.delete(b"box");
    for cut in 0..batch.byte_size() {
        let error = WriteBatch::from_bytes(batch.as_bytes()[..cut].to_vec()).unwrap_err();
        let expected = match cut {
            0..12 => "log record too small",
            12 | 21 => "WriteBatch has wrong count",
            13..21 => "bad WriteBatch Put",
            _ => "bad WriteBatch Delete",
        };
        assert!(error.reason.starts_with(expected), "{cut}: {}", error.reason);
    }
}

#[test]
fn operations_before_a_bad_one_can_still_be_read() {
    let mut batch = WriteBatch::new();
    batch.put(b"foo", b"bar");
    let mut bytes = batch.as_bytes().to_vec();
    bytes.push(7);
    let found: Vec<_> = operations(&bytes).collect();
    assert_eq!(found[0], Ok(BatchOperation::Put { key: b"foo", value: b"bar" }));
    let error = found[1].clone().unwrap_err();
    assert_eq!((error.offset, error.reason.as_str()), (21, "unknown WriteBatch tag: 7, expected 0 or 1"));
    assert_eq!(found.len(), 2);
}

#[test]
fn sequences_past_56_bits_are_refused() {
    let mut bytes = WriteBatch::new().as_bytes().to_vec();
    bytes[7] = 1;
    assert!(WriteBatch::from_bytes(bytes).unwrap_err().reason.contains("sequence"));
    let mut batch = WriteBatch::new();
    batch.set_sequence(SequenceNumber::MAX);
    batch.delete(b"a");
    assert!(WriteBatch::from_bytes(batch.as_bytes().to_vec()).is_ok());
    batch.delete(b"b");
    assert!(WriteBatch::from_bytes(batch.as_bytes().to_vec()).is_err());
}

#[test]
fn a_refused_operation_makes_the_batch_unwritable_until_it_is_cleared() {
    let mut batch = WriteBatch::new();
    batch.set_count(u32::MAX);
    batch.put(b"a", b"b");
    assert_eq!(batch.check().unwrap_err().code(), "limit-exceeded");
    let mut other = WriteBatch::new();
    other.append(&batch);
    assert!(other.check().is_err());
    batch.clear();
    assert_eq!(batch, WriteBatch::new());
    batch.check().unwrap();
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn batches_round_trip(ops in vec((any::<bool>(), vec(any::<u8>(), 0..300), vec(any::<u8>(), 0..300)), 0..20)) {
            let mut batch = WriteBatch::new();
            for (put, key, value) in &ops {
                if *put { batch.put(key, value) } else { batch.delete(key) }
            }
            let again = WriteBatch::from_bytes(batch.as_bytes().to_vec()).unwrap();
            prop_assert_eq!(&again, &batch);
            let read: Vec<_> = again.iter().map(|o| o.unwrap()).collect();
            let written: Vec<_> = ops.iter().map(|(put, key, value)| {
                if *put { BatchOperation::Put { key, value } } else { BatchOperation::Delete { key } }
            }).collect();
            prop_assert_eq!(read, written);
        }

        #[test]
        fn any_bytes_are_a_batch_or_an_error(bytes in vec(prop_oneof![0u8..3, any::<u8>()], 0..100)) {
            if let Ok(batch) = WriteBatch::from_bytes(bytes.clone()) {
                prop_assert_eq!(batch.as_bytes(), &bytes[..]);
                prop_assert_eq!(batch.iter().count(), usize::try_from(batch.count()).unwrap());
            }
        }
    }
}
