#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test a panic is how a failure is said")]

use super::*;
use crate::base::to_u64;
use crate::inspect::span::Fact;

/// The kind of a key and its parts as text.
fn told(scheme: Scheme, key: &[u8]) -> Option<String> {
    let span = scheme.explain(key)?;
    assert_eq!((span.offset, span.length), (0, to_u64(key.len())));
    assert_inside(&span);
    let mut out = span.kind.to_owned();
    span.spans.iter().for_each(|part| tell(part, &mut out));
    Some(out)
}

fn tell(part: &Span, out: &mut String) {
    out.push_str(&format!(", {}", part.name.unwrap()));
    for (name, fact) in &part.facts {
        match fact {
            Fact::Number(number) => out.push_str(&format!(" {number}")),
            Fact::Bytes(bits) if *name == "number" || *name == "date" => {
                out.push_str(&format!(" {name} {}", f64::from_be_bytes(bits[..].try_into().unwrap())));
            }
            Fact::Bytes(text) => out.push_str(&format!(" {name} {}", String::from_utf8_lossy(text))),
            Fact::Text(text) => out.push_str(&format!(" {text}")),
            other => panic!("{other:?}"),
        }
    }
    part.spans.iter().for_each(|inner| tell(inner, out));
}

/// Parts are inside their whole, in order, without overlaps.
fn assert_inside(span: &Span) {
    let (mut at, end) = (span.offset, span.offset + span.length);
    for part in &span.spans {
        assert!(part.offset >= at && part.offset + part.length <= end, "{span:?}");
        at = part.offset + part.length;
        assert_inside(part);
    }
}

#[test]
fn keys_of_indexed_db_are_explained() {
    let of = |key: &[u8]| told(Scheme::IndexedDb, key).unwrap_or_default();
    assert_eq!(of(b"\0\0\0\0\0"), "schema version, database 0");
    assert_eq!(of(b"\0\0\0\0\xc9\x01\0a\x02\0d\0b"), "database name, database 0, origin text a, name text db");
    assert_eq!(of(b"\0\x05\0\0\x32\x02\0"), "name of an object store, database 5, object store 2");
    assert_eq!(of(b"\0\x05\0\0\x64\x02\x1e\x01"), "whether an index is unique, database 5, object store 2, index 30");
    let number = b"\x03\0\0\0\0\0\0\xf0\x3f";
    assert_eq!(
        of(&[b"\0\x01\x02\x01", &number[..]].concat()),
        "record, database 1, object store 2, index 1, key number 1"
    );
    assert_eq!(
        of(&[b"\0\x01\x02\x1e\x04\x02\x06\x02hi", &number[..], b"\0\x01\x01\0k"].concat()),
        "index entry, database 1, object store 2, index 30, key 2, key binary hi, key number 1, primary key text k"
    );
    assert_eq!(
        of(b"\0\x01\x02\x02\x01\x02\xd8\0\0a"),
        "record exists, database 1, object store 2, index 2, key text \\ud800a"
    );
}

#[test]
fn keys_that_are_not_whole_are_left_alone() {
    for key in [
        &b""[..],
        b"\0\0\0\0",
        b"\0\0\0\0\x09",
        b"\0\0\0\0\0\0",
        b"\0\0\x01\0\0",
        b"\0\x01\0\x01\0",
        b"\0\x01\x01\x04\x05",
        b"\0\x01\x01\x01",
        b"\0\x01\x01\x01\x05",
        b"\0\x01\x01\x01\x01\x05\0a",
        b"\0\x01\x01\x01\x04\xff\xff\xff\xff\x0f\x01\0",
        b"user:0001",
    ] {
        assert_eq!(told(Scheme::IndexedDb, key), None, "{}", key.escape_ascii());
    }
    let deep = [b"\0\x01\x01\x01".to_vec(), b"\x04\x01".repeat(20_000)].concat();
    assert_eq!(told(Scheme::IndexedDb, &deep), None);
}

#[test]
fn keys_of_storages_are_explained() {
    let local = |key: &[u8]| told(Scheme::LocalStorage, key);
    assert_eq!(local(b"_http://a:1\0\x01k\xe4y").as_deref(), Some("item, origin text http://a:1, key text k\u{e4}y"));
    assert_eq!(local(b"_http://a\0\0k\0\xac\x20").as_deref(), Some("item, origin text http://a, key text k\u{20ac}"));
    assert_eq!(local(b"META:http://a").as_deref(), Some("size of an origin, origin text http://a"));
    assert_eq!(local(b"_http://a\0\0odd").as_deref(), None);
    assert_eq!(local(b"_http://a\0\x02k").as_deref(), None);
    assert_eq!(local(b"META:something").as_deref(), None);
    let session = |key: &[u8]| told(Scheme::SessionStorage, key);
    assert_eq!(session(b"map-12-s1").as_deref(), Some("item, map 12, key text s1"));
    assert_eq!(
        session(b"namespace-f0fa4b4c_19cc_4edf_87f7_57b237b5a95f-http://a/").as_deref(),
        Some("map of an origin, namespace text f0fa4b4c_19cc_4edf_87f7_57b237b5a95f, origin text http://a/")
    );
    assert_eq!(session(b"map-x-s1").as_deref(), None);
}

