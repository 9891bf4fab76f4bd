//! The connections to the direct port, and what each of them takes of what all share: places, and memory for requests that are
//! being read and for answers that are being written.
//!
//! Whatever is short, the address that takes the most of it makes room for those that take less. So one address can use all that
//! nobody else wants, and however many there are, none is shut out by the others.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::oneshot, time::Instant};

/// Memory for requests that are being read, bytes.
const BODIES_BYTES: u64 = 64 << 20;
/// Memory for answers that are being written, bytes.
const ANSWERS_BYTES: u64 = 128 << 20;
/// Longest silence of a connection that has never asked anything.
const FIRST_REQUEST: Duration = Duration::from_secs(10);
/// Longest that a connection may be without a whole request.
pub const IDLE: Duration = Duration::from_secs(60);
/// Longest that an answer may take to be written: a page of 1 MiB at 52 KB a second.
const ANSWER: Duration = Duration::from_secs(20);

/// Something that all connections share.
struct Shared {
    max: u64,
    total: u64,
    addresses: BTreeMap<IpAddr, u64>,
}

/// Whether there is room in what is shared.
enum Room {
    Free,
    /// This address has to give some up.
    At(IpAddr),
    None,
}

impl Shared {
    const fn new(max: u64) -> Self {
        Self {
            max,
            total: 0,
            addresses: BTreeMap::new(),
        }
    }

    fn of(&self, address: &IpAddr) -> u64 {
        self.addresses.get(address).copied().unwrap_or(0)
    }

    /// Room for so much more for this address.
    fn room(&self, address: &IpAddr, more: u64) -> Room {
        if self.total.saturating_add(more) <= self.max {
            return Room::Free;
        }
        let would_have = self.of(address).saturating_add(more);
        match self.addresses.iter().max_by_key(|(_, taken)| **taken) {
            Some((most, taken)) if *taken > would_have => Room::At(*most),
            _ => Room::None,
        }
    }

    fn add(&mut self, address: IpAddr, more: u64) {
        self.total = self.total.saturating_add(more);
        let taken = self.addresses.entry(address).or_default();
        *taken = taken.saturating_add(more);
    }

    fn subtract(&mut self, address: &IpAddr, less: u64) {
        self.total = self.total.saturating_sub(less);
        if let Some(taken) = self.addresses.get_mut(address) {
            *taken = taken.saturating_sub(less);
            if *taken == 0 {
                self.addresses.remove(address);
            }
        }
    }
}

/// State of a connection, in the order in which they are closed where there are too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Doing {
    /// It hasn't asked anything yet.
    New,
    /// It may ask again.
    Idle,
    /// Its request is read and worked on.
    Asking,
    /// Its answer is written.
    Answering,
}

struct Connection {
    address: IpAddr,
    doing: Doing,
    since: Instant,
    /// Memory for its request.
    body: u64,
    /// Memory for its answer.
    answer: u64,
    /// Whoever drops it closes the connection.
    _close: oneshot::Sender<()>,
}

/// All open connections, with what they take.
struct Register {
    next: u64,
    all: BTreeMap<u64, Connection>,
    places: Shared,
    bodies: Shared,
    answers: Shared,
}

/// The connections of a direct port.
pub struct Connections {
    per_address: u64,
    register: Mutex<Register>,
}

/// One connection's place among them, until it is dropped.
pub struct ConnectionPlace {
    connections: Arc<Connections>,
    number: u64,
    address: IpAddr,
}

/// Memory for a request that is being read, until it is dropped.
pub struct Body(Arc<Connections>, u64);

/// Memory for an answer that is being written, until it is dropped: then the connection may ask again.
pub struct Answering(Arc<Connections>, u64);

impl Connections {
    /// None yet, and at most so many: in all, and of one address.
    pub const fn new(in_all: u64, per_address: u64) -> Self {
        Self {
            per_address,
            register: Mutex::new(Register {
                next: 0,
                all: BTreeMap::new(),
                places: Shared::new(in_all),
                bodies: Shared::new(BODIES_BYTES),
                answers: Shared::new(ANSWERS_BYTES),
            }),
        }
    }

    /// A place for a new connection, and what ends when it has to be closed; `None` where there is none.
    pub fn open(
        self: &Arc<Self>,
        address: IpAddr,
    ) -> Option<(ConnectionPlace, oneshot::Receiver<()>)> {
        let mut register = self.register();
        if register.places.of(&address) >= self.per_address {
            return None;
        }
        loop {
            match register.places.room(&address, 1) {
                Room::Free => break,
                Room::At(most) => {
                    let of_most = register.of(most);
                    let (_, _, number) = of_most.map(|(n, c)| (c.doing, c.since, n)).min()?;
                    register.close(number);
                }
                Room::None => return None,
            }
        }
        let (close, closed) = oneshot::channel();
        let number = register.next;
        register.next += 1;
        register.places.add(address, 1);
        register.all.insert(
            number,
            Connection {
                address,
                doing: Doing::New,
                since: Instant::now(),
                body: 0,
                answer: 0,
                _close: close,
            },
        );
        let place = ConnectionPlace {
            connections: Arc::clone(self),
            number,
            address,
        };
        Some((place, closed))
    }

