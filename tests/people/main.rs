//! Who may do what, and proof of it: rights, logins, lock-outs, encryption against the real server; the audit trail, retention and holds against a store.

#[path = "../store/mod.rs"]
mod store;

mod audit;
mod keeping;
mod lists;
mod logins;
mod rights;
mod server;
mod tls;
