//! KMRL Gateway: takes documents in, keeps them safe, turns them into text, proves who did what.

pub mod config;
