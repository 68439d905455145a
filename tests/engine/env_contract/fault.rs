//! Each fault has its described effect: once, several times or always.

use std::future::Future;
use std::io::ErrorKind;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Waker};

use varve::Error;
use varve::env::{
    CrashModel, Durability, Env, FaultEnv, FaultKind, FaultRule, File, FileKind, MemoryEnv, NameEdit, Operation,
    SectorFault, append_checked, block_on, try_now,
};

fn storage(seed: u64) -> (MemoryEnv, FaultEnv) {
    let memory = MemoryEnv::new();
    (memory.clone(), FaultEnv::new(Rc::new(memory), seed))
}

fn create(env: &FaultEnv, name: &str) -> Rc<dyn File> {
    block_on(env.create(name, FileKind::Log, 0)).unwrap()
}

fn rename(from: &str, to: &str) -> NameEdit {
    NameEdit::Rename { from: from.into(), to: to.into() }
}

const EIO: ErrorKind = ErrorKind::Other;

#[test]
fn call_k_fails_once_or_always() {
    let (memory, env) = storage(1);
    env.add(FaultRule::at(2, FaultKind::Fail(EIO)).on(Operation::Append));
    env.add(FaultRule::at(4, FaultKind::Fail(ErrorKind::StorageFull)).on(Operation::Append).for_ever());
    let file = create(&env, "a");
    let codes: Vec<_> = (0..6).map(|_| block_on(file.append(b"x")).map_or_else(|e| e.code(), |_| "ok")).collect();
    assert_eq!(codes, ["ok", "io", "ok", "full", "full", "full"]);
    assert_eq!(memory.read("a").unwrap(), b"xx");
    assert_eq!((env.calls(), env.calls_of(Operation::Append), env.faults()), (7, 6, 4));
    env.clear();
    block_on(file.append(b"y")).unwrap();
}

#[test]
fn every_operation_can_fail() {
    for operation in Operation::ALL {
        let (_, env) = storage(1);
        let file = create(&env, "a");
        env.add(FaultRule::at(1, FaultKind::Fail(EIO)).on(operation));
        let results = [
            (Operation::Lock, block_on(env.lock(true)).err()),
            (Operation::List, block_on(env.list()).err()),
            (Operation::Create, block_on(env.create("b", FileKind::Log, 0)).err()),
            (Operation::Open, block_on(env.open("a", varve::env::Access::Read)).err()),
            (Operation::EditNames, block_on(env.edit_names(vec![])).err()),
            (Operation::ReadAt, block_on(file.read_at(0, 1)).err()),
            (Operation::Append, block_on(file.append(b"x")).err()),
            (Operation::Sync, block_on(file.sync()).err()),
            (Operation::Truncate, block_on(file.truncate(0)).err()),
            (Operation::Size, block_on(file.size()).err()),
            (Operation::RemovePlace, block_on(env.remove_place()).err()),
        ];
        for (asked, error) in results {
            assert_eq!(error.is_some(), asked == operation, "{asked}: {error:?}");
            let Some(Error::Io(error)) = error else { continue };
            assert_eq!((error.operation, error.kind), (operation.name(), EIO));
        }
    }
}

#[test]
fn a_rule_may_match_a_name() {
    let (_, env) = storage(1);
    env.add(FaultRule::at(1, FaultKind::Fail(EIO)).named(".log").for_ever());
    env.add(FaultRule::at(1, FaultKind::Fenced).named("CURRENT").for_ever());
    assert!(block_on(env.create("1.log", FileKind::Log, 0)).is_err());
    block_on(create(&env, "1.ldb").append(b"x")).unwrap();
    let edit = NameEdit::Replace { name: "CURRENT".into(), via: "t".into(), content: vec![] };
    assert_eq!(block_on(env.edit_names(vec![rename("1.ldb", "2.ldb"), edit])).unwrap_err().code(), "fenced");
    block_on(env.edit_names(vec![rename("1.ldb", "2.ldb")])).unwrap();
}

#[test]
fn a_failed_call_may_have_been_done() {
    let (memory, env) = storage(1);
    env.add(FaultRule::at(1, FaultKind::FailAfter(EIO)).on(Operation::Append));
    let file = create(&env, "a");
    assert!(block_on(file.append(b"done")).is_err());
    assert_eq!(memory.read("a").unwrap(), b"done");
}

