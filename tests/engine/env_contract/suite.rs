//! The suite itself. It names no storage and only awaits futures, so that `tests/web.rs` can run it
//! in a browser.

use std::rc::Rc;

use varve::Error;
use varve::env::{Access, Env, File, FileKind, NameEdit, append_checked, check_name, read_exact, read_file};

/// Two users of one place, which does not exist yet.
pub(crate) type Users = [Rc<dyn Env>; 2];

/// Runs every test of the contract, each in its own place.
pub(crate) async fn run_contract(make: impl Fn() -> Users) {
    // 1: results
    a_dropped_answer_leaves_the_file_usable(&*ready(&make).await).await;
    a_file_can_be_read_and_appended_to_during_a_sync(&*ready(&make).await).await;
    // 2: append, truncate
    appends_add_up(&*ready(&make).await).await;
    a_large_append_arrives_whole(&*ready(&make).await).await;
    truncate_cuts_and_fills(&*ready(&make).await).await;
    a_file_opened_to_be_read_is_not_changed(&*ready(&make).await).await;
    append_checked_proves_the_end(&*ready(&make).await).await;
    // 3: read
    reads_are_exact_up_to_the_end(&*ready(&make).await).await;
    whole_files_are_read_within_a_limit(&*ready(&make).await).await;
    // 4: sync
    sync_says_what_it_was(&*ready(&make).await).await;
    // 5: names
    names_are_checked(&*ready(&make).await).await;
    a_created_file_replaces_an_older_one(&*ready(&make).await).await;
    edits_apply_in_order(&*ready(&make).await).await;
    a_rename_replaces_its_target(&*ready(&make).await).await;
    a_missing_name_is_not_found(&*ready(&make).await).await;
    a_replacement_holds_exactly_its_content(&*ready(&make).await).await;
    lost_files_are_kept_out_of_the_list(&*ready(&make).await).await;
    names_may_be_unicode(&*ready(&make).await).await;
    // 7: remove
    a_removed_file_stays_readable_where_it_is_open(&*ready(&make).await).await;
    // 8: lock
    the_lock_excludes_others(make()).await;
    the_lock_is_not_a_file(&*ready(&make).await).await;
    // 9: the place
    the_place_is_made_by_locking_it(make()).await;
    the_place_goes_only_when_it_is_empty(make()).await;
}

/// The first user of a new place, holding its lock.
async fn ready(make: &impl Fn() -> Users) -> Rc<dyn Env> {
    let [env, _] = make();
    env.lock(true).await.unwrap();
    env
}

async fn file(env: &dyn Env, name: &str, content: &[u8]) -> Rc<dyn File> {
    let file = env.create(name, FileKind::Table, 0).await.unwrap();
    assert_eq!(file.append(content).await.unwrap(), content.len() as u64);
    file
}

async fn content(env: &dyn Env, name: &str) -> Vec<u8> {
    read_file(env, name, 1 << 30).await.unwrap()
}

async fn names(env: &dyn Env) -> Vec<String> {
    let mut names = env.list().await.unwrap();
    names.sort();
    names
}

fn rename(from: &str, to: &str) -> NameEdit {
    NameEdit::Rename { from: from.to_string(), to: to.to_string() }
}

fn remove(name: &str) -> NameEdit {
    NameEdit::Remove { name: name.to_string() }
}

fn replace(name: &str, content: &[u8]) -> NameEdit {
    NameEdit::Replace { name: name.to_string(), via: "000009.dbtmp".to_string(), content: content.to_vec() }
}

async fn a_dropped_answer_leaves_the_file_usable(env: &dyn Env) {
    let file = file(env, "a", b"begin").await;
    drop(file.append(b"perhaps"));
    drop(file.sync());
    drop(file.read_at(0, 5));
    drop(env.edit_names(vec![rename("a", "b")]));
    drop(env.list());
    env.edit_names(vec![]).await.unwrap();
    let size = file.size().await.unwrap();
    assert!(size == 5 || size == 12, "{size}");
    file.truncate(5).await.unwrap();
    file.append(b", end").await.unwrap();
    file.sync().await.unwrap();
    assert_eq!(file.read_at(0, 99).await.unwrap(), b"begin, end");
    let names = names(env).await;
    assert!(names == ["a"] || names == ["b"], "{names:?}");
}

