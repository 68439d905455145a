//! The contract of `Env` on the origin private file system (OPFS) of a browser, in a dedicated worker:
//! `npm test -- --only wasm-opfs`.
#![cfg(all(target_arch = "wasm32", feature = "wasm"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "in a test a panic is how a failure is said"
)]

#[path = "engine/env_contract/suite.rs"]
mod env_contract;

use std::cell::Cell;
use std::rc::Rc;

use js_sys::{Array, Function, Promise, Reflect};
use varve::env::{Env, FileKind, PoolEnv, RawDirectory, append_checked, opfs_directory, read_file};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::wasm_bindgen_test;

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

/// The package's modules that open raw files, each after those that it imports. The runner serves
/// no files, so they are imported from Blobs.
const MODULES: [(&str, &str); 9] = [
    ("../../errors.js", include_str!("../src/js/errors.js")),
    ("./place.js", include_str!("../src/js/storage/browser/place.js")),
    ("./full-disk.js", include_str!("../src/js/storage/browser/full-disk.js")),
    ("./probe.js", include_str!("../src/js/storage/browser/probe.js")),
    ("./known.js", include_str!("../src/js/storage/browser/known.js")),
    ("./web-lock.js", include_str!("../src/js/storage/browser/web-lock.js")),
    ("./seal.js", include_str!("../src/js/storage/browser/seal.js")),
    ("./raw-files.js", include_str!("../src/js/storage/browser/raw-files.js")),
    ("./opfs.js", include_str!("../src/js/storage/browser/opfs.js")),
];

/// The class `OpfsFiles`.
async fn opfs_files() -> Function {
    let to_url =
        Function::new_with_args("text", "return URL.createObjectURL(new Blob([text], { type: 'text/javascript' }))");
    let mut urls: Vec<(&str, String)> = Vec::new();
    for (name, text) in MODULES {
        let text = urls
            .iter()
            .fold(text.to_owned(), |text, (name, url)| text.replace(&format!("'{name}'"), &format!("'{url}'")));
        let url = to_url.call1(&JsValue::NULL, &text.into()).unwrap();
        urls.push((name, url.as_string().unwrap()));
    }
    let import = Function::new_with_args("url", "return import(url)");
    let (_, url) = urls.pop().unwrap();
    let module = import.call1(&JsValue::NULL, &url.into()).unwrap().unchecked_into::<Promise>();
    let module = JsFuture::from(module).await.expect("a module that opfs.js imports is missing in MODULES");
    Reflect::get(&module, &"OpfsFiles".into()).unwrap().unchecked_into()
}

/// The raw files of the directory `name`.
fn directory(class: &Function, name: &str) -> Rc<dyn RawDirectory> {
    let path = Array::of2(&"contract".into(), &name.into());
    let files = Reflect::construct(class, &Array::of2(&path, &name.into())).unwrap();
    opfs_directory(files).unwrap()
}

/// Resolves after `ms`.
async fn pause(ms: u32) {
    let wait = Function::new_with_args("ms", "return new Promise((resolve) => setTimeout(resolve, ms))");
    JsFuture::from(wait.call1(&JsValue::NULL, &ms.into()).unwrap().unchecked_into::<Promise>()).await.unwrap();
}

#[wasm_bindgen_test]
async fn raw_files_of_a_browser_follow_the_contract() {
    let class = opfs_files().await;
    let count = Cell::new(0);
    env_contract::run_contract(|| {
        count.set(count.get() + 1);
        let name = format!("place {}", count.get());
        [(), ()].map(|()| Rc::new(PoolEnv::new(directory(&class, &name))) as Rc<dyn Env>)
    })
    .await;
    assert!(count.get() > 10, "the contract ran {} tests", count.get());
}

#[wasm_bindgen_test]
async fn content_survives_its_owner() {
    let class = opfs_files().await;
    let content: Vec<u8> = (0..300_000u32).map(|i| (i % 251) as u8).collect();
    for owner in 0..4u32 {
        let env = PoolEnv::new(directory(&class, "kept"));
        assert_eq!(env.lock(true).await.unwrap(), u64::from(owner) + 1);
        for earlier in 0..owner {
            let found = read_file(&env, &format!("{earlier:06}.ldb"), 1 << 20).await.unwrap();
            assert!(found == content, "owner {owner} finds {} bytes of owner {earlier}", found.len());
        }
        let file = env.create(&format!("{owner:06}.ldb"), FileKind::Table, 0).await.unwrap();
        let mut end = 0;
        for part in content.chunks(65_536) {
            end += part.len() as u64;
            append_checked(&env, &*file, "a table", part, end).await.unwrap();
        }
        file.sync().await.unwrap();
        env.edit_names(Vec::new()).await.unwrap();
    }
}

#[wasm_bindgen_test]
async fn spare_files_are_made_while_nothing_happens() {
    let class = opfs_files().await;
    let raw = directory(&class, "spares");
    let env = PoolEnv::new(raw.clone());
    env.lock(true).await.unwrap();
    // Three superblocks, and the spares of src/env/pool/mod.rs.
    for _ in 0..100 {
        if raw.list(false).await.unwrap().len() >= 11 {
            return;
        }
        pause(100).await;
    }
    panic!("after 10 s there are {:?}", raw.list(false).await.unwrap());
}
