//! Copies of a share in a party's memory, at each of its transactions.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    os::unix::fs::FileExt,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use white_city_client::{
    SessionId,
    vault::{self, Unlock},
};

use crate::{
    gate::Gate,
    world::{Step, World, result, run, spawn, world},
};

const PAGE_BYTES: usize = 4_096;

/// Number of places where these bytes are in memory that the process has written: its heap, its stacks, its variables.
fn copies(process: u32, wanted: &[u8; 32]) -> io::Result<usize> {
    let maps = fs::read_to_string(format!("/proc/{process}/maps"))?;
    let memory = File::open(format!("/proc/{process}/mem"))?;
    let mut found = 0;
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (from, to) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
        let [from, to] = [from, to].map(|address| u64::from_str_radix(address, 16).unwrap());
        let mut region = vec![0; usize::try_from(to - from).unwrap()];
        // What a thread unmaps meanwhile isn't there any more.
        if memory.read_exact_at(&mut region, from).is_ok() {
            found += in_region(&region, wanted);
        }
    }
    Ok(found)
}

fn in_region(region: &[u8], wanted: &[u8; 32]) -> usize {
    let mut found = 0;
    for (number, page) in region.chunks(PAGE_BYTES).enumerate() {
        if page == &[0; PAGE_BYTES][..page.len()] {
            continue;
        }
        // What begins in this page may end in the next one.
        let start = number * PAGE_BYTES;
        let end = region.len().min(start + PAGE_BYTES + wanted.len() - 1);
        let window = &region[start..end];
        let mut from = 0;
        while let Some(at) = window[from..].iter().position(|byte| *byte == wanted[0]) {
            from += at + 1;
            found += usize::from(window[from..].starts_with(&wanted[1..]));
        }
    }
    found
}

#[test]
fn the_search_finds_each_copy_once_also_across_pages() {
    let wanted: [u8; 32] = std::array::from_fn(|i| 100 + i as u8);
    let mut region = vec![0; 3 * PAGE_BYTES];
    for at in [0, PAGE_BYTES - 7, 2 * PAGE_BYTES, 3 * PAGE_BYTES - 32] {
        region[at..at + 32].copy_from_slice(&wanted);
    }
    assert_eq!(in_region(&region, &wanted), 4);
    let here: Box<[u8; 32]> = Box::new(wanted.map(std::hint::black_box));
    assert!(copies(std::process::id(), &here).unwrap() >= 1);
}

fn share(file: &Path, key_file: &Path) -> Option<[u8; 32]> {
    let unlock = Unlock::key_file(key_file).unwrap();
    let share = vault::load(file, "eddsa-share", &unlock).ok()?;
    share.last_chunk().copied()
}

/// Copies that were found at each transaction of party 0.
async fn watched(
    world: &World,
    step: Step,
    id: SessionId,
    others: &[usize],
) -> Vec<io::Result<usize>> {
    let seen: Arc<Mutex<Vec<io::Result<usize>>>> = Arc::default();
    let process = Arc::new(AtomicU32::new(0));
    let (key_file, done) = (world.file(0, "key32"), world.file(0, "share"));
    let pending = world.file(0, "share.unconfirmed");
    let gate = {
        let (seen, process) = (Arc::clone(&seen), Arc::clone(&process));
        Gate::looking(&world.url(), move |_| {
            let share = share(&done, &key_file).or_else(|| share(&pending, &key_file));
            // Of a key that isn't made yet nothing can be found.
            let found = share.map_or(Ok(0), |share| {
                copies(process.load(Ordering::SeqCst), &share)
            });
            seen.lock().unwrap().push(found);
        })
        .await
    };
    let others = others.iter().map(|party| {
        let args = world.args(step, *party, id);
        run(world.command(
            &world.url(),
            &args.iter().map(String::as_str).collect::<Vec<_>>(),
        ))
    });
    let first = async {
        let args = world.args(step, 0, id);
        let first = spawn(world.command(
            &gate.url(),
            &args.iter().map(String::as_str).collect::<Vec<_>>(),
        ));
        process.store(first.id().unwrap(), Ordering::SeqCst);
        first.wait_with_output().await.unwrap()
    };
    let (first, others) = tokio::join!(first, futures::future::join_all(others));
    result(&first);
    others.iter().for_each(|other| drop(result(other)));
    std::mem::take(&mut *seen.lock().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_share_is_in_memory_once_while_it_is_needed_and_not_at_all_afterwards() {
    let world = world().await;
    let id = world.open_keygen().await;
    let made = watched(&world, Step::Keygen, id, &[1, 2]).await;
    let public_key = public_key(&world);
    let id = world.open_signing(&public_key).await;
    let signed = watched(&world, Step::Sign, id, &[1]).await;
    world.net.stop().await.unwrap();

    let denied = |found: &io::Result<usize>| {
        let error = found.as_ref().err();
        error.is_some_and(|error| error.kind() == ErrorKind::PermissionDenied)
    };
    if signed.iter().all(denied) {
        eprintln!("NOT SHOWN: nobody but the superuser may read the party's memory");
        return;
    }
    let counts = |found: Vec<io::Result<usize>>| -> Vec<usize> {
        found.into_iter().map(Result::unwrap).collect()
    };
    // A join, a commitment, a dealing: the share is what comes of them, and it is on the disk before the finish.
    let made = counts(made);
    // A join, a commitment, a dealing, a confirmation, then the partial signature, after which it isn't needed.
    let signed = counts(signed);
    assert_eq!((made, signed), (vec![0; 4], vec![1, 1, 1, 1, 0, 0]));
}

fn public_key(world: &World) -> String {
    let unlock = Unlock::key_file(&world.file(0, "key32")).unwrap();
    let file = vault::load(&world.file(0, "share"), "eddsa-share", &unlock).unwrap();
    // Version, session, how many, their keys.
    let share = white_city_eddsa::KeyShare::from_bytes(&file[1 + 32 + 2 + 3 * 32..]).unwrap();
    hex::encode(share.public_key())
}