#[test]
fn keys_of_worlds_are_explained() {
    let of = |key: &[u8]| told(Scheme::Bedrock, key);
    assert_eq!(
        of(b"\xff\xff\xff\xff\x02\0\0\0\x2f\xfc").as_deref(),
        Some("chunk, x text -1, z text 2, tag sub-chunk, y text -4")
    );
    assert_eq!(
        of(b"\0\0\0\0\x0c\0\0\0\x01\0\0\0\x2c").as_deref(),
        Some("chunk, x text 0, z text 12, dimension text 1, tag version")
    );
    assert_eq!(of(b"~local_player").as_deref(), Some("named, name text ~local_player"));
    assert_eq!(of(b"user:0001"), None);
    assert_eq!(of(b"\0\0\0\0\0\0\0\0\x2f"), None, "a sub-chunk has a number");
}

#[test]
fn a_scheme_is_guessed_only_if_all_keys_fit() {
    let guess = |keys: &[&[u8]]| Scheme::guess(keys.iter().copied());
    assert_eq!(guess(&[]), None);
    assert_eq!(guess(&[b"VERSION"]), None, "one word is no evidence");
    assert_eq!(guess(&[b"VERSION", b"_http://a\0\x01k"]), Some(Scheme::LocalStorage));
    assert_eq!(guess(&[b"VERSION", b"_http://a\0\x01k", b"other"]), None);
    assert_eq!(guess(&[b"map-0-a"]), None);
    assert_eq!(
        guess(&[b"map-0-a", b"namespace-f0fa4b4c_19cc_4edf_87f7_57b237b5a95f-http://a/"]),
        Some(Scheme::SessionStorage)
    );
    let chunks: Vec<Vec<u8>> = (0..8u8).map(|x| vec![x, 0, 0, 0, 1, 0, 0, 0, 0x2c]).collect();
    let chunks: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
    assert_eq!(guess(&chunks), Some(Scheme::Bedrock));
    assert_eq!(guess(&chunks[..3]), None);
    let users: Vec<String> = (0..100).map(|i| format!("user:{i:04}")).collect();
    let users: Vec<&[u8]> = users.iter().map(String::as_bytes).collect();
    assert_eq!(guess(&users), None);
    let records: Vec<Vec<u8>> = (0..4u8).map(|n| [&b"\0\x01\x01\x01\x01\x01\0"[..], &[n]].concat()).collect();
    let records: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
    assert_eq!(guess(&records), Some(Scheme::IndexedDb));
}

#[test]
fn names_are_those_written_last() {
    let mut names = Names::default();
    names.note(b"\0\x01\0\0\x01", 5, Some(b"\0n\0e\0w"));
    names.note(b"\0\x01\0\0\x01", 4, Some(b"\0o\0l\0d"));
    names.note(b"\0\x01\0\0\x32\x02\0", 6, Some(b"\0s"));
    names.note(b"\0\x01\0\0\x32\x02\x01", 7, Some(b"\0p"));
    names.note(b"\0\x01\0\0\x64\x02\x1e\0", 8, Some(b"\0i"));
    names.note(b"\0\x01\x02\x01\x01\x01\0k", 9, Some(b"\0r"));
    names.note(b"\0\x02\0\0\x01", 9, Some(b"\0d"));
    names.note(b"\0\x02\0\0\x01", 10, None);
    names.note(b"\0\0\0\0\xc9\x01\0o\x02\0d\0b", 11, Some(b"\x03"));
    names.note(b"\0\0\0\0\xc9\x01\0o\x02\0d\0b", 12, None);
    let listed: Vec<String> = names
        .spans()
        .iter()
        .map(|span| {
            let mut out = String::new();
            tell(&Span { name: Some("name"), ..span.clone() }, &mut out);
            out
        })
        .collect();
    assert_eq!(
        listed,
        [
            ", name 1 0 0 5 text new",
            ", name 1 2 0 6 text s",
            ", name 1 2 30 8 text i",
            ", name 2 0 0 10 text ",
            ", name 3 0 0 11 text db"
        ]
    );
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_explained_or_not(key in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..40), scheme in 0usize..4) {
        let scheme = SCHEMES[scheme];
        if let Some(span) = scheme.explain(&key) {
            assert_inside(&span);
        }
        let with_prefix = [b"\0\x01\x01\x01", &key[..]].concat();
        if let Some(span) = Scheme::IndexedDb.explain(&with_prefix) {
            assert_inside(&span);
        }
    }
}
