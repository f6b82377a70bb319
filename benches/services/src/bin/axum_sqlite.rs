//! The events service as a good engineer would write it in an afternoon: axum, serde,
//! SQLite behind a pool. As durable as ours: WAL with synchronous=FULL.
//! Arguments: PORT FILE.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use bench_services::argument;
use r2d2::{ManageConnection, Pool};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use store::IdGenerator;

#[derive(Serialize, Deserialize)]
struct Event {
    #[serde(default)]
    id: String,
    title: String,
    description: String,
    date: String,
    time: String,
    #[serde(default)]
    place: String,
    #[serde(default)]
    organizer: String,
    #[serde(default)]
    topics: String,
}

impl Event {
    fn is_valid(&self) -> bool {
        let within = |text: &str, least, most| (least..=most).contains(&text.chars().count());
        within(&self.title, 1, 60)
            && within(&self.description, 20, 400)
            && within(&self.place, 0, 100)
            && within(&self.organizer, 0, 50)
            && within(&self.topics, 0, 50)
    }

    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            title: row.get(1)?,
            description: row.get(2)?,
            date: row.get(3)?,
            time: row.get(4)?,
            place: row.get(5)?,
            organizer: row.get(6)?,
            topics: row.get(7)?,
        })
    }
}

/// Opens connections to a file.
struct Manager(String);

impl ManageConnection for Manager {
    type Connection = Connection;
    type Error = rusqlite::Error;

    fn connect(&self) -> rusqlite::Result<Connection> {
        let connection = Connection::open(&self.0)?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 60000;
             CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY, title TEXT, description TEXT,
                 date TEXT, time TEXT, place TEXT, organizer TEXT, topics TEXT)",
        )?;
        Ok(connection)
    }

    fn is_valid(&self, _connection: &mut Connection) -> rusqlite::Result<()> {
        Ok(())
    }

    fn has_broken(&self, _connection: &mut Connection) -> bool {
        false
    }
}

struct App {
    pool: Pool<Manager>,
    ids: IdGenerator,
}

type Shared = State<Arc<App>>;

async fn list(State(app): Shared) -> Json<Vec<Event>> {
    let events = tokio::task::spawn_blocking(move || {
        let connection = app.pool.get().expect("a connection");
        let mut all = connection.prepare_cached("SELECT * FROM events ORDER BY id").expect("SQL");
        let events = all.query_map([], Event::of).expect("rows");
        events.collect::<Result<Vec<_>, _>>().expect("events")
    });
    Json(events.await.expect("no panic"))
}

async fn create(
    State(app): Shared,
    Json(mut event): Json<Event>,
) -> Result<(StatusCode, Json<Event>), StatusCode> {
    if !event.is_valid() {
        return Err(StatusCode::UNPROCESSABLE_ENTITY);
    }
    event.id = app.ids.next().to_string();
    let event = tokio::task::spawn_blocking(move || {
        let connection = app.pool.get().expect("a connection");
        let sql = "INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        let mut insert = connection.prepare_cached(sql).expect("SQL");
        let Event { id, title, description, date, time, place, organizer, topics } = &event;
        let row = params![id, title, description, date, time, place, organizer, topics];
        insert.execute(row).expect("an insert");
        event
    });
    Ok((StatusCode::CREATED, Json(event.await.expect("no panic"))))
}

async fn read(State(app): Shared, Path(id): Path<String>) -> Result<Json<Event>, StatusCode> {
    let event = tokio::task::spawn_blocking(move || {
        let connection = app.pool.get().expect("a connection");
        let mut one =
            connection.prepare_cached("SELECT * FROM events WHERE id = ?1").expect("SQL");
        one.query_row([id], Event::of).optional().expect("a row or none")
    });
    event.await.expect("no panic").map(Json).ok_or(StatusCode::NOT_FOUND)
}

#[tokio::main]
async fn main() {
    let manager = Manager(argument(2, "FILE"));
    let pool = Pool::builder().max_size(8).build(manager).expect("a database");
    let ids = IdGenerator::new().expect("randomness");
    let app = Router::new()
        .route("/events", post(create).get(list))
        .route("/events/{id}", get(read))
        .with_state(Arc::new(App { pool, ids }));
    let address = ("127.0.0.1", argument(1, "PORT"));
    let listener = tokio::net::TcpListener::bind(address).await.expect("a free port");
    axum::serve(listener, app).await.expect("serving");
}
