//! Places for connections: so many in all, so many from one address; and who makes room when there is none.
//!
//! Does not read or write: `listener` does. Holds always: a connection on which somebody with a valid link has asked
//! something never makes room for a stranger's while a stranger's can, because people must be able to work while
//! somebody fills the server with connections; a new connection gets the place of the oldest, because one that has not
//! finished a request since then is slow or of no use.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::shared::lock;

/// Connections at a time. Each takes a file handle, and a process often has only 1,024.
const MOST: usize = 800;
/// Connections from one address: a room of 40 people behind one address, with the six that a browser opens and two
/// more.
const FROM_ONE: usize = 320;
/// An exchange with somebody who has a link is not cut off before this, if there is no place.
const SLOW: Duration = Duration::from_secs(5);

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing: it is between two requests.
    Idle,
    /// The head of a request is coming in.
    Head,
    /// The rest of the request is coming in.
    Body,
    /// The server works on the response.
    Work,
    /// The response is going out.
    Response,
}

/// What a connection is doing, since when, and for whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct State {
    pub phase: Phase,
    /// When the phase began; for [`Phase::Body`], when the request began.
    pub since: Instant,
    /// When bytes came in or went out for the last time.
    pub moved: Instant,
    /// Whether a valid link was shown on it.
    pub has_link: bool,
}

impl State {
    /// Begins another phase.
    pub fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        if phase != Phase::Body {
            self.since = Instant::now();
        }
    }
}

/// The state that a connection and its requests share.
pub(super) type SharedState = Arc<Mutex<State>>;

/// Where a connection comes from, as far as it counts: an IPv4 address, or the network of an IPv6 address (its first 64
/// bits), because everybody has as many addresses in it as they like.
pub(super) fn origin(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address => address,
    }
}

/// All places.
#[derive(Default)]
pub(super) struct Places {
    taken: Mutex<HashMap<u64, Seat>>,
}

/// One taken place.
struct Seat {
    from: IpAddr,
    state: SharedState,
    leave: oneshot::Sender<()>,
}

/// A connection's place, free again once this is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    number: u64,
    pub state: SharedState,
    /// Answers when the connection has to make room.
    pub leave: oneshot::Receiver<()>,
}

impl Places {
    /// A place for a connection from `address`, for which another one may have to make room; `None` if none can.
    ///
    /// `number`: larger than that of every earlier connection.
    pub fn take(self: &Arc<Self>, number: u64, address: IpAddr) -> Option<Place> {
        let (from, now) = (origin(address), Instant::now());
        let mut taken = lock(&self.taken);
        let crowded = if taken.values().filter(|seat| seat.from == from).count() >= FROM_ONE {
            Some(from)
        } else if taken.len() >= MOST {
            largest(&taken)
        } else {
            None
        };
        if let Some(crowded) = crowded {
            let leaves = worst(&taken, crowded, now)?;
            let seat = taken.remove(&leaves)?;
            // Nobody listens if it is ending anyway.
            let _ = seat.leave.send(());
        }
        let state = State { phase: Phase::Idle, since: now, moved: now, has_link: false };
        let state = Arc::new(Mutex::new(state));
        let (leave, leaving) = oneshot::channel();
        taken.insert(number, Seat { from, state: state.clone(), leave });
        Some(Place { places: self.clone(), number, state, leave: leaving })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.places.taken).remove(&self.number);
    }
}

/// The origin of the most connections.
fn largest(taken: &HashMap<u64, Seat>) -> Option<IpAddr> {
    let mut counts: HashMap<IpAddr, usize> = HashMap::new();
    for seat in taken.values() {
        *counts.entry(seat.from).or_default() += 1;
    }
    counts.into_iter().max_by_key(|&(from, count)| (count, from)).map(|(from, _)| from)
}

