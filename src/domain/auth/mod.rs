//! Use cases of clients.

pub mod authenticate;
pub mod change_password;
pub mod login;
pub mod refresh;
pub mod register;
pub mod sessions;
mod verify_password;
