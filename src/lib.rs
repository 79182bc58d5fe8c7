//! KMRL Gateway: takes documents in, keeps them safe, turns them into text, proves who did what.
//!
//! A request travels one way, and the folders say so: `http` → `commands` → `event_store` →
//! `relay` → `work` → back in through `commands`. `ports` names what touches the world,
//! `adapters` implements it, `app` puts everything together.

pub mod adapters;
pub mod admin_key;
pub mod app;
pub mod audit;
pub mod check;
pub mod cli;
pub mod commands;
pub mod config;
pub mod dead_letters;
pub mod departments;
pub mod door;
pub mod engines;
pub mod eraser;
pub mod event_store;
pub mod evidence;
pub mod extraction_child;
pub mod health;
pub mod http;
pub mod identity;
pub mod jail;
pub mod limits;
pub mod logs;
pub mod metrics;
pub mod notary;
pub mod pause;
pub mod ports;
pub mod projector;
pub mod proof;
pub mod reconciler;
pub mod relay;
pub mod removal;
pub mod signals;
pub mod spool;
pub mod tls;
pub mod traces;
pub mod work;

pub use kmrl_projections::fault_point;