    /// Closes those that have been silent, or whose answer has been on its way, for too long.
    pub fn close_overdue(&self) {
        let now = Instant::now();
        let mut register = self.register();
        let overdue = register.all.iter().filter(|(_, connection)| {
            let patience = match connection.doing {
                Doing::New => FIRST_REQUEST,
                Doing::Idle => IDLE,
                // How long a request may take is bounded where it is read.
                Doing::Asking => return false,
                Doing::Answering => ANSWER,
            };
            now.saturating_duration_since(connection.since) > patience
        });
        let overdue: Vec<u64> = overdue.map(|(number, _)| *number).collect();
        for number in overdue {
            register.close(number);
        }
    }

    fn register(&self) -> MutexGuard<'_, Register> {
        self.register.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Register {
    fn of(&self, address: IpAddr) -> impl Iterator<Item = (u64, &Connection)> {
        let all = self
            .all
            .iter()
            .map(|(number, connection)| (*number, connection));
        all.filter(move |(_, connection)| connection.address == address)
    }

    /// Forgets a connection, which ends it.
    fn close(&mut self, number: u64) {
        if let Some(connection) = self.all.remove(&number) {
            let address = &connection.address;
            self.places.subtract(address, 1);
            self.bodies.subtract(address, connection.body);
            self.answers.subtract(address, connection.answer);
        }
    }

    fn set(&mut self, number: u64, doing: Doing) {
        if let Some(connection) = self.all.get_mut(&number) {
            connection.doing = doing;
            connection.since = Instant::now();
        }
    }

    /// Of an address those that take memory of one kind, the one that has for the longest time.
    fn oldest(&self, address: IpAddr, takes: impl Fn(&Connection) -> u64) -> Option<u64> {
        let holding = self
            .of(address)
            .filter(|(_, connection)| takes(connection) > 0);
        let oldest = holding.min_by_key(|(_, connection)| connection.since)?;
        Some(oldest.0)
    }

    /// Counts memory for a request of a connection; whether there is room.
    fn take_body(&mut self, number: u64, address: IpAddr, bytes: u64) -> bool {
        loop {
            match self.bodies.room(&address, bytes) {
                Room::Free => break,
                Room::At(most) => match self.oldest(most, |connection| connection.body) {
                    Some(number) => self.close(number),
                    None => return false,
                },
                Room::None => return false,
            }
        }
        let Some(connection) = self.all.get_mut(&number) else {
            return false;
        };
        connection.body = bytes;
        self.bodies.add(address, bytes);
        true
    }

    /// The same for an answer.
    fn take_answer(&mut self, number: u64, address: IpAddr, bytes: u64) -> bool {
        loop {
            match self.answers.room(&address, bytes) {
                Room::Free => break,
                Room::At(most) => match self.oldest(most, |connection| connection.answer) {
                    Some(number) => self.close(number),
                    None => return false,
                },
                Room::None => return false,
            }
        }
        let Some(connection) = self.all.get_mut(&number) else {
            return false;
        };
        connection.answer = bytes;
        self.answers.add(address, bytes);
        true
    }
}

impl ConnectionPlace {
    /// Address that the connection comes from.
    pub const fn address(&self) -> &IpAddr {
        &self.address
    }

    /// A request has begun.
    pub fn begin(&self) {
        self.connections.register().set(self.number, Doing::Asking);
    }

    /// Memory for a request of so many bytes; `None` where there is none.
    pub fn body(&self, bytes: u64) -> Option<Body> {
        let mut register = self.connections.register();
        let taken = register.take_body(self.number, self.address, bytes);
        taken.then(|| Body(Arc::clone(&self.connections), self.number))
    }

