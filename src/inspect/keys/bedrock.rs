//! Keys of a world of Minecraft Bedrock.
//!
//! ```text
//! chunk     x (i32), z (i32), [dimension (i32)], tag (1 byte), [number of the sub-chunk (1 byte)], little-endian
//! others    text: ~local_player, BiomeData, map_..., player_..., VILLAGE_..., and so on
//! ```
//! For example, `ff ff ff ff 02 00 00 00 2f 04` is sub-chunk 4 of the chunk at -1, 2.

use super::text::plain;
use crate::base::{decode_fixed32, to_u64};
use crate::inspect::span::{Fact, Span};

/// Chunks from the middle to the end of a world: 30 million blocks, and some more.
const COORDINATE_MAX: i32 = 1_900_000;
/// The tag of a sub-chunk, which alone has a number.
const SUB_CHUNK: u8 = 47;

fn tag_name(tag: u8) -> Option<&'static str> {
    Some(match tag {
        43 => "3D biomes and heights",
        44 => "version",
        45 => "2D biomes and heights",
        46 => "2D biomes and heights, old",
        47 => "sub-chunk",
        48 => "terrain, old",
        49 => "block entities",
        50 => "entities",
        51 => "pending ticks",
        52 => "block extra data, old",
        53 => "biome state",
        54 => "finalized state",
        55 => "conversion data",
        56 => "border blocks",
        57 => "hardcoded spawners",
        58 => "random ticks",
        59 => "checksums, old",
        60 => "generation seed",
        61 => "generated before caves and cliffs",
        62 => "blending biome height",
        63 => "hash of metadata",
        64 => "blending data",
        65 => "version of actor digests",
        118 => "version, old",
        _ => return None,
    })
}

/// Names of keys that are text, or their beginnings.
const WHOLE: [&[u8]; 12] = [
    b"~local_player",
    b"AutonomousEntities",
    b"BiomeData",
    b"LevelChunkMetaDataDictionary",
    b"Nether",
    b"Overworld",
    b"TheEnd",
    b"dimension0",
    b"game_flatworldlayers",
    b"mobevents",
    b"portals",
    b"schedulerWT",
];
const BEGINNINGS: [&[u8]; 8] = [
    b"map_",
    b"player_",
    b"VILLAGE_",
    b"structuretemplate_",
    b"tickingarea_",
    b"posTrackDB-",
    b"PosTrackDB-",
    b"scoreboard",
];

pub(super) fn explain(key: &[u8]) -> Option<Span> {
    let is_text = WHOLE.contains(&key) || BEGINNINGS.iter().any(|start| key.starts_with(start));
    if is_text && key.iter().all(u8::is_ascii_graphic) {
        let mut name = Span::of_field("name", 0, to_u64(key.len()));
        name.state("text", plain(key));
        return Some(Span { spans: vec![name], ..Span::new("named", 0, to_u64(key.len())) });
    }
    chunk(key)
}

fn chunk(key: &[u8]) -> Option<Span> {
    let (place, tag, sub_chunk) = match (key.len(), key) {
        (9 | 13, [place @ .., tag]) if *tag != SUB_CHUNK => (place, *tag, None),
        (10 | 14, [place @ .., SUB_CHUNK, number]) => (place, SUB_CHUNK, Some(*number)),
        _ => return None,
    };
    let name = tag_name(tag)?;
    let mut span = Span::new("chunk", 0, to_u64(key.len()));
    for (at, what) in [(0, "x"), (4, "z")] {
        let value = number(place, at).filter(|value| value.unsigned_abs() <= COORDINATE_MAX.unsigned_abs())?;
        span.spans.push(signed(what, at, value));
    }
    if place.len() == 12 {
        let dimension = number(place, 8).filter(|dimension| (1..=16).contains(dimension))?;
        span.spans.push(signed("dimension", 8, dimension));
    }
    let mut field = Span::of_field("tag", to_u64(place.len()), 1);
    field.text("name", name);
    span.spans.push(field);
    if let Some(number) = sub_chunk {
        let number = i8::from_le_bytes([number]);
        span.spans.push(Span { length: 1, ..signed("y", place.len() + 1, i32::from(number)) });
    }
    Some(span)
}

#[inline(never)]
fn number(place: &[u8], at: usize) -> Option<i32> {
    Some(decode_fixed32(place.get(at..)?)?.cast_signed())
}

#[inline(never)]
fn signed(name: &'static str, at: usize, value: i32) -> Span {
    let mut field = Span::of_field(name, to_u64(at), 4);
    field.state("text", Fact::Bytes(value.to_string().into_bytes()));
    field
}

pub(super) fn weight(span: &Span) -> u32 {
    let is_player = |part: &Span| part.fact("text") == Some(&Fact::Bytes(b"~local_player".to_vec()));
    if span.spans.iter().any(is_player) { 8 } else { u32::from(span.kind == "chunk") }
}
