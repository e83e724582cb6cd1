//! Registering, signing in and out, and a session's tokens.

mod login;
mod logout;
mod register;
mod token;

pub(crate) use self::{login::LoginApi, logout::LogoutApi, register::RegisterApi, token::TokenApi};
