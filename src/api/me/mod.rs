//! The signed-in user: the user itself, its password and its sessions.

mod password;
mod sessions;
mod user;

pub(crate) use self::{
    password::PasswordApi,
    sessions::SessionsApi,
    user::{UserApi, UserResponse},
};
