//! Prints a digest of a LevelDB directory, or of one table file, as one line of JSON.
//!
//! ```text
//! cargo run --release --example digest -- [--mode strict|point-in-time|compat] [--paranoid]
//!                                         [--no-verify] [--comparator NAME] [--] PATH
//!
//! {"entries":850,"sha256":"...","sha256_bytewise":"...","sequence":850,"comparator":"...","files":8}
//! {"error":{"code":"corruption","file":"CURRENT","offset":15,"reason":"..."}}
//! ```
//! The directory is opened read-only and not changed. `sha256` is over `u32le key length, key,
//! u32le value length, value` of every entry in the order of the database's comparator;
//! `sha256_bytewise` over the same entries in bytewise order. For a table file, keys are internal
//! keys. `files` counts the directory's files.
//!
//! `--paranoid` sets LevelDB's `paranoid_checks`, `--no-verify` clears its `verify_checksums`: with
//! `--mode compat` the result is then LevelDB's, also for damaged databases. `--mode strict` also
//! verifies every table.
//!
//! If the open fails, only `error` is printed; after an error while reading, it is printed with the
//! digest of the readable entries. The exit code is 2 for both, 1 for a wrong command line.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line program")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;

use varve::env::{Env, StdFsEnv};
use varve::{Error, RecoveryMode, Result, block_on};

#[path = "support/comparators.rs"]
mod comparators;
#[path = "support/digest.rs"]
mod digest;

use digest::{Choice, Scanned};

const USAGE: &str =
    "usage: digest [--mode strict|point-in-time|compat] [--paranoid] [--no-verify] [--comparator NAME] [--] PATH";

fn main() -> ExitCode {
    let (path, choice) = match arguments(std::env::args_os().skip(1)) {
        Ok(parsed) => parsed,
        Err(message) => {
            eprintln!("{message}\n{USAGE}");
            return ExitCode::from(1);
        }
    };
    let (line, damaged) = match look(&path, &choice) {
        Ok((scanned, files)) => (show(&scanned, files), scanned.error.is_some()),
        Err(error) => (format!("{{\"error\":{}}}", show_error(&error)), true),
    };
    println!("{line}");
    ExitCode::from(if damaged { 2 } else { 0 })
}

fn arguments(mut given: impl Iterator<Item = std::ffi::OsString>) -> std::result::Result<(PathBuf, Choice), String> {
    let (mut path, mut choice) = (None, Choice::default());
    let text = |value: Option<std::ffi::OsString>, of: &str| {
        value.and_then(|v| v.into_string().ok()).ok_or(format!("{of} needs a value"))
    };
    let mut options_ended = false;
    while let Some(argument) = given.next() {
        match argument.to_str().filter(|_| !options_ended) {
            Some("--") => options_ended = true,
            Some("--mode") => choice.mode = mode(&text(given.next(), "--mode")?)?,
            Some("--paranoid") => choice.paranoid = true,
            Some("--no-verify") => choice.verify_checksums = false,
            Some("--comparator") => choice.comparator = Some(text(given.next(), "--comparator")?),
            Some(option) if option.starts_with("--mode=") => {
                choice.mode = mode(option.trim_start_matches("--mode="))?;
            }
            Some(option) if option.starts_with("--") => {
                return Err(format!("unknown option {option}; a path that begins with - must follow --"));
            }
            _ if path.is_none() => path = Some(PathBuf::from(argument)),
            _ => return Err("more than one path".into()),
        }
    }
    path.map(|path| (path, choice)).ok_or_else(|| "which path?".into())
}

fn mode(name: &str) -> std::result::Result<RecoveryMode, String> {
    match name {
        "strict" => Ok(RecoveryMode::Strict),
        "point-in-time" => Ok(RecoveryMode::PointInTime),
        "compat" => Ok(RecoveryMode::Compat),
        _ => Err(format!("unknown mode {name}")),
    }
}

/// Reads the directory or table, and counts files.
fn look(path: &Path, choice: &Choice) -> Result<(Scanned, usize)> {
    let shown = path.display().to_string();
    let metadata = std::fs::metadata(path).map_err(|e| Error::from_std(&shown, "open", &e))?;
    if metadata.is_dir() {
        let env: Rc<dyn Env> = Rc::new(StdFsEnv::new(path));
        return Ok((block_on(digest::database(&env, choice))?, count_files(path)));
    }
    let name = path.file_name().and_then(|n| n.to_str());
    let name = name.ok_or_else(|| Error::InvalidArgument(format!("{shown} is not the name of a table")))?;
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok((block_on(digest::table(&StdFsEnv::new(parent), name, choice))?, 1))
}

fn count_files(directory: &Path) -> usize {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter(|entry| entry.path().is_file()).count()
}

fn show(scanned: &Scanned, files: usize) -> String {
    let Scanned { entries, sha256, sha256_bytewise, sequence, comparator, error } = scanned;
    let error = error.as_ref().map(|e| format!(",\"error\":{}", show_error(e))).unwrap_or_default();
    let comparator = quoted(comparator);
    format!(
        "{{\"entries\":{entries},\"sha256\":\"{sha256}\",\"sha256_bytewise\":\"{sha256_bytewise}\",\
         \"sequence\":{sequence},\"comparator\":{comparator},\"files\":{files}{error}}}"
    )
}

fn show_error(error: &Error) -> String {
    let (file, offset, reason) = match error {
        Error::Corruption(c) => (quoted(&c.file), c.offset.to_string(), c.reason.clone()),
        Error::Io(e) | Error::Full(e) => (quoted(&e.file), "null".into(), e.message.clone()),
        other => ("null".into(), "null".into(), other.to_string()),
    };
    format!("{{\"code\":\"{}\",\"file\":{file},\"offset\":{offset},\"reason\":{}}}", error.code(), quoted(&reason))
}

/// Returns text as a JSON string.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