#[test]
fn appends_are_short_or_report_wrong_counts() {
    let full = ErrorKind::StorageFull;
    let cases = [
        (FaultKind::ShortWrite { percent: 30, kind: full }, Err("full"), &b"012"[..]),
        (FaultKind::ShortCount { percent: 50 }, Ok(5), b"01234"),
        (FaultKind::WrongCount(32_523), Ok(32_523), b""),
        (FaultKind::WrongCount(4_294_967_288), Ok(4_294_967_288), b""),
        (FaultKind::WrongCount(10), Ok(10), b""),
        (FaultKind::MissingBytes { percent: 90 }, Ok(10), b"012345678"),
    ];
    for (kind, answer, there) in cases {
        let (memory, env) = storage(1);
        env.set_appends_are_exact(false);
        let file = create(&env, "a");
        env.add(FaultRule::at(1, kind.clone()).times(2));
        assert_eq!(block_on(file.append(b"0123456789")).map_err(|e| e.code()), answer);
        assert_eq!(memory.read("a").unwrap(), there);
        block_on(file.truncate(0)).unwrap();
        let checked = block_on(append_checked(&env, &*file, "a", b"0123456789", 10));
        assert!(checked.is_err(), "{kind:?} is found out");
    }
}

#[test]
fn a_lost_sync_shows_only_after_a_crash() {
    let (memory, env) = storage(1);
    env.add(FaultRule::at(2, FaultKind::LoseSync));
    let file = create(&env, "a");
    block_on(env.edit_names(vec![])).unwrap();
    block_on(file.append(b"kept ")).unwrap();
    block_on(file.sync()).unwrap();
    block_on(file.append(b"lost")).unwrap();
    assert_eq!(block_on(file.sync()).unwrap(), Durability::Volatile);
    assert_eq!(memory.read("a").unwrap(), b"kept lost");
    assert_eq!(memory.crash(&CrashModel::DROP).read("a").unwrap(), b"kept ");
    block_on(file.sync()).unwrap();
    assert_eq!(memory.crash(&CrashModel::DROP).read("a").unwrap(), b"kept lost");
}

#[test]
fn one_sector_of_a_read_is_wrong() {
    let content: Vec<u8> = (0..20_000u32).map(|i| (i % 251) as u8 + (i / 4096) as u8 + 1).collect();
    let stale: Vec<u8> = content.iter().map(|byte| byte ^ 0x55).collect();
    for seed in 0..400u64 {
        let (memory, env) = storage(seed);
        env.set_stale(stale.clone());
        memory.write("a", &content);
        let file = block_on(env.open("a", varve::env::Access::Read)).unwrap();
        let faults = [
            SectorFault::Zeroed,
            SectorFault::Noise,
            SectorFault::Misdirected,
            SectorFault::Stale,
            SectorFault::BitFlip,
        ];
        let (fault, size) = (faults[seed as usize % 5], [512, 4096][seed as usize / 5 % 2]);
        env.add(FaultRule::at(1, FaultKind::BadSector { fault, size }));
        let offset = (seed * 37 % 9_000) as usize;
        let data = block_on(file.read_at(offset as u64, 9_000)).unwrap();
        let wrong: Vec<usize> = (0..9_000).filter(|i| data[*i] != content[offset + i]).map(|i| offset + i).collect();
        assert!(!wrong.is_empty(), "seed {seed}");
        assert_eq!(wrong[0] / size, wrong[wrong.len() - 1] / size, "seed {seed}: one sector");
        match fault {
            SectorFault::Zeroed => assert!(wrong.iter().all(|i| data[i - offset] == 0)),
            SectorFault::BitFlip => assert_eq!(wrong.len(), 1),
            SectorFault::Stale => assert!(wrong.iter().all(|i| data[i - offset] == stale[*i])),
            SectorFault::Noise | SectorFault::Misdirected => {}
        }
        assert_eq!(block_on(file.read_at(offset as u64, 9_000)).unwrap(), content[offset..offset + 9_000]);
    }
}

#[test]
fn bad_sectors_of_small_and_empty_files_are_harmless() {
    for length in [0, 1, 511, 512, 513] {
        for fault in [SectorFault::Zeroed, SectorFault::Misdirected, SectorFault::Stale, SectorFault::BitFlip] {
            let (memory, env) = storage(length as u64);
            memory.write("a", &vec![9; length]);
            let file = block_on(env.open("a", varve::env::Access::Read)).unwrap();
            env.add(FaultRule::at(1, FaultKind::BadSector { fault, size: 512 }).for_ever());
            for offset in [0, 1, 512, 600] {
                let left = length.saturating_sub(offset);
                assert_eq!(block_on(file.read_at(offset as u64, 1_000)).unwrap().len(), left);
                assert!(block_on(file.read_at(offset as u64, 0)).unwrap().is_empty());
            }
        }
    }
}

#[test]
fn a_read_may_be_short() {
    let (memory, env) = storage(1);
    memory.write("a", b"0123456789");
    let file = block_on(env.open("a", varve::env::Access::Read)).unwrap();
    env.add(FaultRule::at(1, FaultKind::ShortRead { percent: 40 }));
    assert_eq!(block_on(file.read_at(0, 10)).unwrap(), b"0123");
}

