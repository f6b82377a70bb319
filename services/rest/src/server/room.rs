//! The room for connections: how many there are, and the memory that they share. When there is
//! none left, the client that holds most loses connections to those that hold less.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;

use super::level::Level;
use super::metrics::ServerMetrics;
use crate::limits::Client;

/// What a connection of a protocol holds, in bytes: what was measured, and some more.
#[derive(Debug, Clone, Copy)]
pub(super) struct Costs {
    idle: usize,
    active: usize,
    heavy: usize,
}

/// There is no room, and no other client holds more.
#[derive(Debug)]
pub(super) struct NoRoom;

/// The room for connections.
#[derive(Debug)]
pub(super) struct Room {
    state: Mutex<State>,
    /// The memory that there is, in bytes.
    bytes: usize,
    /// More than a quarter of it is taken.
    is_scarce: AtomicBool,
    metrics: ServerMetrics,
}

#[derive(Debug, Default)]
struct State {
    places_left: usize,
    bytes_left: usize,
    /// Numbers connections, and the changes of their levels.
    next: u64,
    open: HashMap<u64, Open>,
    clients: HashMap<Client, Holder>,
    /// The clients by what they hold.
    ranking: BTreeSet<(usize, Client)>,
    /// Connections that are to be closed once the state is unlocked.
    evicted: Vec<AbortHandle>,
}

/// An open connection.
#[derive(Debug)]
struct Open {
    /// `None` if it is never closed to make room.
    client: Option<Client>,
    costs: Costs,
    level: Level,
    /// The number of the last change of its level.
    since: u64,
    /// `None` as long as it cannot be closed to make room.
    task: Option<AbortHandle>,
}

/// What a client holds.
#[derive(Debug, Default)]
struct Holder {
    bytes: usize,
    connections: usize,
    /// Its connections in the order in which they are closed: the idle ones first, and of these the
    /// one that has been idle longest.
    order: BTreeSet<(Level, u64, u64)>,
}

/// The room that a connection takes, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    room: Arc<Room>,
    id: u64,
    level: Level,
}

impl Costs {
    /// HTTP/1.1. An active connection has a buffer for each direction.
    pub(super) const PLAIN: Self = Self { idle: 5 << 10, active: 22 << 10, heavy: 48 << 10 };
    /// HTTP/1.1 inside TLS, which has a buffer for a record.
    pub(super) const SECURE: Self = Self { idle: 17 << 10, active: 38 << 10, heavy: 72 << 10 };
    /// HTTP/2 inside TLS. Its buffers stay, and its tables of up to a hundred requests.
    pub(super) const HTTP2: Self = Self { idle: 40 << 10, active: 54 << 10, heavy: 176 << 10 };

    fn at(self, level: Level) -> usize {
        match level {
            Level::Idle => self.idle,
            Level::Active => self.active,
            Level::Heavy => self.heavy,
        }
    }
}

impl Room {
    /// Room for so many connections, which hold so many bytes together.
    pub(super) fn new(places: usize, bytes: usize, metrics: ServerMetrics) -> Arc<Self> {
        let state = State { places_left: places, bytes_left: bytes, ..State::default() };
        Arc::new(Self {
            state: Mutex::new(state),
            bytes,
            is_scarce: AtomicBool::new(false),
            metrics,
        })
    }

    /// Takes room for a connection. One without a client is never closed to make room.
    pub(super) fn take(
        self: &Arc<Self>,
        client: Option<Client>,
        costs: Costs,
        level: Level,
    ) -> Result<Place, NoRoom> {
        let id = self.change(|state| state.open(client, costs, level))?;
        Ok(Place { room: Arc::clone(self), id, level })
    }