async fn a_file_can_be_read_and_appended_to_during_a_sync(env: &dyn Env) {
    for kind in [FileKind::Log, FileKind::Manifest, FileKind::Table] {
        let file = env.create("a", kind, 0).await.unwrap();
        file.append(b"one").await.unwrap();
        let sync = file.sync();
        file.append(b"two").await.unwrap();
        assert_eq!(file.read_at(0, 9).await.unwrap(), b"onetwo");
        assert_eq!(sync.await.unwrap(), env.durability());
        assert_eq!(file.size().await.unwrap(), 6);
    }
}

async fn appends_add_up(env: &dyn Env) {
    for kind in [FileKind::Log, FileKind::Manifest, FileKind::Table] {
        let file = env.create("a", kind, 1 << 20).await.unwrap();
        assert_eq!(file.size().await.unwrap(), 0);
        assert_eq!(file.append(b"").await.unwrap(), 0);
        assert_eq!(file.append(b"one").await.unwrap(), 3);
        assert_eq!(file.append(b"two").await.unwrap(), 3);
        let again = env.open("a", Access::Append).await.unwrap();
        assert_eq!(again.append(b"three").await.unwrap(), 5);
        assert_eq!(again.size().await.unwrap(), 11);
        assert_eq!(content(env, "a").await, b"onetwothree");
    }
}

