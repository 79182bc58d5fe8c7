//! Attacks tried against the real program: each risk of the OWASP API Security Top 10 of 2023, shapes of requests that
//! proxies and servers understand differently, oversized everything, and clients that never read.

mod never_reads;
mod oversized;
mod owasp;
mod smuggling;
mod tricks;
mod upstream;
mod wire;
