//! Databases and tables written by real engines, with their expected contents.
//!
//! The shared corpus and `tests/fixtures` use the same checks.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde_json::Value;
use varve::env::{Env, MemoryEnv, StdFsEnv};
use varve::{Db, Options, RecoveryMode, block_on};

#[path = "../../../examples/support/digest.rs"]
pub mod digest;

use super::comparators;
use digest::{Choice, Scanned};

/// One record of `manifest.json` or `expected.json`.
pub struct Case {
    pub id: String,
    pub kind: String,
    pub path: PathBuf,
    record: Value,
}

/// The cases of LevelDB that a manifest names; paths in it are relative to its folder.
pub fn load(manifest: &Path) -> Vec<Case> {
    let text = fs::read_to_string(manifest).unwrap();
    let parsed: Value = serde_json::from_str(&text).unwrap();
    let root = manifest.parent().unwrap();
    let cases = parsed["cases"].as_array().unwrap().iter();
    let case = |record: &Value| Case {
        id: text_of(&record["id"]),
        kind: text_of(&record["kind"]),
        path: root.join(text_of(&record["path"])),
        record: record.clone(),
    };
    cases.map(case).filter(|case| case.kind.starts_with("leveldb-")).collect()
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
}

/// Outcome, count and digest.
#[derive(Debug, PartialEq, Eq)]
pub struct Verdict {
    outcome: String,
    count: u64,
    sha256: Option<String>,
}

impl Verdict {
    fn of(result: varve::Result<Scanned>) -> Verdict {
        match result {
            Err(_) => Verdict { outcome: "open-error".into(), count: 0, sha256: None },
            Ok(found) => {
                let outcome = if found.error.is_some() { "scan-error" } else { "ok" };
                Verdict { outcome: outcome.into(), count: found.entries, sha256: Some(found.sha256) }
            }
        }
    }

    fn expected(record: &Value) -> Verdict {
        let outcome = text_of(&record["outcome"]);
        let sha256 = (outcome != "open-error").then(|| text_of(&record["sha256"]));
        Verdict { outcome, count: record["count"].as_u64().unwrap(), sha256 }
    }
}

impl Case {
    pub fn is_table(&self) -> bool {
        self.kind == "leveldb-table"
    }

    pub fn is_intact(&self) -> bool {
        self.record.get("expect").is_some()
    }

    pub fn is_damaged(&self) -> bool {
        self.record.get("engine_results").is_some()
    }

    pub fn is_repair(&self) -> bool {
        self.record.get("after_repair").is_some()
    }

    /// Reads the case in place, read-only, and checks that no byte of it changed.
    pub fn look(&self, choice: &Choice) -> varve::Result<Scanned> {
        let before = files(&self.path);
        let result = if self.is_table() {
            let name = self.path.file_name().unwrap().to_str().unwrap();
            block_on(digest::table(&StdFsEnv::new(self.path.parent().unwrap()), name, choice))
        } else {
            let env: Rc<dyn Env> = Rc::new(StdFsEnv::new(&self.path));
            block_on(digest::database(&env, choice))
        };
        assert!(before == files(&self.path), "{}: reading changed the files", self.id);
        result
    }

    fn agree(&self, what: &str, found: &Scanned, expected: &Value) {
        let bytewise = self.record["digest_order"] == "bytewise";
        let sha256 = if bytewise { &found.sha256_bytewise } else { &found.sha256 };
        assert_eq!(found.error, None, "{}: {what}", self.id);
        assert_eq!(found.entries, expected["count"].as_u64().unwrap(), "{}: entries, {what}", self.id);
        assert_eq!(*sha256, text_of(&expected["sha256"]), "{}: digest, {what}", self.id);
        assert!(found.sequence >= found.entries, "{}: each entry has a sequence number of its own, {what}", self.id);
    }

    /// An intact case: digest and look-ups in every mode.
    pub fn check_intact(&self) {
        for mode in [RecoveryMode::Strict, RecoveryMode::PointInTime, RecoveryMode::Compat] {
            for (paranoid, verify_checksums) in [(false, false), (false, true), (true, true)] {
                let choice = Choice { mode, paranoid, verify_checksums, comparator: None };
                let what = format!("{choice:?}");
                let found = self.look(&choice).unwrap_or_else(|e| panic!("{}: {what}: {e}", self.id));
                self.agree(&what, &found, &self.record["expect"]);
                if let Some(name) = self.record["comparator"].as_str() {
                    assert_eq!(found.comparator, name, "{}", self.id);
                }
            }
        }
        if !self.is_table() {
            let env: Rc<dyn Env> = Rc::new(StdFsEnv::new(&self.path));
            block_on(async {
                let options = digest::options_for(&*env, &Choice::default()).await.unwrap();
                self.check_gets(&Db::open(env, options).await.unwrap()).await;
            });
        }
    }