/// The connection from `from` that makes room: of strangers the oldest; else the one that has been idle for longest;
/// else the one whose request, or whose exchange, takes longest.
fn worst(taken: &HashMap<u64, Seat>, from: IpAddr, now: Instant) -> Option<u64> {
    let mut worst: Option<(u8, Instant, u64)> = None;
    for (&number, seat) in taken.iter().filter(|(_, seat)| seat.from == from) {
        let State { phase, since, has_link, .. } = *lock(&seat.state);
        let rank = match phase {
            _ if !has_link => 0,
            Phase::Idle => 1,
            Phase::Head => 2,
            _ if now.duration_since(since) > SLOW => 3,
            _ => continue,
        };
        // The number orders strangers, who could otherwise stay by asking something again and again.
        let candidate = (rank, if rank == 0 { now } else { since }, number);
        worst = Some(worst.map_or(candidate, |worst| worst.min(candidate)));
    }
    worst.map(|(_, _, number)| number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: [u8; 4] = [10, 0, 0, 1];

    /// `count` connections from an address.
    fn fill(places: &Arc<Places>, numbers: std::ops::Range<u64>, from: [u8; 4]) -> Vec<Place> {
        numbers.map(|number| places.take(number, from.into()).unwrap()).collect()
    }

    fn is_told_to_leave(place: &mut Place) -> bool {
        place.leave.try_recv().is_ok()
    }

    fn leaving(places: &mut [Place]) -> Vec<u64> {
        places.iter_mut().filter_map(|place| is_told_to_leave(place).then_some(place.number)).collect()
    }

    #[test]
    fn a_full_address_makes_room_by_its_oldest_stranger_and_others_are_not_touched() {
        let places = Arc::new(Places::default());
        let mut other = fill(&places, 0..3, [10, 0, 0, 2]);
        let mut room = fill(&places, 10..10 + FROM_ONE as u64, ROOM);
        lock(&room[0].state).has_link = true;
        assert!(leaving(&mut room).is_empty());
        let _more = fill(&places, 1000..1002, ROOM);
        assert_eq!((leaving(&mut room), leaving(&mut other)), (vec![11, 12], Vec::new()));
    }

    #[test]
    fn a_full_server_makes_room_where_most_connections_come_from() {
        let places = Arc::new(Places::default());
        let mut few = fill(&places, 0..200, [10, 0, 0, 2]);
        let mut many = fill(&places, 200..200 + FROM_ONE as u64, ROOM);
        let mut rest = fill(&places, 1000..1000 + (MOST - FROM_ONE - 200) as u64, [10, 0, 0, 3]);
        let _one = fill(&places, 5000..5001, [10, 0, 0, 4]);
        assert_eq!((leaving(&mut few), leaving(&mut many), leaving(&mut rest)), (vec![], vec![200], vec![]));
    }

    #[test]
    fn people_at_work_keep_their_places_and_idle_ones_go_first() {
        let places = Arc::new(Places::default());
        let at_work = |place: &Place| {
            let mut state = lock(&place.state);
            (state.has_link, state.phase) = (true, Phase::Work);
        };
        let mut room = fill(&places, 0..FROM_ONE as u64, ROOM);
        room.iter().for_each(at_work);
        assert!(places.take(1000, ROOM.into()).is_none(), "nobody who is being answered is cut off");
        lock(&room[7].state).phase = Phase::Head;
        lock(&room[9].state).phase = Phase::Idle;
        lock(&room[5].state).since = Instant::now().checked_sub(2 * SLOW).unwrap();
        let mut later = Vec::new();
        for (number, leaves) in [(1001, 9), (1002, 7), (1003, 5)] {
            let place = places.take(number, ROOM.into()).unwrap();
            at_work(&place);
            later.push(place);
            assert_eq!(leaving(&mut room), [leaves]);
        }
        assert!(places.take(1004, ROOM.into()).is_none());
        let _elsewhere = fill(&places, 1005..1006, [10, 0, 0, 9]);
        assert!(leaving(&mut room).is_empty() && leaving(&mut later).is_empty(), "another address has its own places");
    }

    #[test]
    fn a_place_is_free_again_when_its_connection_ends() {
        let places = Arc::new(Places::default());
        for round in 0..3 {
            let mut room = fill(&places, round * 1000..round * 1000 + FROM_ONE as u64, ROOM);
            assert!(leaving(&mut room).is_empty());
        }
        assert!(lock(&places.taken).is_empty());
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one_origin() {
        let of = |text: &str| origin(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2:ffff::1"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
        assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
    }
}