async fn a_large_append_arrives_whole(env: &dyn Env) {
    let mut data = vec![0u8; 5_000_011];
    for (i, chunk) in data.chunks_mut(8).enumerate() {
        let bytes = (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
        chunk.copy_from_slice(&bytes[..chunk.len()]);
    }
    let file = file(env, "large", b"x").await;
    assert_eq!(file.append(&data).await.unwrap(), 5_000_011);
    file.sync().await.unwrap();
    assert_eq!(file.size().await.unwrap(), 5_000_012);
    assert!(file.read_at(1, data.len()).await.unwrap() == data);
    assert!(file.read_at(4_000_001, 3_000_000).await.unwrap() == data[4_000_000..]);
    assert_eq!(file.read_at(65_537, 7).await.unwrap(), data[65_536..65_543]);
}

async fn truncate_cuts_and_fills(env: &dyn Env) {
    let file = file(env, "a", b"0123456789").await;
    file.truncate(4).await.unwrap();
    assert_eq!(file.size().await.unwrap(), 4);
    file.append(b"x").await.unwrap();
    assert_eq!(file.read_at(0, 99).await.unwrap(), b"0123x");
    file.truncate(5).await.unwrap();
    file.truncate(8).await.unwrap();
    assert_eq!(file.read_at(0, 99).await.unwrap(), b"0123x\0\0\0");
    file.append(b"y").await.unwrap();
    file.sync().await.unwrap();
    assert_eq!(content(env, "a").await, b"0123x\0\0\0y");
    file.truncate(0).await.unwrap();
    file.append(b"z").await.unwrap();
    assert_eq!(content(env, "a").await, b"z");
}

async fn a_file_opened_to_be_read_is_not_changed(env: &dyn Env) {
    drop(file(env, "a", b"content").await);
    let file = env.open("a", Access::Read).await.unwrap();
    assert!(file.append(b"more").await.is_err());
    assert!(file.truncate(1).await.is_err());
    assert_eq!(file.read_at(0, 99).await.unwrap(), b"content");
}

async fn append_checked_proves_the_end(env: &dyn Env) {
    let file = file(env, "a", b"12").await;
    append_checked(env, &*file, "a", b"345", 5).await.unwrap();
    let misjudged = append_checked(env, &*file, "a", b"6", 7).await;
    assert_eq!(misjudged.is_ok(), env.appends_are_exact());
    assert_eq!(content(env, "a").await, b"123456");
}

async fn reads_are_exact_up_to_the_end(env: &dyn Env) {
    let file = file(env, "a", b"0123456789").await;
    for file in [file, env.open("a", Access::Read).await.unwrap()] {
        assert_eq!(file.read_at(0, 10).await.unwrap(), b"0123456789");
        assert_eq!(file.read_at(3, 4).await.unwrap(), b"3456");
        assert_eq!(file.read_at(3, 0).await.unwrap(), b"");
        assert_eq!(file.read_at(7, 4).await.unwrap(), b"789");
        assert_eq!(file.read_at(9, 4_000_000_000).await.unwrap(), b"9");
        assert_eq!(file.read_at(10, 1).await.unwrap(), b"");
        assert_eq!(file.read_at(11, 1).await.unwrap(), b"");
        assert_eq!(file.read_at(u64::MAX, 1).await.unwrap(), b"");
        assert_eq!(file.read_at(u64::MAX, usize::MAX).await.unwrap(), b"");
        assert_eq!(file.read_at(1 << 62, 4096).await.unwrap(), b"");
    }
}

async fn whole_files_are_read_within_a_limit(env: &dyn Env) {
    let file = file(env, "a", b"0123456789").await;
    assert_eq!(read_file(env, "a", 10).await.unwrap(), b"0123456789");
    assert_eq!(read_file(env, "a", 9).await.unwrap_err().code(), "limit-exceeded");
    assert_eq!(read_exact(&*file, "a", 8, 2).await.unwrap(), b"89");
    let Err(Error::Corruption(short)) = read_exact(&*file, "a", 8, 3).await else { panic!("a short read is damage") };
    assert_eq!((short.file.as_str(), short.offset), ("a", 8));
    drop(self::file(env, "empty", b"").await);
    assert_eq!(read_file(env, "empty", 0).await.unwrap(), b"");
}

async fn sync_says_what_it_was(env: &dyn Env) {
    for kind in [FileKind::Log, FileKind::Manifest, FileKind::Table] {
        let file = env.create("a", kind, 0).await.unwrap();
        assert_eq!(file.sync().await.unwrap(), env.durability());
        file.append(b"data").await.unwrap();
        assert_eq!(file.sync().await.unwrap(), env.durability());
        assert_eq!(file.sync().await.unwrap(), env.durability());
    }
}

async fn names_are_checked(env: &dyn Env) {
    drop(file(env, "a", b"kept").await);
    let long = "n".repeat(256);
    let bad = [
        "",
        ".",
        "..",
        "/",
        "a/b",
        "/a",
        "../a",
        "a\\b",
        "lost",
        "lost/",
        "lost/..",
        "lost/a/b",
        "lost/lost/a",
        "other/a",
        "c:a",
        "a\0b",
        "a\nb",
        "LOCK",
        "lost/LOCK",
        &long,
    ];
    for bad in bad {
        let answers = [
            env.create(bad, FileKind::Log, 0).await.err(),
            env.open(bad, Access::Append).await.err(),
            env.edit_names(vec![rename("a", bad)]).await.err(),
            env.edit_names(vec![rename(bad, "b")]).await.err(),
            env.edit_names(vec![remove(bad)]).await.err(),
            env.edit_names(vec![replace(bad, b"")]).await.err(),
            env.edit_names(vec![rename("a", "b"), remove(bad)]).await.err(),
            check_name(bad).err(),
        ];
        for answer in answers {
            assert_eq!(answer.map(|e| e.code()), Some("invalid-argument"), "{bad:?}");
        }
    }
    assert_eq!(names(env).await, ["a"]);
}

async fn a_created_file_replaces_an_older_one(env: &dyn Env) {
    let old = file(env, "a", b"old").await;
    let new = file(env, "a", b"newer").await;
    assert_eq!(names(env).await, ["a"]);
    assert_eq!(content(env, "a").await, b"newer");
    assert_eq!(old.read_at(0, 9).await.unwrap(), b"old");
    new.append(b"!").await.unwrap();
    assert_eq!(content(env, "a").await, b"newer!");
}

async fn edits_apply_in_order(env: &dyn Env) {
    drop(file(env, "a", b"A").await);
    drop(file(env, "b", b"B").await);
    let edits =
        vec![rename("a", "c"), rename("b", "a"), rename("c", "b"), remove("x"), replace("d", b"D"), rename("d", "e")];
    env.edit_names(edits).await.unwrap();
    assert_eq!(names(env).await, ["a", "b", "e"]);
    assert_eq!(content(env, "a").await, b"B");
    assert_eq!(content(env, "b").await, b"A");
    assert_eq!(content(env, "e").await, b"D");
    env.edit_names(vec![]).await.unwrap();
    env.edit_names(vec![remove("a"), remove("b"), remove("e")]).await.unwrap();
    assert!(names(env).await.is_empty());
}

async fn a_rename_replaces_its_target(env: &dyn Env) {
    let from = file(env, "from", b"new").await;
    let to = file(env, "to", b"old content").await;
    env.edit_names(vec![rename("from", "to")]).await.unwrap();
    assert_eq!(names(env).await, ["to"]);
    assert_eq!(content(env, "to").await, b"new");
    assert_eq!(to.read_at(0, 99).await.unwrap(), b"old content");
    from.append(b"er").await.unwrap();
    assert_eq!(content(env, "to").await, b"newer");
}

async fn a_missing_name_is_not_found(env: &dyn Env) {
    assert!(env.open("a", Access::Read).await.err().unwrap().is_not_found());
    assert!(env.open("a", Access::Append).await.err().unwrap().is_not_found());
    assert!(env.open("lost/a", Access::Read).await.err().unwrap().is_not_found());
    assert!(env.edit_names(vec![rename("a", "b")]).await.unwrap_err().is_not_found());
    env.edit_names(vec![remove("a"), remove("lost/a")]).await.unwrap();
    assert!(names(env).await.is_empty());
}

async fn a_replacement_holds_exactly_its_content(env: &dyn Env) {
    env.edit_names(vec![replace("CURRENT", b"MANIFEST-000001\n")]).await.unwrap();
    assert_eq!(names(env).await, ["CURRENT"]);
    assert_eq!(content(env, "CURRENT").await, b"MANIFEST-000001\n");
    let old = env.open("CURRENT", Access::Read).await.unwrap();
    drop(file(env, "000009.dbtmp", b"left by a crash, and longer than the content").await);
    env.edit_names(vec![replace("CURRENT", b"two")]).await.unwrap();
    assert_eq!(names(env).await, ["CURRENT"]);
    assert_eq!(content(env, "CURRENT").await, b"two");
    assert_eq!(old.read_at(0, 99).await.unwrap(), b"MANIFEST-000001\n");
    env.edit_names(vec![replace("CURRENT", b"")]).await.unwrap();
    assert_eq!(content(env, "CURRENT").await, b"");
}

async fn lost_files_are_kept_out_of_the_list(env: &dyn Env) {
    drop(file(env, "000003.log", b"damaged").await);
    drop(file(env, "000004.log", b"too").await);
    env.edit_names(vec![rename("000003.log", "lost/000003.log")]).await.unwrap();
    env.edit_names(vec![rename("000004.log", "lost/000004.log")]).await.unwrap();
    assert!(names(env).await.is_empty());
    assert_eq!(content(env, "lost/000003.log").await, b"damaged");
    env.edit_names(vec![rename("lost/000003.log", "a"), remove("lost/000004.log")]).await.unwrap();
    assert_eq!(names(env).await, ["a"]);
    assert!(env.open("lost/000004.log", Access::Read).await.is_err());
}

async fn names_may_be_unicode(env: &dyn Env) {
    let mut given =
        ["Größe.log", "名前", "🪨 rock", "a b", "%41", "-", "lost+found", ".hidden", "\u{e9}t\u{e9}"].to_vec();
    for (i, name) in given.iter().enumerate() {
        drop(file(env, name, &[b'0' + i as u8]).await);
    }
    for (i, name) in given.iter().enumerate() {
        assert_eq!(content(env, name).await, [b'0' + i as u8]);
    }
    given.sort();
    assert_eq!(names(env).await, given);
    env.edit_names(vec![rename("名前", "なまえ")]).await.unwrap();
    assert_eq!(content(env, "なまえ").await, b"1");
}

async fn a_removed_file_stays_readable_where_it_is_open(env: &dyn Env) {
    let writer = file(env, "a", b"0123456789").await;
    let reader = env.open("a", Access::Read).await.unwrap();
    env.edit_names(vec![remove("a")]).await.unwrap();
    assert_eq!(reader.read_at(2, 3).await.unwrap(), b"234");
    assert_eq!(reader.size().await.unwrap(), 10);
    assert_eq!(writer.read_at(2, 3).await.unwrap(), b"234");
    drop(file(env, "a", b"another").await);
    assert_eq!(reader.read_at(2, 3).await.unwrap(), b"234");
    assert_eq!(content(env, "a").await, b"another");
}

async fn the_lock_excludes_others([one, other]: Users) {
    one.unlock();
    let first = one.lock(true).await.unwrap();
    assert_eq!(other.lock(false).await.unwrap_err().code(), "locked");
    assert_eq!(other.lock(true).await.unwrap_err().code(), "locked");
    assert_eq!(one.lock(false).await.unwrap_err().code(), "locked", "the owner cannot own it twice");
    other.unlock();
    assert_eq!(other.lock(false).await.unwrap_err().code(), "locked", "only the owner can unlock");
    drop(file(&*one, "a", b"shared").await);
    one.unlock();
    one.unlock();
    let second = other.lock(false).await.unwrap();
    assert!(second > first || (first == 0 && second == 0), "epochs {first}, {second}");
    assert_eq!(content(&*other, "a").await, b"shared");
    assert_eq!(one.lock(false).await.unwrap_err().code(), "locked");
    drop(other);
    one.lock(false).await.expect("the lock goes with its owner");
}

async fn the_lock_is_not_a_file(env: &dyn Env) {
    assert!(names(env).await.is_empty());
    assert!(env.open("LOCK", Access::Read).await.is_err());
    env.unlock();
    assert!(names(env).await.is_empty());
}

async fn the_place_is_made_by_locking_it([env, other]: Users) {
    assert!(env.lock(false).await.unwrap_err().is_not_found());
    assert!(env.list().await.unwrap_err().is_not_found());
    env.lock(true).await.unwrap();
    assert!(names(&*env).await.is_empty());
    env.unlock();
    other.lock(false).await.unwrap();
}

async fn the_place_goes_only_when_it_is_empty([env, other]: Users) {
    assert!(env.remove_place().await.unwrap_err().is_not_found());
    env.lock(true).await.unwrap();
    drop(file(&*env, "b", b"kept").await);
    env.edit_names(vec![rename("b", "lost/b")]).await.unwrap();
    drop(file(&*env, "a", b"kept").await);
    assert_eq!(other.remove_place().await.unwrap_err().code(), "locked");
    for left in ["a", "lost/b"] {
        env.remove_place().await.unwrap();
        assert_eq!(content(&*env, left).await, b"kept");
        other.lock(false).await.expect("the lock is given back");
        other.unlock();
        env.lock(false).await.unwrap();
        env.edit_names(vec![remove(left)]).await.unwrap();
    }
    env.remove_place().await.unwrap();
    assert!(env.list().await.unwrap_err().is_not_found());
    assert!(other.lock(false).await.unwrap_err().is_not_found());
    env.unlock();
    other.lock(true).await.unwrap();
    assert!(names(&*other).await.is_empty());
    other.unlock();
    env.remove_place().await.expect("without the lock it takes it");
    assert!(env.list().await.unwrap_err().is_not_found());
}
