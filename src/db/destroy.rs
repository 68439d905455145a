//! Removes a whole database.

use std::rc::Rc;

use crate::base::FileName;
use crate::env::{Env, NameEdit};
use crate::error::{Error, Result};

/// Removes every file of the database in `env`, and the directory itself if it is then empty.
///
/// Other files stay. A missing database is no error.
///
/// # Errors
/// `Locked`: the database is open.
pub async fn destroy(env: Rc<dyn Env>) -> Result<()> {
    match env.lock(false).await {
        Ok(_) => {}
        Err(error) if error.is_not_found() => return Ok(()),
        Err(error) => return Err(error),
    }
    let result = match remove_all(&*env).await {
        Ok(()) => env.remove_place().await,
        error => error,
    };
    env.unlock();
    result
}

async fn remove_all(env: &dyn Env) -> Result<()> {
    let names = match env.list().await {
        Ok(names) => names,
        Err(Error::NotSupported(_)) => return Err(Error::NotSupported("the storage cannot list its files".into())),
        Err(error) => return Err(error),
    };
    // CURRENT is removed first: afterwards the rest is not a database, only unused files.
    let ours =
        names.iter().filter(|n| FileName::parse(n).is_some_and(|f| f != FileName::Lock && f != FileName::Current));
    let remove = |name: &String| NameEdit::Remove { name: name.clone() };
    env.edit_names(vec![NameEdit::Remove { name: "CURRENT".to_owned() }]).await?;
    let mut edits: Vec<NameEdit> = ours.map(remove).collect();
    edits.extend(names.iter().filter(|n| n.ends_with(".log.damaged")).map(remove));
    env.edit_names(edits).await
}
