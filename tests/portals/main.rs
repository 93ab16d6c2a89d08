//! The portals' doors of the real server: what was acknowledged is there, once, whatever the link, the sender or a kill does.

mod folders;
mod server;
mod trains;
mod uploads;
mod viewer;
