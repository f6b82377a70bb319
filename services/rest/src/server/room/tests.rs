use super::*;

fn open(room: &Arc<Room>, n: u8, level: Level) -> Result<Place, NoRoom> {
    let client = Client::V4([192, 0, 2, n].into());
    let place = room.take(Some(client), Costs::PLAIN, level)?;
    let task = tokio::spawn(std::future::pending::<()>());
    room.allow_eviction(place.id(), task.abort_handle());
    Ok(place)
}

fn is_open(place: &Place) -> bool {
    place.room.lock().open.contains_key(&place.id)
}

#[tokio::test]
async fn the_client_that_holds_most_makes_room_for_others() {
    let room = Room::new(4, 1 << 20, ServerMetrics::default());
    let mut first: Vec<_> = (0..4).map(|_| open(&room, 1, Level::Idle).unwrap()).collect();
    assert!(open(&room, 1, Level::Idle).is_err(), "no client makes room for itself");
    // The one that has been idle longest is the second one then.
    first[0].set(Level::Active).unwrap();
    first[0].set(Level::Idle).unwrap();
    let second = open(&room, 2, Level::Idle).unwrap();
    assert_eq!(first.iter().map(is_open).collect::<Vec<_>>(), [true, false, true, true]);
    let third = open(&room, 2, Level::Idle).unwrap();
    assert!(open(&room, 2, Level::Idle).is_err(), "both hold as much");
    assert!(is_open(&second) && is_open(&third));
    // What was closed gives nothing back for a second time.
    drop(first);
    assert_eq!(room.lock().places_left, 2);
    drop((second, third));
    let state = room.lock();
    assert_eq!((state.places_left, state.bytes_left), (4, 1 << 20));
    assert!(state.clients.is_empty() && state.ranking.is_empty() && state.open.is_empty());
}

#[tokio::test]
async fn active_connections_make_room_when_none_is_idle() {
    let room = Room::new(100, 3 * Costs::PLAIN.active, ServerMetrics::default());
    let [mut old, new] = [(); 2].map(|()| open(&room, 1, Level::Active).unwrap());
    let mut other = open(&room, 2, Level::Idle).unwrap();
    assert!(old.is_scarce());
    other.set(Level::Active).unwrap();
    assert!(is_open(&old) && is_open(&new));
    let _third = open(&room, 3, Level::Idle).unwrap();
    assert!(!is_open(&old) && is_open(&new) && is_open(&other));
    old.set(Level::Heavy).unwrap();
    assert_eq!(room.lock().bytes_left, Costs::PLAIN.active - Costs::PLAIN.idle, "it is closed");
    assert!(other.set(Level::Heavy).is_err(), "the other one would hold more");
}
