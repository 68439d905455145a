//! A digest of a database or table: SHA-256 over `u32le key length, key, u32le value length, value`
//! of every entry, in iteration order and in bytewise order.

use std::rc::Rc;

use sha2::{Digest, Sha256};
use varve::env::Env;
use varve::{Db, Error, Options, ReadOptions, RecoveryMode, Result, TableFile, UserComparator, stored_comparator};

use super::comparators::by_name;

/// How the database is read.
#[derive(Clone, Debug)]
pub struct Choice {
    pub mode: RecoveryMode,
    /// LevelDB's `paranoid_checks`.
    pub paranoid: bool,
    /// LevelDB's `verify_checksums`.
    pub verify_checksums: bool,
    /// A comparator to use instead of the one named in the manifest.
    pub comparator: Option<String>,
}

impl Default for Choice {
    fn default() -> Choice {
        Choice { mode: RecoveryMode::PointInTime, paranoid: false, verify_checksums: true, comparator: None }
    }
}

/// The digest of the readable entries, and the first damage.
#[derive(Clone, Debug)]
pub struct Scanned {
    pub entries: u64,
    pub sha256: String,
    /// The digest of the same entries in bytewise order.
    pub sha256_bytewise: String,
    /// The newest sequence number.
    pub sequence: u64,
    pub comparator: String,
    pub error: Option<Error>,
}

/// Returns the options to open the database with.
pub async fn options_for(env: &dyn Env, choice: &Choice) -> Result<Options> {
    let comparator = match &choice.comparator {
        Some(name) => known(name.as_bytes())?,
        None => match stored_comparator(env).await {
            Ok(Some(name)) => known(&name)?,
            // Opening reports the error.
            Ok(None) | Err(_) => UserComparator::Bytewise,
        },
    };
    Ok(Options {
        read_only: true,
        recovery: choice.mode,
        paranoid_checks: choice.paranoid,
        comparator,
        ..Options::default()
    })
}

fn known(name: &[u8]) -> Result<UserComparator> {
    by_name(name).ok_or_else(|| Error::InvalidArgument(format!("unknown comparator: {}", name.escape_ascii())))
}

/// Opens the database read-only and reads all entries. Fails only if the open fails.
pub async fn database(env: &Rc<dyn Env>, choice: &Choice) -> Result<Scanned> {
    let options = options_for(&**env, choice).await?;
    let comparator = options.comparator.name().to_owned();
    let db = Db::open(env.clone(), options).await?;
    let mut scanned = contents(&db, choice.verify_checksums).await;
    if choice.mode == RecoveryMode::Strict && scanned.error.is_none() {
        // A scan does not check filters, key ranges, file sizes and hidden entries.
        scanned.error = db.verify().await?.findings.into_iter().next();
    }
    Ok(Scanned { comparator, ..scanned })
}

/// Reads all entries of an open database.
pub async fn contents(db: &Db, verify_checksums: bool) -> Scanned {
    let (digests, error) = digests(&Source::Database(db, verify_checksums)).await;
    Scanned { sequence: db.last_sequence(), error, ..digests }
}

/// Reads all entries of a table file, with internal keys.
pub async fn table(env: &dyn Env, name: &str, choice: &Choice) -> Result<Scanned> {
    let options = Options { recovery: choice.mode, paranoid_checks: choice.paranoid, ..Options::default() };
    let table = TableFile::open(env, name, &options).await?;
    let (digests, error) = digests(&Source::Table(&table, choice.verify_checksums)).await;
    Ok(Scanned { error, ..digests })
}

enum Source<'a> {
    Database(&'a Db, bool),
    Table(&'a TableFile, bool),
}

impl Source<'_> {
    /// Calls `each` for every entry; returns the first damage.
    async fn scan(&self, mut each: impl FnMut(&[u8], &[u8])) -> Result<()> {
        match self {
            Source::Database(db, verify_checksums) => {
                let read =
                    ReadOptions { verify_checksums: *verify_checksums, fill_cache: false, ..ReadOptions::default() };
                let mut it = db.iter(&read)?;
                let mut found = it.seek_to_first().await?;
                while found {
                    each(it.key(), it.value());
                    found = it.next().await?;
                }
                it.status()
            }
            Source::Table(table, verify_checksums) => {
                let mut it = table.iter(*verify_checksums);
                let mut found = it.seek_to_first().await;
                while found {
                    each(it.key(), it.value());
                    found = it.next().await;
                }
                it.status()
            }
        }
    }
}

/// Counts and digests entries. If they are not in bytewise order, they are read again and sorted.
async fn digests(source: &Source<'_>) -> (Scanned, Option<Error>) {
    let mut hash = Sha256::new();
    let (mut entries, mut sequence) = (0u64, 0u64);
    let (mut sorted, mut previous) = (true, Vec::new());
    let internal_keys = matches!(source, Source::Table(..));
    let result = source
        .scan(|key, value| {
            add(&mut hash, key, value);
            if internal_keys && let Some((_, tag)) = key.split_last_chunk::<8>() {
                sequence = sequence.max(u64::from_le_bytes(*tag) >> 8);
            }
            sorted &= entries == 0 || previous.as_slice() <= key;
            previous.clear();
            previous.extend_from_slice(key);
            entries += 1;
        })
        .await;
    let sha256 = hex(&hash.finalize());
    let sha256_bytewise = if sorted { sha256.clone() } else { sorted_digest(source).await };
    (Scanned { entries, sha256, sha256_bytewise, sequence, comparator: String::new(), error: None }, result.err())
}

async fn sorted_digest(source: &Source<'_>) -> String {
    let mut all = Vec::new();
    // The first scan has reported the error.
    let _ = source.scan(|key, value| all.push((key.to_vec(), value.to_vec()))).await;
    all.sort();
    let mut hash = Sha256::new();
    for (key, value) in &all {
        add(&mut hash, key, value);
    }
    hex(&hash.finalize())
}

fn add(hash: &mut Sha256, key: &[u8], value: &[u8]) {
    for part in [key, value] {
        hash.update(u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
        hash.update(part);
    }
}

/// Formats bytes in lower case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
