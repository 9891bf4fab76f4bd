//! Cost of stamps: hashes a second of one core and of all, and what that means for `stamp_bits`.
//!
//! ```console
//! $ cargo run --release -p white-city-wire --example stamps
//! ```

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use white_city_wire::{SessionId, stamp::is_stamp};

/// Time for which each number is measured.
const TIME: Duration = Duration::from_secs(3);
/// Hashes between two looks at the clock.
const AT_ONCE: u64 = 1 << 14;
/// So many that none is found.
const BITS: u8 = 64;

fn main() {
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get());
    let (one, all) = (hashes_per_second(1), hashes_per_second(cores));
    println!("one core: {:.1} million hashes a second", millions(one));
    println!(
        "{cores} cores: {:.1} million hashes a second",
        millions(all)
    );
    println!("| stamp_bits | hashes | one core | {cores} cores |");
    println!("|---|---|---|---|");
    for bits in [12, 16, 20, 22, 24, 26, 28, 30, 32, 36, 40] {
        let hashes = (1_u64 << bits) as f64;
        let [one, all] = [one, all].map(|rate| time(hashes / rate));
        println!("| {bits} | {hashes} | {one} | {all} |");
    }
}

/// The number that so many threads compute together.
fn hashes_per_second(threads: usize) -> f64 {
    let done = AtomicU64::new(0);
    let began = Instant::now();
    thread::scope(|scope| {
        for number in 0..threads {
            let session = SessionId([u8::try_from(number).unwrap_or(0); 32]);
            let done = &done;
            scope.spawn(move || {
                let mut from = 0;
                while began.elapsed() < TIME {
                    let found = (from..from + AT_ONCE).any(|s| is_stamp(&session, s, BITS));
                    assert!(!found);
                    from += AT_ONCE;
                    done.fetch_add(AT_ONCE, Ordering::Relaxed);
                }
            });
        }
    });
    done.into_inner() as f64 / began.elapsed().as_secs_f64()
}

fn millions(hashes: f64) -> f64 {
    hashes / 1e6
}

fn time(seconds: f64) -> String {
    match seconds {
        ..1.0 => format!("{:.0} ms", seconds * 1e3),
        ..120.0 => format!("{seconds:.1} s"),
        ..7_200.0 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.0} h", seconds / 3_600.0),
    }
}