    /// Allows a connection to be closed, by ending its task, when others need its room.
    pub(super) fn allow_eviction(&self, id: u64, task: AbortHandle) {
        self.change(|state| state.update(id, |open| open.task = Some(task)));
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let result = change(&mut state);
        let evicted = std::mem::take(&mut state.evicted);
        self.is_scarce.store(state.bytes_left < self.bytes / 4 * 3, Ordering::Relaxed);
        drop(state);
        for task in evicted {
            self.metrics.evicted();
            task.abort();
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn open(&mut self, client: Option<Client>, costs: Costs, level: Level) -> Result<u64, NoRoom> {
        let bytes = costs.at(level);
        self.make_room(client, 1, bytes)?;
        self.next += 1;
        self.places_left -= 1;
        self.open.insert(self.next, Open { client, costs, level, since: self.next, task: None });
        self.charge(client, 0, bytes, 1);
        Ok(self.next)
    }

    fn close(&mut self, id: u64) -> Option<Open> {
        let open = self.open.remove(&id)?;
        if let Some(holder) = open.client.and_then(|client| self.clients.get_mut(&client)) {
            holder.order.remove(&(open.level, open.since, id));
        }
        self.places_left += 1;
        self.charge(open.client, open.costs.at(open.level), 0, -1);
        Some(open)
    }

    /// Changes the costs or level of a connection.
    fn set(&mut self, id: u64, costs: Option<Costs>, level: Level) -> Result<(), NoRoom> {
        // One that is being closed to make room has given all back.
        let Some(open) = self.open.get(&id) else { return Ok(()) };
        let (client, before) = (open.client, open.costs.at(open.level));
        let costs = costs.unwrap_or(open.costs);
        let now = costs.at(level);
        self.make_room(client, 0, now.saturating_sub(before))?;
        self.next += 1;
        let since = self.next;
        self.update(id, |open| {
            *open = Open { costs, level, since, client, task: open.task.take() }
        });
        self.charge(client, before, now, 0);
        Ok(())
    }

    /// Changes a connection, and where it stands among those of its client that may be closed.
    fn update(&mut self, id: u64, change: impl FnOnce(&mut Open)) {
        let Some(open) = self.open.get_mut(&id) else { return };
        let before = (open.level, open.since, id);
        change(open);
        let Some(holder) = open.client.and_then(|client| self.clients.get_mut(&client)) else {
            return;
        };
        holder.order.remove(&before);
        if open.task.is_some() {
            holder.order.insert((open.level, open.since, id));
        }
    }

    /// Closes connections of the clients that hold most until there is room, as long as these hold
    /// more than this client would.
    fn make_room(
        &mut self,
        client: Option<Client>,
        places: usize,
        bytes: usize,
    ) -> Result<(), NoRoom> {
        while self.places_left < places || self.bytes_left < bytes {
            let held = client.and_then(|client| self.clients.get(&client)).map_or(0, |it| it.bytes);
            let id = self.next_to_close(held + bytes).ok_or(NoRoom)?;
            let closed = self.close(id).ok_or(NoRoom)?;
            self.evicted.extend(closed.task);
        }
        Ok(())
    }

    /// The connection to close first, of a client that holds more than so many bytes.
    fn next_to_close(&self, bytes: usize) -> Option<u64> {
        let mut larger = self.ranking.iter().rev().take_while(|(held, _)| *held > bytes);
        let first = larger.find_map(|(_, client)| self.clients[client].order.first());
        first.map(|(_, _, id)| *id)
    }

    /// Counts what a client holds now in place of what it held.
    fn charge(&mut self, client: Option<Client>, before: usize, now: usize, connections: isize) {
        self.bytes_left = self.bytes_left + before - now;
        let Some(client) = client else { return };
        let holder = self.clients.entry(client).or_default();
        self.ranking.remove(&(holder.bytes, client));
        holder.bytes = holder.bytes + now - before;
        holder.connections = holder.connections.saturating_add_signed(connections);
        if holder.connections == 0 {
            self.clients.remove(&client);
        } else {
            self.ranking.insert((holder.bytes, client));
        }
    }
}

impl Place {
    /// The number of the connection in its room.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Whether connections should give back at once what they do not need.
    pub(super) fn is_scarce(&self) -> bool {
        self.room.is_scarce.load(Ordering::Relaxed)
    }

    /// Takes as much room as another level takes.
    pub(super) fn set(&mut self, level: Level) -> Result<(), NoRoom> {
        if level == self.level {
            return Ok(());
        }
        self.room.change(|state| state.set(self.id, None, level))?;
        self.level = level;
        Ok(())
    }

    /// Takes as much room as an active connection of another protocol.
    pub(super) fn set_protocol(&mut self, costs: Costs) -> Result<(), NoRoom> {
        self.room.change(|state| state.set(self.id, Some(costs), Level::Active))?;
        self.level = Level::Active;
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.change(|state| state.close(self.id));
    }
}

#[cfg(test)]
mod tests;
