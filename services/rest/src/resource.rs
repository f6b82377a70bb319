//! Defines what each service provides: its kind of resource.

use store::{Facts, ObjectId};

use crate::fields::{FieldError, Fields};
use crate::json::ObjectWriter;

/// A kind of resource: its fields, how they are validated, and how they are written. It knows
/// nothing of HTTP or storage.
pub trait Resource: Sized + Send + Sync + 'static {
    /// The plural name: the path of the collection and the name of the service.
    const COLLECTION: &'static str;

    /// Whether reads need a token where access is by tokens, and answers must not be cached.
    const PRIVATE: bool;

    /// The description of the service's API in `OpenAPI` 3.1.
    const OPENAPI: &'static str;

    /// Reads and validates every field; `None` if one is not valid, and then `fields` holds the
    /// problem.
    fn read(fields: &mut Fields<'_>) -> Option<Self>;

    /// Writes every field except the id, in the order of the API.
    fn write(&self, out: &mut ObjectWriter<'_>);

    /// What follows from it: what finds it, and the mail that it asks for.
    fn facts(&self) -> Facts {
        Facts::default()
    }

    /// What follows from a stored document; nothing if it is none of this kind.
    fn facts_of(document: &[u8]) -> Facts {
        Self::from_body(document).map_or_else(|_| Facts::default(), |resource| resource.facts())
    }

    /// Parses a request body, or returns everything that is wrong with it.
    fn from_body(body: &[u8]) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::parse(body).map_err(|error| vec![error])?;
        let resource = Self::read(&mut fields);
        fields.finish(resource)
    }

    /// The resource as JSON, as it is stored and sent.
    fn document(&self, id: ObjectId) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        let hex = id.hex();
        let mut object = ObjectWriter::new(&mut out);
        object.text("id", std::str::from_utf8(&hex).expect("hexadecimal digits are ASCII"));
        self.write(&mut object);
        object.finish();
        out
    }
}
