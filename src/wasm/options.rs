//! Reads options from a plain JavaScript object.

use std::rc::Rc;

use js_sys::{Object, Reflect};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};

use crate::base::{BloomFilterPolicy, UserComparator};
use crate::error::{Error, Result};
use crate::options::{Compression, Options, RecoveryMode};

/// Most filter bits per key: the format allows at most 30 probes, so more bits gain nothing.
const FILTER_BITS_MAX: u32 = 43;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &'static str = r#"
/** How a database is opened. Everything may be left out; sizes are bytes. */
export interface EngineOptions {
  /** Entries that gather in memory before they become a table. @defaultValue 4194304 */
  writeBufferSize?: number
  /** Decoded blocks kept in memory. @defaultValue 8388608 */
  blockCacheSize?: number
  /** Entries in a block before compression. @defaultValue 4096 */
  blockSize?: number
  /** Every how many entries a key is stored whole. @defaultValue 16 */
  blockRestartInterval?: number
  /** Size at which compaction starts another table. @defaultValue 2097152 */
  maxFileSize?: number
  /** Tables held open at once. @defaultValue 1000 */
  maxOpenFiles?: number
  /** Opens the tables with the database, for synchronous reads. @defaultValue false */
  openTables?: boolean
  /** Largest key or value. @defaultValue 268435456 */
  maxValueSize?: number
  /** Background work that one write does at most. @defaultValue 65536 */
  sliceSize?: number
  /** Bits a key of the Bloom filters, at most 43; 0 writes none. @defaultValue 10 */
  filterBits?: number
  /** @defaultValue 'snappy' */
  compression?: 'snappy' | 'none'
  /** Makes the database if it is not there. @defaultValue true */
  createIfMissing?: boolean
  /** Fails if the database is there. @defaultValue false */
  errorIfExists?: boolean
  /** Writes nothing and takes no lock. @defaultValue false */
  readOnly?: boolean
  /** Refuses what LevelDB's paranoid_checks refuses. @defaultValue false */
  paranoidChecks?: boolean
  /** Goes on with the last log instead of beginning another. @defaultValue false */
  reuseLogs?: boolean
  /** The name of the order of keys. @defaultValue 'leveldb.BytewiseComparator' */
  comparator?: string
  /** What damage in logs means. @defaultValue 'point-in-time' */
  recovery?: 'point-in-time' | 'strict' | 'compat'
}
"#;

#[wasm_bindgen]
extern "C" {
    /// Declared as `EngineOptions` in TypeScript.
    #[wasm_bindgen(typescript_type = "EngineOptions")]
    pub type EngineOptions;
}

/// Returns the options in `given` over defaults that create a missing database.
pub(crate) fn from_js(given: Option<&JsValue>) -> Result<Options> {
    let mut options = Options { create_if_missing: true, ..Options::default() };
    let Some(given) = given.filter(|value| !value.is_undefined() && !value.is_null()) else { return Ok(options) };
    let Some(object) = given.dyn_ref::<Object>() else {
        return Err(Error::InvalidArgument("options must be an object".into()));
    };
    for name in Object::keys(object).iter() {
        let value = Reflect::get(object, &name).unwrap_or(JsValue::UNDEFINED);
        if !value.is_undefined() {
            set_option(&mut options, &name.as_string().unwrap_or_default(), &value)?;
        }
    }
    Ok(options)
}

fn set_option(options: &mut Options, name: &str, value: &JsValue) -> Result<()> {
    match name {
        "writeBufferSize" => options.write_buffer_size = size(name, value)?,
        "blockCacheSize" => options.block_cache_size = u64::from(count(name, value)?),
        "blockSize" => options.block_size = size(name, value)?,
        "blockRestartInterval" => options.block_restart_interval = size(name, value)?,
        "maxFileSize" => options.max_file_size = u64::from(count(name, value)?),
        "maxOpenFiles" => options.max_open_files = size(name, value)?,
        "openTables" => options.open_tables = flag(name, value)?,
        "maxValueSize" => options.max_value_size = size(name, value)?,
        "sliceSize" => options.slice_size = size(name, value)?,
        "filterBits" => {
            let bits = count(name, value)?;
            if bits > FILTER_BITS_MAX {
                return Err(Error::InvalidArgument(format!("filterBits is {bits}, expected 0 to {FILTER_BITS_MAX}")));
            }
            options.filter_policy = if bits == 0 { None } else { Some(Rc::new(BloomFilterPolicy::new(bits))) };
        }
        "createIfMissing" => options.create_if_missing = flag(name, value)?,
        "errorIfExists" => options.error_if_exists = flag(name, value)?,
        "readOnly" => {
            options.read_only = flag(name, value)?;
            options.create_if_missing &= !options.read_only;
        }
        "paranoidChecks" => options.paranoid_checks = flag(name, value)?,
        "reuseLogs" => options.reuse_logs = flag(name, value)?,
        "comparator" => {
            let name = value.as_string().unwrap_or_default();
            #[cfg(feature = "full")]
            if name == "as-stored" {
                options.comparator = UserComparator::as_stored();
                return Ok(());
            }
            options.comparator = UserComparator::named(name.as_bytes()).ok_or_else(|| {
                Error::NotSupported(["the comparator ", &*name, " is not in this build (see varve/full)"].concat())
            })?;
        }
        "recovery" => {
            options.recovery = match value.as_string().as_deref() {
                Some("point-in-time") => RecoveryMode::PointInTime,
                Some("strict") => RecoveryMode::Strict,
                Some("compat") => RecoveryMode::Compat,
                _ => {
                    let message = "recovery must be 'point-in-time', 'strict' or 'compat'";
                    return Err(Error::InvalidArgument(message.into()));
                }
            }
        }
        "compression" => {
            options.compression = match value.as_string().as_deref() {
                Some("snappy") => Compression::Snappy,
                Some("none") => Compression::None,
                _ => return Err(Error::InvalidArgument("compression must be 'snappy' or 'none'".into())),
            }
        }
        "pause" => options.pause = Some(super::pause::from_js(name, value)?),
        _ => return Err(Error::InvalidArgument(format!("unknown option {name}"))),
    }
    Ok(())
}

fn flag(name: &str, value: &JsValue) -> Result<bool> {
    value.as_bool().ok_or_else(|| Error::InvalidArgument(format!("{name} must be true or false")))
}

/// A whole number from 0 to 2^32 - 1.
fn count(name: &str, value: &JsValue) -> Result<u32> {
    let number = value.as_f64().unwrap_or(f64::NAN);
    if !(0.0..=f64::from(u32::MAX)).contains(&number) || number.fract() != 0.0 {
        return Err(Error::InvalidArgument(format!("{name} must be a whole number from 0 to {}", u32::MAX)));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above")]
    Ok(number as u32)
}

fn size(name: &str, value: &JsValue) -> Result<usize> {
    usize::try_from(count(name, value)?).map_err(|_| Error::InvalidArgument(format!("{name} is too large")))
}
