//! What touches the world, behind the traits of [`crate::ports`].

pub mod clamd;
pub mod extraction_child;
pub mod local_blobs;
pub mod nats;
pub mod nats_queue;
pub mod otlp;
pub mod s3_blobs;
pub mod system;
