//! Defines what each service provides: its model.

use crate::fields::{FieldError, Fields};
use crate::id::ObjectId;
use crate::json::ObjectWriter;

/// A kind of resource: what its fields must be and how it is written.
/// It knows nothing of HTTP or storage.
pub trait Resource: Sized + Send + Sync + 'static {
    /// The plural name: the path of the collection and the name of the service.
    const COLLECTION: &'static str;

    /// Whether reading needs a token where access is by tokens, and no answer is kept.
    const PRIVATE: bool;

    /// The description of the service's API, in `OpenAPI` 3.1.
    const DESCRIPTION: &'static str;

    /// Reads and checks every field; `None` where one is wrong, and then `fields`
    /// has kept the problem.
    fn read(fields: &mut Fields<'_>) -> Option<Self>;

    /// Writes every field but the id, in the order of the API.
    fn write(&self, out: &mut ObjectWriter<'_>);

    /// Reads a request body, or says everything that is wrong with it.
    fn from_body(body: &[u8]) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::parse(body).map_err(|error| vec![error])?;
        let model = Self::read(&mut fields);
        fields.finish(model)
    }

    /// The resource as it is stored and answered.
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
