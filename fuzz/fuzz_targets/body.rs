//! Any bytes as the body of a request: they are refused with reasons, or they are a
//! resource that is stored and read back as the same.

#![no_main]

use events::Event;
use libfuzzer_sys::fuzz_target;
use notifications::Notification;
use rest::{ObjectId, Resource};

fuzz_target!(|body: &[u8]| {
    read::<Event>(body);
    read::<Notification>(body);
});

fn read<R: Resource + PartialEq + std::fmt::Debug>(body: &[u8]) {
    match R::from_body(body) {
        Err(problems) => assert!(!problems.is_empty(), "refused without a reason"),
        Ok(model) => {
            let document = model.document(ObjectId::from_bytes([7; 12]));
            assert!(document.is_ascii());
            assert_eq!(R::from_body(&document), Ok(model), "what is stored is another resource");
        }
    }
}
