//! Several calls at once on a file of the pool whose raw file is not open: as in a browser, opening
//! takes time, and a second handle is refused while the first is open.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use varve::env::{
    Access, Durability, Env, File, FileKind, Io, PoolEnv, RawDirectory, RawFile, RawModel, append_checked, block_on,
    read_file,
};
use varve::{Db, Error, Options, WriteBatch, WriteOptions};

/// Raw files whose opening is pending once.
struct Slow(RawModel);

impl RawDirectory for Slow {
    fn list(&self, create: bool) -> Io<Vec<String>> {
        self.0.list(create)
    }

    fn open(&self, name: &str, create: bool) -> Io<Rc<dyn RawFile>> {
        let (raw, name) = (self.0.clone(), name.to_owned());
        Io::pending(async move {
            let mut is_first = true;
            poll_fn(|cx| {
                cx.waker().wake_by_ref();
                if std::mem::take(&mut is_first) { Poll::Pending } else { Poll::Ready(()) }
            })
            .await;
            raw.open(&name, create).await
        })
    }

    fn remove(&self, name: &str) -> Io<()> {
        self.0.remove(name)
    }

    fn remove_all(&self) -> Io<()> {
        self.0.remove_all()
    }

    fn now(&self) -> u64 {
        self.0.now()
    }

    fn unique(&self) -> u64 {
        self.0.unique()
    }

    fn run_later(&self, delay: u64, work: Pin<Box<dyn Future<Output = ()>>>) {
        self.0.run_later(delay, work);
    }

    fn durability(&self) -> Durability {
        self.0.durability()
    }
}

/// A pool with the closed file `000005.ldb`, opened by its next owner.
fn with_closed_file() -> Rc<PoolEnv> {
    let raw = RawModel::new(9);
    let env = PoolEnv::new(Rc::new(raw.clone()));
    block_on(env.lock(true)).unwrap();
    let file = block_on(env.create("000005.ldb", FileKind::Table, 0)).unwrap();
    block_on(append_checked(&env, &*file, "000005.ldb", b"content", 7)).unwrap();
    block_on(file.sync()).unwrap();
    block_on(env.edit_names(Vec::new())).unwrap();
    drop((file, env));

    let env = PoolEnv::new(Rc::new(Slow(raw)));
    block_on(env.lock(false)).unwrap();
    Rc::new(env)
}

fn poll_once<F: Future + Unpin>(future: &mut F) -> bool {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

fn begun(env: &PoolEnv) -> Io<Rc<dyn File>> {
    let mut open = env.open("000005.ldb", Access::Read);
    assert!(!poll_once(&mut open));
    open
}

fn content(file: &dyn File) -> Vec<u8> {
    block_on(file.read_at(0, 100)).unwrap().to_vec()
}

#[test]
fn a_file_can_be_opened_by_two_calls_at_once() {
    let env = with_closed_file();
    let (first, second) = (begun(&env), begun(&env));
    let (first, second) = (block_on(first).unwrap(), block_on(second).unwrap());
    assert_eq!((content(&*first), content(&*second)), (b"content".to_vec(), b"content".to_vec()));
}

#[test]
fn the_later_call_can_be_the_first_to_be_polled() {
    let env = with_closed_file();
    let (first, mut second) = (begun(&env), begun(&env));
    assert!(!poll_once(&mut second));
    let first = block_on(first).unwrap();
    drop(first);
    assert_eq!(content(&*block_on(second).unwrap()), b"content");
}

#[test]
fn an_opening_that_is_given_up_leaves_the_file_to_the_others() {
    let env = with_closed_file();
    let (first, second, third) = (begun(&env), begun(&env), begun(&env));
    drop((first, second));
    assert_eq!(content(&*block_on(third).unwrap()), b"content");
    assert_eq!(block_on(read_file(&*env, "000005.ldb", 100)).unwrap(), b"content");
}

#[test]
fn a_write_that_cannot_wait_does_not_need_a_new_file() {
    let raw = RawModel::new(10);
    let env = Rc::new(PoolEnv::new(Rc::new(Slow(raw.clone()))));
    let options = Options { create_if_missing: true, write_buffer_size: 4 << 10, ..Options::default() };
    let db = block_on(Db::open(env.clone(), options)).unwrap();
    let write = |i: u32| {
        let mut batch = WriteBatch::new();
        batch.put(&i.to_be_bytes(), &[7; 200]);
        db.write_now(&WriteOptions { sync: true }, batch)
    };
    // No spare is ready: the log and the memtable grow beyond their limit.
    let logs = || block_on(env.list()).unwrap().iter().filter(|name| name.ends_with(".log")).count();
    for i in 0..250 {
        write(i).unwrap();
    }
    assert_eq!(logs(), 1);
    let mut refused = 250;
    while write(refused).is_ok() {
        refused += 1;
        assert!(refused < 1000, "the memtable has no bound");
    }
    assert!(matches!(write(refused), Err(Error::Busy(_))));

    // Spares are made while nothing happens, and the next write takes one.
    raw.run_deferred(100);
    write(refused).unwrap();
    assert_eq!(logs(), 2);
    for i in 0..=refused {
        assert_eq!(block_on(db.get(&i.to_be_bytes())).unwrap().as_deref(), Some(&[7; 200][..]), "{i}");
    }
}