    async fn check_gets(&self, db: &Db) {
        for look_up in self.record["gets"].as_array().into_iter().flatten() {
            let key = text_of(&look_up["key"]);
            let value = db.get(&unhex(&key)).await.unwrap();
            match look_up["value_sha256"].as_str() {
                Some(expected) => {
                    let value = value.unwrap_or_else(|| panic!("{}: {key} is missing", self.id));
                    assert_eq!(value.len() as u64, look_up["value_len"].as_u64().unwrap(), "{}: {key}", self.id);
                    assert_eq!(sha256(&value), expected, "{}: {key}", self.id);
                }
                None => assert_eq!(value, None, "{}: {key} should be absent", self.id),
            }
        }
    }

    /// A damaged case in `compat` mode: LevelDB's exact result for each combination of its two
    /// checks.
    pub fn check_compat(&self) {
        for (checks, expected) in self.record["engine_results"].as_object().unwrap() {
            let choice = Choice {
                mode: RecoveryMode::Compat,
                paranoid: checks.contains("paranoid=1"),
                verify_checksums: checks.contains("verify_checksums=1"),
                comparator: None,
            };
            let result = self.look(&choice);
            let shown = format!("{}: {checks}: {:?}", self.id, result.as_ref().map(|found| &found.error));
            assert_eq!(Verdict::of(result), Verdict::expected(expected), "{shown}");
        }
    }

    /// A damaged case in strict mode: whether the damage was found.
    pub fn strict_finds_it(&self) -> bool {
        let result = self.look(&Choice { mode: RecoveryMode::Strict, ..Choice::default() });
        !matches!(result, Ok(Scanned { error: None, .. }))
    }

    /// A damaged case in point-in-time mode: an error, or a state that once existed.
    ///
    /// In no case of the corpus does LevelDB find records after damage when it reads on, so its
    /// result is that state.
    pub fn check_point_in_time(&self) {
        if let Ok(found) = self.look(&Choice::default())
            && found.error.is_none()
        {
            let expected = Verdict::expected(&self.record["engine_results"]["paranoid=0,verify_checksums=1"]);
            assert_eq!(Verdict::of(Ok(found)), expected, "{}: point in time", self.id);
        }
    }

    /// A copy in memory.
    pub fn copy(&self) -> Rc<MemoryEnv> {
        memory_copy(&self.path)
    }

    /// LevelDB's result of a repair, or the part of it that is right where it accepts damage.
    fn verified_repair(&self) -> Value {
        let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/expected.json");
        let expected: Value = serde_json::from_str(&std::fs::read_to_string(fixtures).unwrap()).unwrap();
        expected["verified_repairs"].get(&self.id).unwrap_or(&self.record["after_repair"]).clone()
    }

    /// Repairs a copy.
    pub fn check_repair(&self) {
        let env = memory_copy(&self.path);
        block_on(async {
            let report = varve::repair(env.clone(), Options::default()).await.unwrap();
            let db = Db::open(env.clone(), Options::default()).await.unwrap();
            let found = digest::contents(&db, true).await;
            self.agree(&format!("after repair: {report:?}"), &found, &self.verified_repair());
            assert_eq!(db.verify().await.unwrap().findings, [], "{}", self.id);
        });
    }

    /// Opens a copy for writing: the contents do not change through compaction and reopening.
    pub fn check_read_write(&self) {
        let env = memory_copy(&self.path);
        block_on(async {
            let read_only = digest::options_for(&*env, &Choice::default()).await.unwrap();
            let options = Options { read_only: false, recovery: RecoveryMode::Strict, ..read_only };
            let db = Db::open(env.clone(), options.clone()).await.unwrap_or_else(|e| panic!("{}: {e}", self.id));
            self.agree("opened to be written", &digest::contents(&db, true).await, &self.record["expect"]);
            db.compact_range(None, None).await.unwrap();
            assert_eq!(db.verify().await.unwrap().findings, [], "{}", self.id);
            self.agree("compacted", &digest::contents(&db, true).await, &self.record["expect"]);
            self.check_gets(&db).await;
            db.close().await.unwrap();
            let db = Db::open(env.clone(), options).await.unwrap();
            self.agree("reopened", &digest::contents(&db, true).await, &self.record["expect"]);
            self.check_gets(&db).await;
            db.close().await.unwrap();
        });
    }
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    digest::hex(&Sha256::digest(bytes))
}

/// All files of a directory, or the single file.
fn files(path: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    if path.is_file() {
        return [(path.to_owned(), fs::read(path).unwrap())].into();
    }
    let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.is_file()).map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

fn memory_copy(directory: &Path) -> Rc<MemoryEnv> {
    let env = MemoryEnv::new();
    for (path, bytes) in files(directory) {
        let name = path.file_name().unwrap().to_str().unwrap();
        if name != "LOCK" {
            env.write(name, &bytes);
        }
    }
    Rc::new(env)
}
