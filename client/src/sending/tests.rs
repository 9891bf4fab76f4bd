//! Tests that what the policy says is done, with four replicas.

use std::{
    sync::atomic::{AtomicU8, Ordering},
    time::Duration,
};

use tokio::{sync::mpsc, task::JoinHandle};

use super::*;
use crate::replicas::{
    HandedOver,
    served::{Request, Requests, four, one_is_woken},
};

/// Sends an entry; gives how many replicas are said to have it.
fn submit(replicas: &Arc<Replicas>, entry: u8, is_again: bool) -> JoinHandle<usize> {
    let replicas = Arc::clone(replicas);
    tokio::spawn(async move {
        let tx = Arc::new(vec![entry]);
        let (mut sending, mut replies) =
            (Sending::new(TxKind::Entry, tx.len()), Replies::default());
        let mut heard = Heard::Nothing;
        if is_again {
            sending.next(heard, Instant::now(), &view(&replicas));
            heard = Heard::NotShown;
        }
        loop {
            match sending.next(heard, Instant::now(), &view(&replicas)) {
                Step::Watch { .. } if heard == Heard::HandedOver(HandedOver::Coming) => return 4,
                Step::Watch { .. } => return replies.taken,
                step => heard = perform(&replicas, &tx, step, &mut replies).await,
            }
        }
    })
}

fn view(replicas: &Replicas) -> View {
    View {
        usual: usual(replicas),
        left: None,
        whole: Duration::from_secs(600),
        is_disputed: false,
        is_too_late: false,
    }
}

fn take_at_rpc(request: Request) {
    let result = r#"{"jsonrpc":"2.0","id":1,"result":{"code":0}}"#;
    request.answer.send(result.into()).unwrap();
}

/// Takes what comes to a direct port, for which no block comes.
fn idle(mut requests: mpsc::Receiver<Request>) {
    tokio::spawn(async move {
        while let Some(request) = requests.recv().await {
            let count = request.entries().len();
            request.take(count, false);
        }
    });
}

fn is_nothing_there(requests: &mut Requests) -> bool {
    requests.iter_mut().all(|r| r.try_recv().is_err())
}

#[tokio::test]
async fn an_entry_is_handed_over_where_all_but_the_malicious_ones_can_have_it() {
    let (replicas, mut rpc, mut direct) = four([0, 1, 3]).await;
    let submitting = submit(&replicas, 7, false);
    for requests in &mut direct {
        let request = requests.recv().await.unwrap();
        assert_eq!(request.entries(), [[7]]);
        request.take(1, true);
    }
    assert_eq!(submitting.await.unwrap(), 4);
    assert!(is_nothing_there(&mut rpc));
    let (replicas, mut rpc, mut direct) = four([0, 3]).await;
    let submitting = submit(&replicas, 7, false);
    take_at_rpc(rpc[0].recv().await.unwrap());
    assert_eq!(submitting.await.unwrap(), 1);
    assert!(is_nothing_there(&mut rpc) && is_nothing_there(&mut direct));
}

#[tokio::test]
async fn what_was_sent_before_goes_to_all_engines_where_too_few_take_it_or_no_block_comes() {
    for ports in [0..2, 0..4] {
        let (replicas, mut rpc, direct) = four(ports).await;
        direct.into_iter().for_each(idle);
        one_is_woken(&replicas).await;
        let submitting = submit(&replicas, 7, true);
        for requests in &mut rpc {
            take_at_rpc(requests.recv().await.unwrap());
        }
        assert!(submitting.await.unwrap() > 0);
    }
}

#[tokio::test]
async fn one_that_keeps_silent_or_takes_nothing_changes_nothing() {
    for is_silent in [true, false] {
        let (replicas, mut rpc, mut direct) = four(0..4).await;
        let submitting = submit(&replicas, 7, false);
        let first = direct[0].recv().await.unwrap();
        let silent = match is_silent {
            true => Some(first),
            // The answer to other transactions than it got.
            false => {
                first.take(2, true);
                None
            }
        };
        for requests in &mut direct[1..] {
            requests.recv().await.unwrap().take(1, true);
        }
        assert_eq!(submitting.await.unwrap(), 4);
        assert!(is_nothing_there(&mut rpc));
        drop(silent);
    }
}

#[tokio::test]
async fn where_too_many_take_nothing_an_engine_gets_it_at_once() {
    let (replicas, mut rpc, mut direct) = four(0..4).await;
    let began = Instant::now();
    let submitting = submit(&replicas, 7, false);
    let mut silent = Vec::new();
    for (at, requests) in direct.iter_mut().enumerate() {
        let request = requests.recv().await.unwrap();
        match at {
            0 | 1 => request.take(2, true),
            _ => silent.push(request),
        }
    }
    take_at_rpc(rpc[0].recv().await.unwrap());
    assert_eq!(submitting.await.unwrap(), 1);
    assert!(began.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn of_the_entries_that_no_block_comes_for_engines_get_a_few() {
    const ENTRIES: u8 = 24;
    let (replicas, mut rpc, direct) = four(0..4).await;
    let first = submit(&replicas, 0, false);
    direct.into_iter().for_each(idle);
    let request = rpc[0].recv().await.unwrap();
    // Its engine has that one; whoever comes now may be too late for its block, but not for the next one's.
    let others: Vec<_> = (1..ENTRIES)
        .map(|entry| submit(&replicas, entry, false))
        .collect();
    take_at_rpc(request);
    assert_eq!(first.await.unwrap(), 1);
    let mut more = rpc.remove(0);
    let count = Arc::new(AtomicU8::new(0));
    let taken = Arc::clone(&count);
    tokio::spawn(async move {
        while let Some(request) = more.recv().await {
            taken.fetch_add(1, Ordering::Relaxed);
            take_at_rpc(request);
        }
    });
    for other in others {
        assert!(other.await.unwrap() > 0);
    }
    assert!(is_nothing_there(&mut rpc));
    let count = count.load(Ordering::Relaxed);
    assert!((1..=ENTRIES / 2).contains(&count), "{count}");
}
