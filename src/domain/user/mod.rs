//! Users and their rows.

mod create;
mod lookup;
mod password;
mod record;

pub use self::{
    create::{CreateUserError, create_user},
    lookup::{find_by_id, find_by_name, list_users, lock_if_unchanged, lock_user},
    password::hash_new_password,
    record::User,
};