    /// Memory for an answer of so many bytes; `None` where there is none.
    pub fn answer(&self, bytes: u64) -> Option<Answering> {
        let mut register = self.connections.register();
        if !register.take_answer(self.number, self.address, bytes) {
            register.set(self.number, Doing::Idle);
            return None;
        }
        register.set(self.number, Doing::Answering);
        Some(Answering(Arc::clone(&self.connections), self.number))
    }
}

impl Drop for ConnectionPlace {
    fn drop(&mut self) {
        self.connections.register().close(self.number);
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        let mut register = self.0.register();
        if let Some(connection) = register.all.get_mut(&self.1) {
            let (address, bytes) = (connection.address, std::mem::take(&mut connection.body));
            register.bodies.subtract(&address, bytes);
        }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let mut register = self.0.register();
        if let Some(connection) = register.all.get_mut(&self.1) {
            let (address, bytes) = (connection.address, std::mem::take(&mut connection.answer));
            register.answers.subtract(&address, bytes);
            register.set(self.1, Doing::Idle);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Opened = (ConnectionPlace, oneshot::Receiver<()>);

    fn address(last: u8) -> IpAddr {
        [127, 0, 0, last].into()
    }

    /// Opens so many for an address; those that got a place.
    fn open(connections: &Arc<Connections>, last: u8, count: usize) -> Vec<Opened> {
        let opened = (0..count).filter_map(|_| connections.open(address(last)));
        opened.collect()
    }

    fn alive(opened: &mut [Opened]) -> usize {
        let still = opened.iter_mut().map(|(_, closed)| closed.try_recv());
        still
            .filter(|closed| *closed == Err(oneshot::error::TryRecvError::Empty))
            .count()
    }

    #[test]
    fn however_many_addresses_fill_all_places_another_one_gets_an_equal_part() {
        for addresses in 1..=16_u8 {
            let connections = Arc::new(Connections::new(64, 64));
            let mut others: Vec<Opened> = (1..=addresses)
                .flat_map(|last| open(&connections, last, 64))
                .collect();
            let mut mine = open(&connections, 100, 64);
            let part = 64 / (usize::from(addresses) + 1);
            assert!(
                mine.len() >= part,
                "{} of {part} beside {addresses}",
                mine.len()
            );
            // They come again, and it keeps its part.
            for last in 1..=addresses {
                others.extend(open(&connections, last, 64));
            }
            assert!(alive(&mut mine) >= part, "beside {addresses}");
            assert_eq!(alive(&mut mine) + alive(&mut others), 64);
        }
    }

    #[test]
    fn one_address_has_at_most_its_limit_and_a_place_is_free_again_when_it_is_left() {
        let connections = Arc::new(Connections::new(8, 5));
        let mut opened = open(&connections, 1, 8);
        assert_eq!(opened.len(), 5);
        drop(opened.pop());
        assert_eq!(open(&connections, 1, 1).len(), 1);
    }

    #[test]
    fn who_has_never_asked_is_closed_before_who_waits_and_who_waits_before_who_asks() {
        let connections = Arc::new(Connections::new(6, 6));
        let mut all = open(&connections, 1, 6);
        // One is answered, one has been, one has never asked; the others ask.
        for (place, _) in &all[..5] {
            place.begin();
        }
        let answer = all[0].0.answer(1);
        drop(all[1].0.answer(1));
        let mut others = Vec::new();
        for left in [
            [true, true, true, true, true, false],
            [true, false, true, true, true, false],
            [true, false, false, true, true, false],
            // Both have as many now.
            [true, false, false, true, true, false],
        ] {
            others.extend(open(&connections, 2, 1));
            let alive: Vec<bool> = all
                .iter_mut()
                .map(|(_, closed)| closed.try_recv() == Err(oneshot::error::TryRecvError::Empty))
                .collect();
            assert_eq!(alive, left);
        }
        assert_eq!(others.len(), 3);
        drop(answer);
    }

    #[test]
    fn memory_for_answers_and_requests_is_bounded_and_who_takes_the_most_gives_it_up() {
        let connections = Arc::new(Connections::new(900, 900));
        let mut greedy = open(&connections, 1, 200);
        let mut modest = open(&connections, 2, 1);
        let part = 1 << 20;
        let answers: Vec<_> = greedy.iter().map(|(place, _)| place.answer(part)).collect();
        let full = usize::try_from(ANSWERS_BYTES / part).unwrap();
        assert_eq!(answers.iter().flatten().count(), full);
        assert!(modest[0].0.answer(part).is_some());
        assert_eq!(alive(&mut greedy), 199);
        let bodies: Vec<_> = greedy.iter().map(|(place, _)| place.body(part)).collect();
        let full = usize::try_from(BODIES_BYTES / part).unwrap();
        assert_eq!(bodies.iter().flatten().count(), full);
        assert!(modest[0].0.body(part).is_some());
        assert_eq!(alive(&mut greedy), 198);
        drop((answers, bodies));
        assert!(greedy[199].0.answer(ANSWERS_BYTES).is_some());
        assert!(greedy[199].0.body(BODIES_BYTES).is_some());
        assert!(greedy[199].0.answer(ANSWERS_BYTES + 1).is_none());
        assert_eq!(alive(&mut modest), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_and_answers_that_nobody_reads_have_an_end() {
        let connections = Arc::new(Connections::new(9, 9));
        let mut all = open(&connections, 1, 4);
        for (place, _) in &all[1..] {
            place.begin();
        }
        drop(all[1].0.answer(1));
        let written = all[2].0.answer(1);
        for (seconds, left) in [(9, 4), (2, 3), (8, 3), (2, 2), (38, 2), (2, 1)] {
            tokio::time::advance(Duration::from_secs(seconds)).await;
            connections.close_overdue();
            assert_eq!(alive(&mut all), left);
        }
        drop(written);
    }
}
