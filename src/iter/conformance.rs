//! One test for every iterator: its moves are compared with a sorted list.

use std::cmp::Ordering;
use std::task::{Context, Poll, Waker};

use super::{InternalIterator, Step};
use crate::base::KeyOrder;

/// A key and its value.
pub(crate) type Row = (Vec<u8>, Vec<u8>);

/// Completes a move, polling as often as needed.
pub(crate) fn finish_now<I: InternalIterator + ?Sized>(iterator: &mut I, mut step: Step) {
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..1_000_000 {
        if step == Step::Done {
            return;
        }
        assert!(!iterator.valid(), "valid in the middle of a move");
        if iterator.poll_fill(&mut cx) == Poll::Ready(()) {
            step = iterator.resume();
        }
    }
    panic!("the move does not end");
}

/// All entries from the first on.
pub(crate) fn rows_forward<I: InternalIterator + ?Sized>(iterator: &mut I) -> Vec<Row> {
    let mut rows = Vec::new();
    let step = iterator.seek_to_first();
    finish_now(iterator, step);
    while iterator.valid() {
        rows.push((iterator.key().to_vec(), iterator.value().to_vec()));
        let step = iterator.next();
        finish_now(iterator, step);
    }
    rows
}

/// All entries from the last one backwards.
pub(crate) fn rows_backward<I: InternalIterator + ?Sized>(iterator: &mut I) -> Vec<Row> {
    let mut rows = Vec::new();
    let step = iterator.seek_to_last();
    finish_now(iterator, step);
    while iterator.valid() {
        rows.push((iterator.key().to_vec(), iterator.value().to_vec()));
        let step = iterator.prev();
        finish_now(iterator, step);
    }
    rows
}

/// Checks that `iterator`, which was never moved, returns exactly `expected`.
///
/// It is moved forwards, backwards, by seeks to `targets` and to its own keys, and in a walk of
/// 2,000 steps that turns, seeks and abandons moves as `seed` determines.
///
/// `expected` and the keys must be strictly increasing in `order`.
pub(crate) fn check<I: InternalIterator + ?Sized>(
    iterator: &mut I,
    expected: &[Row],
    order: &KeyOrder,
    targets: &[Vec<u8>],
    seed: u64,
) {
    assert!(!iterator.valid(), "valid before the first move");
    assert!(iterator.key().is_empty() && iterator.value().is_empty());
    assert_eq!(rows_forward(iterator), expected, "forward");
    at(iterator, expected, None);
    let mut reversed = rows_backward(iterator);
    reversed.reverse();
    assert_eq!(reversed, expected, "backward");
    at(iterator, expected, None);

    let place = |target: &[u8]| expected.partition_point(|(key, _)| order.compare(key, target) == Ordering::Less);
    for target in expected.iter().map(|(key, _)| key).chain(targets) {
        let step = iterator.seek(target);
        finish_now(iterator, step);
        at(iterator, expected, Some(place(target)));
    }

    let mut random = seed | 1;
    let mut next_random = move |bound: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(random >> 33).unwrap() % bound.max(1)
    };
    let mut here: Option<usize> = None;
    for _ in 0..2_000 {
        let choice = next_random(20);
        let step = match (choice, here) {
            (0, _) => {
                here = Some(0);
                iterator.seek_to_first()
            }
            (1, _) => {
                here = expected.len().checked_sub(1);
                iterator.seek_to_last()
            }
            (2..=10, Some(place)) => {
                here = Some(place + 1);
                iterator.next()
            }
            (11..=17, Some(place)) => {
                here = place.checked_sub(1);
                iterator.prev()
            }
            _ => {
                let which = next_random(expected.len() + targets.len());
                let target = expected.get(which).map(|(key, _)| key).or_else(|| targets.get(which - expected.len()));
                let Some(target) = target else { continue };
                here = Some(place(target));
                iterator.seek(target)
            }
        };
        if step == Step::NeedsBlock && next_random(4) == 0 {
            // Abandoned: only a seek may follow.
            here = None;
            continue;
        }
        finish_now(iterator, step);
        at(iterator, expected, here);
        if !iterator.valid() {
            here = None;
        }
    }
}

/// Checks that `iterator` is at row `place`, or not valid if there is none.
fn at<I: InternalIterator + ?Sized>(iterator: &I, expected: &[Row], place: Option<usize>) {
    assert_eq!(iterator.status(), Ok(()));
    let row = place.and_then(|i| expected.get(i));
    assert_eq!(iterator.valid(), row.is_some(), "valid at {place:?} of {}", expected.len());
    let (key, value) = row.map_or((&[][..], &[][..]), |(key, value)| (key, value));
    assert_eq!((iterator.key(), iterator.value()), (key, value), "at {place:?} of {}", expected.len());
}