#[test]
fn a_stopped_storage_keeps_its_state_for_the_crash() {
    for (kind, there) in [
        (FaultKind::Fail(EIO), &b"a"[..]),
        (FaultKind::FailAfter(EIO), b"abcd"),
        (FaultKind::ShortWrite { percent: 34, kind: EIO }, b"ab"),
    ] {
        let (memory, env) = storage(1);
        env.add(FaultRule::at(2, kind).on(Operation::Append).then_stop());
        let file = create(&env, "a");
        block_on(file.append(b"a")).unwrap();
        assert!(!env.is_stopped());
        assert!(block_on(file.append(b"bcd")).is_err());
        assert!(env.is_stopped());
        let errors = [
            block_on(file.append(b"e")).err(),
            block_on(file.truncate(0)).err(),
            block_on(file.sync()).err(),
            block_on(file.read_at(0, 1)).err(),
            block_on(env.create("b", FileKind::Log, 0)).err(),
            block_on(env.edit_names(vec![rename("a", "b")])).err(),
        ];
        assert!(errors.iter().all(Option::is_some), "{errors:?}");
        assert_eq!(memory.names(), ["a"]);
        assert_eq!(memory.read("a").unwrap(), there);
        assert!(memory.crash(&CrashModel::DROP).names().is_empty(), "edit_names did nothing");
    }
}

#[test]
fn a_group_of_name_edits_can_be_interrupted() {
    let edits = || {
        vec![
            rename("a", "b"),
            NameEdit::Replace { name: "CURRENT".into(), via: "9.dbtmp".into(), content: b"four".to_vec() },
            NameEdit::Remove { name: "b".into() },
        ]
    };
    let expected: [&[&str]; 4] = [&["a"], &["9.dbtmp", "b"], &["CURRENT", "b"], &["CURRENT"]];
    for (count, names) in expected.into_iter().enumerate() {
        let (memory, env) = storage(1);
        create(&env, "a");
        env.add(FaultRule::at(1, FaultKind::CutNames(count)).then_stop());
        assert_eq!(block_on(env.edit_names(edits())).unwrap_err().code(), "io");
        assert_eq!(memory.names(), names);
        if count == 1 {
            assert_eq!(memory.read("9.dbtmp").unwrap(), b"fo");
        }
        let durable: &[&str] = [&[][..], &["b"], &["CURRENT", "b"], &["CURRENT"]][count];
        assert_eq!(memory.crash(&CrashModel::DROP).names(), durable);
    }
}

#[test]
fn in_pending_mode_a_call_is_done_at_a_later_poll() {
    let (memory, env) = storage(1);
    let file = create(&env, "a");
    env.set_pending(100);
    let mut polls = Vec::new();
    for _ in 0..50 {
        let before = memory.read("a").unwrap().len();
        let mut append = pin!(file.append(b"x"));
        let mut context = Context::from_waker(Waker::noop());
        let mut count = 0;
        while append.as_mut().poll(&mut context).is_pending() {
            assert_eq!(memory.read("a").unwrap().len(), before);
            count += 1;
        }
        assert_eq!(memory.read("a").unwrap().len(), before + 1);
        polls.push(count);
    }
    assert!((1..=3).all(|count| polls.contains(&count)) && polls.iter().all(|count| (1..=3).contains(count)));
    let size = memory.read("a").unwrap().len();
    drop(file.append(b"never polled"));
    assert_eq!(memory.read("a").unwrap().len(), size);
    assert_eq!(try_now(file.size()).unwrap().unwrap(), size as u64, "what wakes itself needs nobody else");
}

#[test]
fn equal_runs_have_equal_traces() {
    let run = |seed: u64, last: &[u8], recording: bool| {
        let (_, env) = storage(seed);
        env.set_recording(recording);
        env.set_pending(30);
        env.add(FaultRule::at(3, FaultKind::ShortWrite { percent: 50, kind: ErrorKind::StorageFull }));
        let file = create(&env, "000003.log");
        for data in [b"one", b"two", b"six", last] {
            let _ = block_on(file.append(data));
        }
        let _ = block_on(file.read_at(2, 5));
        let _ = block_on(file.truncate(6));
        let _ = block_on(env.edit_names(vec![rename("000003.log", "lost/000003.log"), rename("x", "y")]));
        (env.trace_hash(), env.trace())
    };
    let (hash, calls) = run(1, b"end", true);
    let printed: Vec<String> = calls.iter().map(ToString::to_string).collect();
    assert_eq!(
        printed,
        [
            "create 000003.log: ok",
            "append 000003.log 3 (2a94b2e9): ok",
            "append 000003.log 3 (52d8b3a3): ok",
            "append 000003.log 3 (29a21745): full",
            "append 000003.log 3 (afc15d22): ok",
            "read 000003.log 2+5: ok",
            "truncate 000003.log to 6: ok",
            "edit_names 000003.log>lost/000003.log x>y: io",
        ]
    );
    assert_eq!(run(1, b"end", true), (hash, calls));
    assert_eq!(run(1, b"end", false), (hash, vec![]));
    assert_ne!(run(1, b"END", true).0, hash, "what is appended matters");
}
