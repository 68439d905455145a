//! Guarantees of a native directory beyond the contract: LevelDB's file names and lock, and precise
//! errors.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;

use varve::env::{Access, Durability, Env, FileKind, NameEdit, StdFsEnv, block_on};
use varve::{Db, Error, Options};

use crate::common::temp_dir::TempDir;

fn locked(directory: &Path) -> StdFsEnv {
    let env = StdFsEnv::new(directory);
    block_on(env.lock(true)).unwrap();
    env
}

#[test]
fn files_have_their_plain_names() {
    let temp = TempDir::new();
    let env = locked(temp.path());
    let file = block_on(env.create("000003.log", FileKind::Log, 0)).unwrap();
    block_on(file.append(b"record")).unwrap();
    assert_eq!(block_on(file.sync()).unwrap(), Durability::Durable);
    let current = NameEdit::Replace { name: "CURRENT".into(), via: "000001.dbtmp".into(), content: b"M\n".to_vec() };
    let lost = NameEdit::Rename { from: "000003.log".into(), to: "lost/000003.log".into() };
    block_on(env.edit_names(vec![current, lost])).unwrap();
    assert_eq!(std::fs::read(temp.join("CURRENT")).unwrap(), b"M\n");
    assert_eq!(std::fs::read(temp.join("lost/000003.log")).unwrap(), b"record");
    assert!(temp.join("LOCK").exists());
    assert!(!temp.join("000001.dbtmp").exists());
}

#[test]
fn list_returns_regular_files_with_unicode_names() {
    let temp = TempDir::new();
    std::fs::create_dir(temp.join("a directory")).unwrap();
    std::fs::write(temp.join("a file"), b"").unwrap();
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::ffi::OsStrExt;
        std::fs::write(temp.join(std::ffi::OsStr::from_bytes(b"\xff\xfe")), b"").unwrap();
    }
    let env = locked(temp.path());
    assert_eq!(block_on(env.list()).unwrap(), ["a file"]);
    assert!(block_on(env.open("a directory", Access::Read)).is_err());
    assert!(block_on(env.create("a directory", FileKind::Log, 0)).is_err());
    block_on(env.remove_place()).unwrap();
    assert!(temp.join("a file").exists() && temp.join("a directory").exists() && !temp.join("LOCK").exists());
}

#[test]
fn locking_creates_parent_directories_too() {
    let temp = TempDir::new();
    let deep = temp.join("one/two/three");
    drop(locked(&deep));
    assert!(deep.join("LOCK").exists());
}

#[test]
fn removing_the_place_leaves_nothing() {
    let temp = TempDir::new();
    let place = temp.join("db");
    let env = locked(&place);
    std::fs::create_dir(place.join("lost")).unwrap();
    block_on(env.remove_place()).unwrap();
    assert!(!place.exists());
    block_on(env.lock(true)).unwrap();
}

/// `repair` and `open` without a database created a `LOCK` that was not removed.
#[test]
fn a_lock_without_a_database_leaves_nothing() {
    let temp = TempDir::new();
    let env = || Rc::new(StdFsEnv::new(temp.path()));
    let names = || -> Vec<_> { temp.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect() };
    let refused = || {
        assert_eq!(block_on(varve::repair(env(), Options::default())).unwrap_err().code(), "invalid-argument");
        assert_eq!(block_on(Db::open(env(), Options::default())).err().unwrap().code(), "invalid-argument");
    };
    refused();
    assert!(names().is_empty());
    std::fs::write(temp.join("a file"), b"mine").unwrap();
    refused();
    assert_eq!(names(), ["a file"]);
    // An existing LOCK is kept, and so is that of a C++ LevelDB about to take it, which has created
    // its LOG.
    std::fs::write(temp.join("LOCK"), b"").unwrap();
    refused();
    assert!(temp.join("LOCK").exists());
    std::fs::remove_file(temp.join("LOCK")).unwrap();
    std::fs::write(temp.join("LOG"), b"").unwrap();
    refused();
    assert!(temp.join("LOCK").exists());
    let nowhere = || Rc::new(StdFsEnv::new(temp.join("no/where")));
    block_on(varve::repair(nowhere(), Options::default())).unwrap_err();
    block_on(varve::destroy(nowhere())).unwrap();
    assert!(!temp.join("no").exists());
}

