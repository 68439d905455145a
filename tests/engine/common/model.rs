//! The ordered map with which a database must agree.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use varve::{BloomFilterPolicy, Compression, Options, Pause, UserComparator};

use super::comparators::{LengthFirst, ReverseBytewise};
use super::random::Random;

/// A host that pauses at every opportunity.
pub struct Restless;

impl Pause for Restless {
    fn pause(&self) -> Option<Pin<Box<dyn Future<Output = ()>>>> {
        let mut waited = false;
        Some(Box::pin(poll_fn(move |cx| {
            if std::mem::replace(&mut waited, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })))
    }
}

pub type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// Options that make every kind of work frequent: small buffers, small files.
pub fn random_options(random: &mut Random) -> Options {
    Options {
        create_if_missing: true,
        write_buffer_size: *random.pick(&[4 << 10, 16 << 10, 64 << 10, 1 << 20]),
        block_size: *random.pick(&[64, 256, 1024, 4096, 65_536]),
        block_restart_interval: *random.pick(&[1, 2, 16, 128]),
        max_file_size: *random.pick(&[16 << 10, 64 << 10, 2 << 20]),
        block_cache_size: *random.pick(&[0, 8 << 10, 8 << 20]),
        max_open_files: *random.pick(&[10, 1000]),
        compression: *random.pick(&[Compression::None, Compression::Snappy]),
        filter_policy: match random.below(3) {
            0 => None,
            1 => Some(Rc::new(BloomFilterPolicy::new(5))),
            _ => Some(Rc::new(BloomFilterPolicy::new(10))),
        },
        reuse_logs: random.one_in(3),
        paranoid_checks: random.one_in(2),
        slice_size: *random.pick(&[1 << 10, 16 << 10, 64 << 10]),
        pause: random.one_in(3).then(|| Rc::new(Restless) as _),
        ..Options::default()
    }
}

/// Keys of a few forms, few enough that they repeat.
pub fn random_key(random: &mut Random, space: usize) -> Vec<u8> {
    let n = random.below(space);
    match n % 4 {
        0 => format!("key{n:06}").into_bytes(),
        1 => (n as u32).to_be_bytes().to_vec(),
        2 => format!("a/long/prefix/that/many/keys/have/{n}").into_bytes(),
        _ => vec![(n % 251) as u8; n % 9],
    }
}

pub fn random_value(random: &mut Random) -> Vec<u8> {
    let length = match random.below(100) {
        0 => random.below(100_000),
        1..10 => 0,
        _ => random.below(300),
    };
    random.bytes(length)
}

pub fn random_comparator(random: &mut Random) -> UserComparator {
    match random.below(6) {
        0 => UserComparator::Custom(Rc::new(ReverseBytewise)),
        1 => UserComparator::Custom(Rc::new(LengthFirst)),
        _ => UserComparator::Bytewise,
    }
}

/// The map's entries in the comparator's order.
pub fn sorted(map: &Map, order: &UserComparator) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut entries: Vec<_> = map.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    entries.sort_by(|a, b| order.compare(&a.0, &b.0));
    entries
}
