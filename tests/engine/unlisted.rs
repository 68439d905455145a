//! Databases on a storage that cannot list files, and that others may change: open follows CURRENT
//! and the manifest.

use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::rc::Rc;

use varve::env::{Access, Durability, Env, File, FileKind, Io, MemoryEnv, NameEdit};
use varve::{Db, Error, Options, block_on};

/// Called before a file is opened; an error is returned to the caller.
type BeforeOpen = Box<dyn Fn(&MemoryEnv, &str) -> Option<Error>>;

/// Files as on a web server: they are read by name.
struct Remote {
    files: MemoryEnv,
    before_open: BeforeOpen,
    opened: RefCell<Vec<String>>,
    size_hints: RefCell<Vec<(String, u64)>>,
}

impl Remote {
    fn new(files: &MemoryEnv, before_open: impl Fn(&MemoryEnv, &str) -> Option<Error> + 'static) -> Rc<Remote> {
        let (opened, size_hints) = (RefCell::default(), RefCell::default());
        Rc::new(Remote { files: files.clone(), before_open: Box::new(before_open), opened, size_hints })
    }
}

impl Env for Remote {
    fn lock(&self, _: bool) -> Io<u64> {
        Io::ready(Err(Error::NotSupported("read-only".into())))
    }
    fn unlock(&self) {}
    fn list(&self) -> Io<Vec<String>> {
        Io::ready(Err(Error::NotSupported("no list".into())))
    }
    fn create(&self, _: &str, _: FileKind, _: u64) -> Io<Rc<dyn File>> {
        panic!("nothing is made")
    }
    fn open(&self, name: &str, access: Access) -> Io<Rc<dyn File>> {
        assert_eq!(access, Access::Read);
        self.opened.borrow_mut().push(name.into());
        match (self.before_open)(&self.files, name) {
            Some(error) => Io::ready(Err(error)),
            None => self.files.open(name, access),
        }
    }
    fn open_table(&self, name: &str, size: u64) -> Io<Rc<dyn File>> {
        self.size_hints.borrow_mut().push((name.into(), size));
        self.open(name, Access::Read)
    }
    fn edit_names(&self, _: Vec<NameEdit>) -> Io<()> {
        panic!("nothing is changed")
    }
    fn remove_place(&self) -> Io<()> {
        panic!("nothing is removed")
    }
    fn durability(&self) -> Durability {
        Durability::Durable
    }
    fn appends_are_exact(&self) -> bool {
        true
    }
}

fn options() -> Options {
    Options { create_if_missing: true, write_buffer_size: 64 << 10, ..Options::default() }
}

fn read_only() -> Options {
    Options { read_only: true, ..Options::default() }
}

fn put(db: &Db, range: std::ops::Range<usize>) {
    for key in range {
        block_on(db.put(format!("key {key:05}").as_bytes(), &[b'v'; 100])).unwrap();
    }
}

fn count(db: &Db) -> usize {
    let mut iterator = db.iter(&varve::ReadOptions::default()).unwrap();
    let mut count = 0;
    let mut found = block_on(iterator.seek_to_first()).unwrap();
    while found {
        count += 1;
        found = block_on(iterator.next()).unwrap();
    }
    count
}

/// Tables, and entries that are only in a log.
fn database() -> MemoryEnv {
    let env = MemoryEnv::new();
    let db = block_on(Db::open(Rc::new(env.clone()), options())).unwrap();
    put(&db, 0..2000);
    block_on(db.flush()).unwrap();
    put(&db, 2000..2100);
    drop(db);
    assert!(env.names().iter().any(|name| name.ends_with(".ldb")));
    env.snapshot()
}

#[test]
fn a_database_without_list_is_read_completely() {
    let files = database();
    let remote = Remote::new(&files, |_, _| None);
    let db = block_on(Db::open(remote.clone(), read_only())).unwrap();
    assert_eq!(count(&db), 2100);
    assert!(matches!(block_on(db.put(b"key", b"value")), Err(Error::NotSupported(_))));
    let hints = remote.size_hints.borrow();
    assert!(!hints.is_empty());
    for (name, size) in &*hints {
        assert_eq!(files.read(name).unwrap().len() as u64, *size, "{name}");
    }
}

#[test]
fn a_log_that_cannot_be_probed_is_not_treated_as_missing() {
    let denied = |_: &MemoryEnv, name: &str| {
        name.ends_with(".log").then(|| Error::io(name, "open", ErrorKind::PermissionDenied, "403"))
    };
    let error = block_on(Db::open(Remote::new(&database(), denied), read_only())).unwrap_err();
    assert!(matches!(&error, Error::Io(io) if io.kind == ErrorKind::PermissionDenied), "{error}");
}

#[test]
fn logs_beyond_the_number_that_the_manifest_knows_are_found() {
    let files = database();
    let log = files.names().into_iter().find(|name| name.ends_with(".log")).unwrap();
    let number: u64 = log.trim_end_matches(".log").parse().unwrap();
    let content = files.read(&log).unwrap();
    block_on(files.edit_names(vec![NameEdit::Remove { name: log }])).unwrap();
    files.write(&format!("{:06}.log", number + 4), &content);
    let db = block_on(Db::open(Remote::new(&files, |_, _| None), read_only())).unwrap();
    assert_eq!(count(&db), 2100);
}

/// While the logs were probed, a writer flushed their entries to a table and removed them.
#[test]
fn a_database_that_changes_while_it_is_opened_is_opened_again() {
    for (moves, opens) in [(1, true), (4, true), (usize::MAX, false)] {
        let left = Cell::new(moves);
        let written = Rc::new(Cell::new(2100));
        let end = written.clone();
        let write = move |files: &MemoryEnv, name: &str| {
            if name.ends_with(".log") && left.get() > 0 {
                left.set(left.get() - 1);
                let from = end.replace(end.get() + 10);
                let db = block_on(Db::open(Rc::new(files.clone()), options())).unwrap();
                put(&db, from..end.get());
                block_on(db.flush()).unwrap();
                block_on(db.close()).unwrap();
                // One change per attempt to open.
                return Some(Error::io(name, "open", ErrorKind::NotFound, "gone"));
            }
            None
        };
        let opened = block_on(Db::open(Remote::new(&database(), write), read_only()));
        if opens {
            assert_eq!(count(&opened.unwrap()), written.get());
        } else {
            assert!(matches!(opened, Err(Error::SourceChanged(_))), "{opened:?}");
        }
    }
}

#[test]
fn a_manifest_that_requires_probing_thousands_of_logs_is_refused() {
    let files = database();
    let manifest = files.names().into_iter().find(|name| name.starts_with("MANIFEST")).unwrap();
    let mut bytes = files.read(&manifest).unwrap();
    // A last record that says only: next file number (tag 3) 2^40.
    let mut number = vec![3];
    let mut value = 1u64 << 40;
    while value >= 128 {
        number.push((value & 127) as u8 | 128);
        value >>= 7;
    }
    number.push(value as u8);
    crate::common::framing::frame(&mut bytes, &number, None);
    files.write(&manifest, &bytes);
    let remote = Remote::new(&files, |_, _| None);
    let error = block_on(Db::open(remote.clone(), read_only())).unwrap_err();
    assert!(matches!(error, Error::LimitExceeded(_)), "{error}");
    assert!(remote.opened.borrow().len() < 10);
}
