use super::*;

fn at(n: u64) -> SequenceNumber {
    SequenceNumber::new(n).unwrap()
}

fn batch(size: usize) -> WriteBatch {
    WriteBatch::of_put(b"k", &vec![0; size])
}

fn watched() -> Rc<Feed> {
    let feed = Rc::<Feed>::default();
    feed.enter(at(0));
    feed
}

fn told(feed: &Feed, mut position: SequenceNumber) -> Vec<(u64, bool)> {
    let mut all = Vec::new();
    while let Some((last, committed)) = feed.after(position) {
        all.push((last.get(), matches!(committed, Committed::Clear(_))));
        position = last;
    }
    all
}

fn hold(feed: &Rc<Feed>, before: u64) -> Rc<Hold> {
    let hold = Hold::new(feed, (None, None));
    feed.begin(&Rc::downgrade(&hold), at(before), at(before + 1), batch(0));
    hold
}

#[test]
fn the_oldest_batches_go_and_the_newest_stays() {
    let feed = watched();
    for n in 1..=5 {
        feed.push(at(n), batch(300 << 10));
    }
    assert_eq!(told(&feed, feed.start()), [(3, false), (4, false), (5, false)]);
    assert_eq!(feed.start(), at(2));
    feed.push(at(6), batch(3 << 20));
    assert_eq!(told(&feed, feed.start()), [(6, false)]);
}

#[test]
fn nothing_is_kept_once_the_last_watch_has_left() {
    let feed = watched();
    feed.enter(at(0));
    feed.push(at(1), batch(9));
    feed.leave();
    assert_eq!(told(&feed, at(0)), [(1, false)]);
    feed.leave();
    assert!(!feed.is_watched() && told(&feed, at(0)).is_empty());
    feed.enter(at(7));
    assert_eq!(feed.start(), at(7));
}

#[test]
fn a_deleted_range_is_told_once_it_is_done_and_hides_its_deletions() {
    let feed = watched();
    feed.push(at(1), batch(9));
    let hold = hold(&feed, 1);
    feed.go_on(at(2), at(9), batch(9));
    feed.push(at(10), batch(9));
    assert_eq!(feed.end(at(10)), at(1), "held back");
    hold.done();
    drop(hold);
    assert_eq!(feed.end(at(10)), at(10));
    assert_eq!(told(&feed, at(0)), [(1, false), (2, true), (10, false)]);
}

#[test]
fn after_a_deletion_that_failed_only_the_logs_can_tell() {
    let feed = watched();
    let hold = hold(&feed, 0);
    feed.go_on(at(1), at(9), batch(9));
    drop(hold);
    assert_eq!((feed.start(), feed.end(at(9))), (at(9), at(9)));
    assert!(told(&feed, at(0)).is_empty());
}

#[test]
fn a_range_that_goes_takes_along_what_it_hides() {
    let feed = watched();
    let hold = hold(&feed, 0);
    feed.go_on(at(1), at(9), batch(9));
    feed.push(at(10), batch(9));
    hold.done();
    drop(hold);
    feed.push(at(11), batch(2 << 20));
    assert!(feed.start() >= at(9));
    // One that is still under way ends the hiding.
    let feed = watched();
    let hold = self::hold(&feed, 0);
    feed.go_on(at(1), at(9), batch(9));
    feed.push(at(10), batch(2 << 20));
    assert_eq!(feed.start(), at(10));
    feed.go_on(at(1), at(12), batch(9));
    hold.done();
    drop(hold);
    assert_eq!(told(&feed, feed.start()), [(12, false)]);
}
