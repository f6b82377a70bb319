//! What the services ask of an engine: a durable batch and a point read.

/// A 12-byte ObjectId.
pub type Key = [u8; 12];

/// One embedded engine, opened on a folder of its own.
pub trait Engine {
    /// Stores the batch; when this returns it has reached the disk.
    fn commit(&mut self, batch: &[(Key, Vec<u8>)]);
    /// Reads the value stored under the key. Panics where the engine reports an error.
    fn get(&mut self, key: &Key) -> Option<Vec<u8>>;
}
