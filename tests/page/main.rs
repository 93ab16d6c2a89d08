//! The operators' page in a real browser, and its routes without one.
//!
//! `browser` starts `tests/browser/run.mjs`, `scans.mjs` (the scan viewer) and `cars.mjs` (cars as cases) under Node with Debian's Chromium; what it drives with (playwright-core), judges by (axe-core) and checks types with
//! (typescript) is installed by `npm ci` into `tests/browser/node_modules` and is no part of the page. Without Node, npm or Chromium it says so loudly, and fails
//! where `GARITA_FORBID_SKIP` is set. Screenshots of every page are left in `target/page/`.

// Of what these share with the chaos tests each uses its part.
#![allow(dead_code)]

mod browser;
#[path = "../chaos/camera.rs"]
mod camera;
mod routes;
mod seed;
#[path = "../chaos/server.rs"]
mod server;
#[path = "../common/skip.rs"]
mod skip;