#[test]
fn a_file_is_not_a_directory() {
    let temp = TempDir::new();
    std::fs::write(temp.join("file"), b"mine").unwrap();
    for place in [temp.join("file"), temp.join("file/below")] {
        for create in [false, true] {
            let env = StdFsEnv::new(&place);
            let Err(Error::Io(error)) = block_on(env.lock(create)) else { panic!("{place:?}") };
            assert!(error.file.contains("file"), "{error}");
            assert!(block_on(env.list()).is_err());
        }
    }
    assert_eq!(std::fs::read(temp.join("file")).unwrap(), b"mine");
}

#[cfg(unix)]
#[test]
fn a_directory_without_write_permission_is_a_permission_error() {
    use std::os::unix::fs::PermissionsExt;
    let temp = TempDir::new();
    std::fs::set_permissions(temp.path(), std::fs::Permissions::from_mode(0o555)).unwrap();
    let locked = block_on(StdFsEnv::new(temp.path()).lock(true));
    if let Err(error) = locked {
        let Error::Io(error) = error else { panic!("{error}") };
        assert_eq!(error.kind, std::io::ErrorKind::PermissionDenied);
    } else {
        eprintln!("not tested: permissions do not bind this user");
    }
    std::fs::set_permissions(temp.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_reported_as_full() {
    let temp = TempDir::new();
    std::os::unix::fs::symlink("/dev/full", temp.join("000003.log")).unwrap();
    let env = locked(temp.path());
    let file = block_on(env.open("000003.log", Access::Append)).unwrap();
    let Err(Error::Full(error)) = block_on(file.append(b"record")) else { panic!("/dev/full took it") };
    assert_eq!((error.file.as_str(), error.operation), ("000003.log", "append"));
}

#[test]
fn the_lock_holds_for_other_paths_to_the_same_directory() {
    let temp = TempDir::new();
    let place = temp.join("db");
    let env = locked(&place);
    for path in [temp.join("db/../db"), temp.join("./db")] {
        assert_eq!(block_on(StdFsEnv::new(path).lock(true)).unwrap_err().code(), "locked");
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(&place, temp.join("link")).unwrap();
        assert_eq!(block_on(StdFsEnv::new(temp.join("link")).lock(true)).unwrap_err().code(), "locked");
    }
    drop(env);
    block_on(StdFsEnv::new(&place).lock(false)).unwrap();
}

#[test]
fn the_lock_excludes_other_processes_both_ways() {
    let temp = TempDir::new();
    let env = locked(temp.path());
    assert_eq!(Peer::varve(temp.path()).said, "locked");
    assert_eq!(block_on(StdFsEnv::new(temp.path()).lock(true)).unwrap_err().code(), "locked");
    assert_eq!(Peer::varve(temp.path()).said, "locked", "a refused lock has not dropped the one held");
    env.unlock();
    let peer = Peer::varve(temp.path());
    assert_eq!(peer.said, "held");
    let error = block_on(env.lock(true)).unwrap_err();
    assert_eq!(error.to_string(), format!("locked: {} is in use by another process", temp.join("LOCK").display()));
    peer.kill();
    block_on(env.lock(true)).expect("the lock goes with its process");
}

/// C++ LevelDB calls fcntl(F_SETLK) for the whole file; so does this peer.
#[test]
fn the_lock_uses_fcntl() {
    if Command::new("python3").args(["-c", "import fcntl"]).status().map_or(true, |status| !status.success()) {
        return eprintln!("not tested: no python3 with fcntl");
    }
    let temp = TempDir::new();
    let env = locked(temp.path());
    assert_eq!(Peer::python(temp.path()).said, "locked");
    env.unlock();
    let peer = Peer::python(temp.path());
    assert_eq!(peer.said, "held");
    assert_eq!(block_on(env.lock(true)).unwrap_err().code(), "locked");
    peer.kill();
    block_on(env.lock(true)).unwrap();
}

/// A process that tries to take the lock, prints the result, and holds it until it is killed.
struct Peer {
    child: Child,
    said: String,
}

impl Peer {
    fn varve(directory: &Path) -> Peer {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "env_contract::native::peer", "--nocapture"]).env("VARVE_TEST_PEER", directory);
        Peer::start(command)
    }

    fn python(directory: &Path) -> Peer {
        let mut command = Command::new("python3");
        let program = "
import fcntl, sys
file = open(sys.argv[1], 'a+')
try:
    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    print('peer: held', flush=True)
    sys.stdin.read()
except OSError:
    print('peer: locked', flush=True)
";
        command.args(["-c", program]).arg(directory.join("LOCK"));
        Peer::start(command)
    }

    fn start(mut command: Command) -> Peer {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let said = lines.map_while(Result::ok).find_map(|line| Some(line.split_once("peer: ")?.1.to_string()));
        Peer { child, said: said.unwrap_or_default() }
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Not a test: the process started by [`Peer::varve`].
#[test]
fn peer() {
    let Some(directory) = std::env::var_os("VARVE_TEST_PEER") else { return };
    let env = StdFsEnv::new(directory);
    let said = block_on(env.lock(true)).map_or_else(|error| error.code(), |_| "held");
    println!("peer: {said}");
    std::io::stdout().flush().unwrap();
    if said == "held" {
        let _ = std::io::stdin().read_line(&mut String::new());
    }
}

#[test]
fn syncs_and_name_edits_on_the_thread_finish_before_the_lock_is_released() {
    let temp = TempDir::new();
    for round in 0..50 {
        let env = locked(temp.path());
        let file = block_on(env.create("a", FileKind::Table, 0)).unwrap();
        block_on(file.append(b"content")).unwrap();
        drop(file.sync());
        drop(env.edit_names(vec![NameEdit::Rename { from: "a".into(), to: format!("{round}") }]));
        env.unlock();
        assert!(temp.join(format!("{round}")).exists() && !temp.join("a").exists());
    }
}

#[test]
fn errors_on_the_thread_are_returned() {
    let temp = TempDir::new();
    let env = locked(temp.path());
    let missing = NameEdit::Rename { from: "a".into(), to: "b".into() };
    let Err(Error::Io(error)) = block_on(env.edit_names(vec![missing])) else { panic!("renamed nothing") };
    assert_eq!((error.file.as_str(), error.operation, error.kind), ("a", "rename", std::io::ErrorKind::NotFound));
}

/// Compressing on a thread gives the same bytes as compressing in place.
#[test]
fn a_table_is_the_same_with_threads_and_without() {
    let tables = [true, false].map(|threads| {
        let temp = TempDir::new();
        let env = Rc::new(StdFsEnv::with_threads(temp.path(), threads));
        let options = Options { create_if_missing: true, write_buffer_size: 8 << 20, ..Options::default() };
        let db = block_on(Db::open(env, options)).unwrap();
        for i in 0..20_000u32 {
            let value = format!("{i:b}").repeat(usize::try_from(i % 7).unwrap());
            block_on(db.put(format!("key{:08}", i.wrapping_mul(2_654_435_761)).as_bytes(), value.as_bytes())).unwrap();
        }
        block_on(db.flush()).unwrap();
        block_on(db.close()).unwrap();
        let mut files: Vec<_> = std::fs::read_dir(temp.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "ldb"));
        files.sort();
        files.iter().map(|path| std::fs::read(path).unwrap()).collect::<Vec<_>>()
    });
    assert!(tables[0].iter().map(Vec::len).sum::<usize>() > 300_000, "several batches of blocks");
    assert!(tables[0] == tables[1]);
}
