//! Random changes, and each bit.

use super::*;

#[test]
fn no_mutation_causes_a_panic_or_an_endless_loop() {
    let mut seed = 20_240_607;
    for (name, file) in fixtures().into_iter().chain([("one", one_entry())]) {
        let sample: Vec<u8> = file
            .iter()
            .copied()
            .take(20_000)
            .chain(file[file.len().saturating_sub(20_000)..].iter().copied())
            .collect();
        for round in 0..24 {
            let mut mutant = if round % 4 == 0 { sample.clone() } else { file.clone() };
            for _ in 0..=random(&mut seed) % 6 {
                let at = random(&mut seed) % mutant.len();
                match random(&mut seed) % 4 {
                    0 => mutant[at] ^= 1 << (random(&mut seed) % 8),
                    1 => mutant[at] = [0, 0x7f, 0x80, 0xff][random(&mut seed) % 4],
                    2 => mutant.truncate(at.max(1)),
                    _ => mutant.insert(at, 0xff),
                }
            }
            // The footer matters most, so it is mutated more often.
            if round % 3 == 0 && mutant.len() > 48 {
                let at = mutant.len() - 48 + random(&mut seed) % 12;
                mutant[at] = u8::try_from(random(&mut seed) % 256).unwrap();
            }
            let spans = inspect(&mutant, round % 2 == 0);
            assert_eq!(spans.last().unwrap().kind, "table", "{name}");
        }
    }
}

#[test]
fn every_flipped_bit_of_a_table_is_found() {
    let file = fixture("leveldb-table/block256-restart1.ldb");
    let known: Vec<u8> = file.clone();
    for bit in (0..known.len() * 8).step_by(37) {
        let mut file = known.clone();
        file[bit / 8] ^= 1 << (bit % 8);
        let spans = inspect(&file, false);
        let told = spans.iter().any(|span| span.findings.iter().any(|found| found.severity > Severity::Info));
        assert!(told, "bit {bit}");
    }
}
